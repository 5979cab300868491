// What states are called, and how times and numbers are written.

const BADGES = { healthy: 'Healthy', incomplete: 'Incomplete', never_synced: 'Never synced', stale: 'Out of date', error: 'Error' }
const STATES = { needs_reconnect: 'Sign-in needed', awaiting_admin: 'Waiting for approval', declined: 'Approval declined', misconfigured: 'Set-up problem', disconnected: 'Disconnected' }
// An account that waits for somebody is no error of its own.
const CALM = { awaiting_admin: 'stale', disconnected: 'off' }

/** Words and colour for how an account is doing. */
export function badgeOf({ state, badge }) {
  return { text: STATES[state] ?? BADGES[badge] ?? 'Connected', colour: CALM[state] ?? badge ?? 'healthy' }
}
const WORST = { healthy: 'All is well', incomplete: 'Something could not be read', never_synced: 'Not synced yet', stale: 'Something needs attention', error: 'Something does not work' }
export const worstText = (badge) => WORST[badge] ?? 'Nothing connected'

/** Why it is so, in words of the engine, and what to do. */
export function reasonOf(account) {
  const { state, badge, last_error: error, problem, next_step: step } = account
  // What is to be done then has a section of its own.
  if (state === 'awaiting_admin') return ''
  if (state === 'connected' && badge === 'healthy' && !step) return account.last_success_at ? 'Everything is up to date.' : 'Ready to use.'
  // The engine's next step speaks to who runs the program; what the person does is a button.
  if (state !== 'connected') return error ?? problem ?? step ?? ''
  return [error ?? problem, step].filter((text, n, all) => text && all.indexOf(text) === n).join(' ')
}

export const FEATURES = {
  mail_sync: ['Sync mail', 'Mail with candidates is shown on their pages.'],
  mail_send: ['Send mail', 'You write to candidates in your own name.'],
  shared_mailboxes: ['Shared mailboxes', 'Mailboxes of your team, such as jobs@, can be added.'],
  calendar: ['Read the calendar', 'Interviews are shown beside mail.'],
  contacts: ['Read contacts', 'Names of people you know are filled in.'],
  chat: ['Write in Teams', 'You send Teams messages in your own name.'],
}
export const RANGES = {
  nothing: 'Only new mail from now on', thirty_days: 'Last 30 days', ninety_days: 'Last 90 days', twelve_months: 'Last 12 months', everything: 'All mail',
}
export const TRANSPORTS = { manual: 'Checked when you press Sync now', polling: 'Checked every few minutes', push: 'New mail arrives at once' }

export const number = (n) => new Intl.NumberFormat('en').format(n)
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`
export const moment = (iso) => new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso))

/** How long something lasts still. */
export function duration(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000))
  if (seconds < 60) return 'less than a minute'
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return plural(minutes, 'minute')
  const hours = Math.floor(minutes / 60)
  return minutes % 60 ? `${plural(hours, 'hour')} ${plural(minutes % 60, 'minute')}` : plural(hours, 'hour')
}

export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000
  const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
  if (Math.abs(seconds) < 60) return 'just now'
  if (Math.abs(seconds) < 3600) return words.format(Math.round(seconds / 60), 'minute')
  if (Math.abs(seconds) < 86400) return words.format(Math.round(seconds / 3600), 'hour')
  return words.format(Math.round(seconds / 86400), 'day')
}

export function bytes(n) {
  if (n < 1000) return `${n} bytes`
  return n < 1e6 ? `${Math.round(n / 1000)} KB` : `${(n / 1e6).toFixed(1)} MB`
}
