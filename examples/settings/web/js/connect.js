// What an account is connected for, what Microsoft will ask, and what is left alone.

import { get, post } from './api.js'
import { button, h, toast } from './dom.js'
import { FEATURES } from './words.js'

const ASKED_FIRST = ['mail_sync', 'mail_send']

/** Permissions of Microsoft's, each with its name and reason, and the counter-list. */
export function permissionList({ items, not_accessed: left }) {
  return [
    h('ul.permissions', {}, items.map(({ name, title, reason, needs_admin: admin, granted }) => h('li', {},
      h('div.row.spread', {}, h('strong', {}, title), h('code', {}, name)),
      h('div.quiet.small', {}, reason, admin ? ' An administrator has to approve it.' : '', granted === false ? ' Not granted.' : '')))),
    left.length > 0 && h('div.note.good', {}, h('h3', {}, 'What we do not access'), h('ul.tidy', {}, left.map((text) => h('li', {}, text)))),
  ]
}

/** `close` is given where there are accounts already. */
export function connectPanel(close) {
  const chosen = new Set(ASKED_FIRST)
  const explained = h('div.stack', { 'aria-live': 'polite' })
  const go = button('Continue to Microsoft', async () => {
    const { url } = await post('/connect', { features: [...chosen] })
    location.assign(url)
  }, '.primary')

  let latest = 0
  async function explain() {
    const mine = ++latest
    go.disabled = chosen.size === 0
    if (chosen.size === 0) return explained.replaceChildren(h('p.quiet', {}, 'Choose at least one.'))
    const list = await get(`/permissions?features=${[...chosen].join(',')}`)
    // An answer that was overtaken says nothing any more.
    if (mine === latest) explained.replaceChildren(h('h3', {}, 'What Microsoft will ask you to allow'), ...permissionList(list).filter(Boolean))
  }

  const choices = Object.entries(FEATURES).map(([name, [title, text]]) => h('label.choice', {},
    h('input', { type: 'checkbox', name, checked: chosen.has(name), onchange: ({ target }) => {
      if (target.checked) chosen.add(name)
      else chosen.delete(name)
      explain().catch((error) => toast(error.message, { bad: true }))
    } }),
    h('span', {}, h('strong', {}, title), h('span.quiet.small', {}, text))))

  explain().catch((error) => toast(error.message, { bad: true }))
  return h('section.card', { 'aria-label': 'Connect an account' },
    h('div.inside.stack', {},
      h('h2', {}, close ? 'Connect another account' : 'Connect your account'),
      h('fieldset', {}, h('legend', {}, 'What will it be used for?'), h('div.grid', {}, choices))),
    h('div.inside', {}, explained),
    h('div.inside.row.buttons', {}, go, close && button('Not now', close, '.plain'),
      h('span.quiet.small.grow', {}, 'You sign in at Microsoft. Passwords never come here.')))
}
