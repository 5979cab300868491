// Settings → Integrations: connect Microsoft 365, and all accounts that are connected.

import { accountCard } from './account.js'
import { connectPanel } from './connect.js'
import { fill, h } from './dom.js'

export function settingsPage(refresh) {
  const cards = new Map()
  const list = h('div', {})
  const place = h('div', {})
  let isOpen = false
  let known = []

  const panel = () => fill(place, [known.length === 0, isOpen], () => {
    if (known.length === 0) return connectPanel()
    if (isOpen) return connectPanel(() => {
      isOpen = false
      panel()
    })
    return h('button', { type: 'button', onclick: () => {
      isOpen = true
      panel()
      place.querySelector('input')?.focus()
    } }, 'Connect another account')
  })

  const element = h('div', {},
    h('h1', {}, 'Integrations'),
    h('p.lead', {}, 'Connect the mailboxes you work with. You can disconnect them at any time, and we never see your password.'),
    h('div.provider', {}, h('img', { src: '/static/microsoft.svg', alt: '', width: 24, height: 24 }), h('h2', {}, 'Microsoft 365')),
    list, place)

  return {
    title: 'Integrations',
    element,
    show({ items }) {
      known = items
      for (const account of items) {
        if (!cards.has(account.id)) {
          cards.set(account.id, accountCard(account, refresh))
          list.append(cards.get(account.id).element)
        }
        cards.get(account.id).show(account, items)
      }
      panel()
    },
    progress(backfill) {
      cards.get(backfill.account_id)?.progress(backfill)
    },
  }
}
