// An administrator has to approve: the ready text, the sheet for IT, and the way on afterwards.

import { post } from './api.js'
import { button, copyable, h } from './dom.js'

/** `signIn` sends the person to Microsoft again, once it is approved. */
export function approvalSection(id, signIn) {
  const place = h('div.stack', {}, h('p.quiet', {}, 'Loading…'))

  async function load() {
    const { url, justification, sheet } = await post(`/accounts/${id}/approval`)
    const file = URL.createObjectURL(new Blob([sheet], { type: 'text/markdown' }))
    place.replaceChildren(
      h('p', {}, 'In your organisation an administrator decides which apps may be used. Nothing is accessed until then. There are two ways to ask:'),
      h('h3', {}, '1. In Microsoft’s own window'),
      h('p.quiet', {}, 'If Microsoft asked you for a justification, this text fits its box.'),
      copyable('Text for the request', justification, 4),
      h('h3', {}, '2. By a message to your IT department'),
      h('p.quiet', {}, 'The sheet tells what is asked for and why, what is not accessed, and what to do.'),
      copyable('Sheet for IT', sheet, 12, '.sheet'),
      h('div.row.buttons', {}, h('a.button', { href: file, download: 'approval.md' }, 'Save the sheet'), h('a.button', { href: url, rel: 'noreferrer' }, 'I am the administrator: approve now')),
      h('p', {}, 'Has it been approved? Then sign in once more, and you are done.'),
      h('div.row.buttons', {}, button('Sign in again', signIn, '.primary')))
  }

  load().catch((error) => {
    place.replaceChildren(h('p.note.bad', {}, error.message), button('Sign in again', signIn, '.primary'))
  })
  return h('section.inside', { 'aria-label': 'Approval' }, h('h2', {}, 'Approval is needed'), place)
}
