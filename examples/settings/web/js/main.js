// Which page is shown, the side bar, and news of the accounts.

import { get, listen, session } from './api.js'
import { candidatePage } from './candidate.js'
import { h, toast } from './dom.js'
import { settingsPage } from './settings.js'
import { worstText } from './words.js'

const main = document.getElementById('main')
let about
let page

/** The accounts, asked for once at a time; whoever asks meanwhile gets the answer after that. */
let asking
let again = false
async function refresh() {
  if (asking) {
    again = true
    return asking
  }
  asking = (async () => {
    do {
      again = false
      const accounts = await get('/accounts')
      showWorst(accounts.badge)
      page?.show?.(accounts)
    } while (again)
  })().finally(() => (asking = null))
  return asking
}

function showWorst(badge) {
  const dot = document.getElementById('worst')
  dot.className = `dot ${badge ?? 'none'}`
  dot.setAttribute('aria-label', worstText(badge))
  dot.title = worstText(badge)
}

async function route() {
  const hash = location.hash || '#/settings/integrations'
  const [, where, id] = hash.split('/')
  for (const link of document.querySelectorAll('.side-list a')) {
    if (link.getAttribute('href') === hash) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  page = where === 'candidates' ? candidatePage(id, refresh) : settingsPage(refresh)
  main.replaceChildren(page.element)
  document.title = `${page.title} – Hiring desk`
  await refresh()
}

/** What a page shows is asked for anew a moment after the last of many news. */
let soon
function heard(event) {
  if (event.type === 'backfill') page?.progress?.(event.backfill)
  clearTimeout(soon)
  soon = setTimeout(() => refresh().catch(() => {}), 250)
}

async function start() {
  about = await session()
  const list = document.getElementById('candidates')
  list.replaceChildren(...about.candidates.map(({ id, name }) => h('li', {}, h('a', { href: `#/candidates/${id}` }, name))))
  window.addEventListener('hashchange', () => {
    document.getElementById('toasts').replaceChildren()
    route().then(() => main.focus()).catch(told)
  })
  await route()
  if (about.notice) toast(about.notice.text, { bad: about.notice.kind === 'problem' })
  listen(heard)
}

const told = (error) => toast(error.message, { bad: true })
start().catch((error) => {
  main.replaceChildren(h('div.note.bad', { role: 'alert' }, error.message))
})
