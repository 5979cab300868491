// One account: who it is, how it is doing and why, and what can be done with it.

import { approvalSection } from './approval.js'
import { get, post, put } from './api.js'
import { backfillSection } from './backfill.js'
import { permissionList } from './connect.js'
import { ask, button, field, fill, h, toast } from './dom.js'
import { ago, badgeOf, FEATURES, moment, plural, reasonOf, TRANSPORTS } from './words.js'

const KINDS = { person: '', shared_mailbox: 'Shared mailbox', tenant: 'Organisation', link: 'Known person' }

export function accountCard({ id }, refresh) {
  const [head, state, actions, more] = ['div.inside', 'div', 'div', 'div.inside'].map((what) => h(what))
  const backfill = backfillSection(id, refresh)
  const element = h('section.card', {}, head, state, backfill.element, actions, more)
  let account
  let all = []

  const leave = async (path, body) => location.assign((await post(`/accounts/${id}/${path}`, body)).url)

  const syncNow = async () => {
    const { added, changed, moved, removed, quarantined } = await post(`/accounts/${id}/sync`)
    const parts = [added && plural(added, 'new message'), changed && plural(changed, 'change'), moved && `${moved} moved`, removed && `${removed} removed`, quarantined && `${quarantined} could not be read`]
    toast(parts.filter(Boolean).length ? `Synced: ${parts.filter(Boolean).join(', ')}.` : 'Synced: nothing new.')
    await refresh()
  }
  const test = async () => {
    const { address, problems, test_message: sent } = await post(`/accounts/${id}/verify`, { test_message: true })
    const bad = problems.length > 0 || (sent && sent.state !== 'sent' && sent.state !== 'queued')
    toast(bad ? [...problems, sent?.reason].filter(Boolean).join(' ') : `A test message is on its way to ${address}.`, { bad })
    await refresh()
  }
  const disconnect = async () => {
    const shared = all.filter((other) => other.delegate === id && other.state !== 'disconnected')
    const yes = await ask(`Disconnect ${account.address}?`, h('ul.tidy', {},
      h('li', {}, 'Our access ends at once: what we hold of the sign-in is destroyed.'),
      h('li', {}, 'Mail that waits to be sent is cancelled.'),
      h('li', {}, 'Mail that is here already stays on the pages of candidates.'),
      h('li', {}, 'Nothing in your mailbox is changed or deleted.'),
      shared.length > 0 && h('li', {}, `Shared mailboxes opened through it are disconnected too: ${shared.map(({ address }) => address).join(', ')}.`)), 'Disconnect')
    if (!yes) return
    await post(`/accounts/${id}/disconnect`)
    toast(`${account.address} is disconnected.`)
    await refresh()
  }

  function showHead() {
    const { text, colour } = badgeOf(account)
    const kind = KINDS[account.kind]
    fill(head, [text, colour, account.address, account.display_name, kind, reasonOf(account)], () => h('div.stack', {},
      h('div.row.spread', {},
        h('div.grow', {}, h('h3.address', {}, account.address || 'Account without an address yet'), h('div.quiet.small', {}, [account.display_name, kind].filter(Boolean).join(' · '))),
        h(`span.badge.${colour}`, {}, h(`span.dot.${colour}`), text)),
      reasonOf(account) && h(colour === 'error' ? 'p.note.bad' : colour === 'stale' || colour === 'incomplete' ? 'p.note.warn' : 'p.quiet', {}, reasonOf(account)),
      account.warnings.map((warning) => h('p.note.warn', {}, warning)),
      account.state === 'connected' && h('p.quiet.small', { className: 'quiet small facts' })))
    const facts = head.querySelector('.facts')
    if (!facts) return
    const last = account.last_success_at
    facts.textContent = [TRANSPORTS[account.transport], last ? `last synced ${ago(last)}` : 'not synced yet'].join(' · ')
    facts.title = last ? moment(last) : ''
  }

  function showActions() {
    const { kind, features, missing } = account
    const on = account.state === 'connected'
    fill(state, [account.state], () => {
      if (account.state === 'awaiting_admin' || account.state === 'declined') return approvalSection(id, () => leave('reconnect'))
      if (account.state === 'needs_reconnect' || account.state === 'disconnected') {
        if (kind === 'shared_mailbox') return h('p.inside.quiet', {}, 'It works again once the account it is opened through is connected.')
        return h('div.inside.row.buttons', {}, button(account.state === 'disconnected' ? 'Connect again' : 'Sign in again', () => leave('reconnect'), '.primary'))
      }
      return null
    })
    fill(actions, [on, features, missing], () => on && h('div.inside.row.buttons', {},
      features.includes('mail_sync') && button('Sync now', syncNow, '.primary'),
      features.includes('mail_send') && button('Send a test message', test),
      button('Disconnect', disconnect, '.danger')))
    fill(more, [on, kind, features, missing, account.signature], () => on ? h('div.stack', {},
      kind === 'person' && shared(),
      features.includes('mail_send') && signature(),
      kind === 'person' && permissions()) : h('p.quiet.small', {}, account.state === 'disconnected' ? 'Mail that was synced stays where it is shown.' : button('Disconnect', disconnect, '.danger')))
  }

  function shared() {
    const may = account.features.includes('shared_mailboxes') && !account.missing.includes('shared_mailboxes')
    if (!may) {
      return h('details', {}, h('summary', {}, 'Add a shared mailbox'), h('div.stack', {},
        h('p', {}, 'Microsoft asks you once more, since this opens mailboxes that are shared with you.'),
        button('Allow shared mailboxes', () => leave('features', { features: ['shared_mailboxes'] }))))
    }
    const address = h('input', { type: 'email', autocomplete: 'off', placeholder: 'jobs@contoso.com', required: true })
    const add = h('button', { type: 'submit' }, 'Add')
    const form = h('form.stack', {}, field('Address of the shared mailbox', address, 'Exchange has to let you into it. It is synced and sent from like an account of its own.'), h('div.row', {}, add))
    form.addEventListener('submit', async (event) => {
      event.preventDefault()
      add.disabled = true
      try {
        const made = await post(`/accounts/${id}/shared`, { address: address.value })
        address.value = ''
        toast(`${made.address} is added.`)
        await refresh()
      } catch (error) {
        toast(error.message, { bad: true })
      }
      add.disabled = false
    })
    return h('details', {}, h('summary', {}, 'Add a shared mailbox'), form)
  }

  function signature() {
    const text = h('textarea', { rows: 4, value: account.signature })
    return h('details', {}, h('summary', {}, 'Signature'), h('div.stack', {}, field('Below your mails', text, 'Leave it empty for none.'),
      h('div.row', {}, button('Save signature', async () => {
        await put(`/accounts/${id}/signature`, { text: text.value })
        toast('The signature is saved.')
      }))))
  }

  function permissions() {
    const place = h('div.stack', {}, h('p.quiet', {}, 'Loading…'))
    const element = h('details', {}, h('summary', {}, 'Permissions and what we do not access'), place)
    element.addEventListener('toggle', async () => {
      if (!element.open) return
      try {
        const features = account.features.map((name) => FEATURES[name]?.[0] ?? name).join(', ')
        place.replaceChildren(h('p.quiet', {}, `Used for: ${features}.`), ...permissionList(await get(`/permissions?account=${id}`)).filter(Boolean))
      } catch (error) {
        place.replaceChildren(h('p.note.bad', {}, error.message))
      }
    })
    return element
  }

  return {
    element,
    show(now, items) {
      account = now
      all = items
      element.setAttribute('aria-label', account.address || 'Account')
      showHead()
      showActions()
      backfill.show(account)
    },
    progress: backfill.progress,
  }
}
