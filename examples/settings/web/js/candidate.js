// The page of a candidate: the mail with them, thread by thread, and the composer.

import { get, post } from './api.js'
import { composer } from './composer.js'
import { button, fill, h, toast } from './dom.js'
import { ago, bytes, moment, plural } from './words.js'

const who = (address) => address?.name || address?.address || 'Unknown sender'

/** One mail: its HTML is shown in a frame of its own, in which no script runs and nothing is loaded. */
function mailElement(message, reply) {
  const at = message.received_at ?? message.sent_at
  const files = message.attachments.filter(({ kind }) => kind !== 'reference')
  return h('article.mail', { 'aria-label': `Mail of ${who(message.from_address)}` },
    h('header', {}, h('div.row.spread', {}, h('strong', {}, who(message.from_address)), at && h('time.quiet.small', { dateTime: at, title: moment(at) }, ago(at))),
      h('div.quiet.small', {}, `to ${[...message.to, ...message.cc].map(who).join(', ') || 'nobody'}`)),
    h('iframe', { sandbox: 'allow-popups allow-popups-to-escape-sandbox', src: `/api/messages/${message.id}/body`, title: `Mail of ${who(message.from_address)}`, loading: 'lazy' }),
    h('footer.row.spread', {},
      h('ul.files', {}, files.map((file) => h('li', {}, h('a', { href: `/api/messages/${message.id}/attachments/${encodeURIComponent(file.id)}`, download: file.name }, file.name), h('span.quiet.small', {}, bytes(file.size))))),
      button('Reply', () => reply(message))))
}

/** A conversation in the list; its mails are asked for when it is opened. */
function threadElement(thread, reply) {
  const place = h('div', { hidden: true })
  const at = thread.newest.received_at ?? thread.newest.sent_at
  const head = h('button.thread-head', { type: 'button', 'aria-expanded': 'false' },
    h('span.row.spread', {}, h('span.subject', {}, thread.subject || 'Without a subject'), at && h('time.quiet.small', { dateTime: at }, ago(at))),
    h('span.preview', {}, thread.newest.preview),
    h('span.quiet.small', {}, plural(thread.messages, 'message'), thread.unread ? ` · ${thread.unread} unread` : '', thread.has_attachments ? ' · with attachments' : ''))
  head.addEventListener('click', async () => {
    const open = place.hidden
    place.hidden = !open
    head.setAttribute('aria-expanded', String(open))
    if (!open) return
    try {
      const { messages } = await get(`/messages/${thread.newest.id}/thread`)
      place.replaceChildren(...messages.filter(({ is_draft: draft }) => !draft).map((message) => mailElement(message, reply)))
    } catch (error) {
      toast(error.message, { bad: true })
    }
  })
  return h('li', {}, head, place)
}

export function candidatePage(id, refresh) {
  const heading = h('div', {}, h('h1', {}, 'Candidate'))
  const write = h('div')
  const outbox = h('div')
  const threads = h('div')
  const element = h('div', {}, heading, write, outbox, threads)
  let open = null
  let latest = null
  // Threads as they were last drawn: those that did not change stay as they are, opened or not.
  const drawn = new Map()

  /** The composer, for a new mail or an answer. It keeps what is in it, whatever the page shows meanwhile. */
  function compose(about, message) {
    open = composer(about, message, async () => {
      open = null
      await load()
    })
    write.dataset.key = ''
    fill(write, ['open', open.key], () => open.element)
    open.focus()
  }

  function show(about) {
    latest = about
    const { candidate, senders } = about
    fill(heading, candidate, () => [h('h1', {}, candidate.name), h('p.lead', {}, `${candidate.job} · ${candidate.stage} · ${candidate.address}`)])
    if (!open) {
      fill(write, [senders.map(({ id }) => id)], () => senders.length > 0
        ? h('p', {}, button('Write a mail', () => compose(latest, null), '.primary'))
        : h('div.note', {}, h('p', {}, 'Connect an account that sends mail, and you can write from here.'), h('a.button.primary', { href: '#/settings/integrations' }, 'Open Integrations')))
    }
    fill(outbox, about.outbox, () => about.outbox.length > 0 && h('section.card', { 'aria-label': 'Not sent yet' }, h('div.inside.stack', {}, h('h2', {}, 'Not sent yet'), about.outbox.map(waiting))))
    fill(threads, about.threads, () => h('section.card', { 'aria-label': 'Mail' }, h('div.inside', {}, h('h2', {}, 'Mail')),
      about.threads.length > 0
        ? h('ul.threads', {}, about.threads.map((thread) => keep(thread, about)))
        : h('div.inside.quiet', {}, 'There is no mail with this candidate yet. It appears here by itself once it is synced.')))
  }

  function keep(thread, about) {
    const key = `${thread.account_id} ${thread.conversation_id || thread.newest.id}`
    const text = JSON.stringify(thread)
    const before = drawn.get(key)
    if (before?.text === text) return before.element
    const element = threadElement(thread, (message) => compose(latest ?? about, message))
    if (before?.element.querySelector('[aria-expanded="true"]')) element.querySelector('.thread-head').click()
    drawn.set(key, { text, element })
    return element
  }

  function waiting(receipt) {
    const scheduled = receipt.state === 'queued' && receipt.next_attempt_at
    const text = scheduled ? `Leaves ${moment(receipt.next_attempt_at)}` : { queued: 'On its way', sending: 'On its way', failed: 'Not sent', unknown: 'It is not known whether it was sent' }[receipt.state]
    return h('div.row.spread', {}, h('div.grow', {}, h('strong', {}, receipt.route === 'reply' ? 'Reply' : 'Mail'), ` · ${text}`, receipt.reason && !scheduled && h('div.quiet.small', {}, receipt.reason)),
      receipt.state === 'queued' && button('Cancel', async () => {
        await post(`/receipts/${receipt.id}/cancel`)
        toast('It is cancelled and will not be sent.')
        await load()
      }))
  }

  const load = async () => show(await get(`/candidates/${id}`))
  return { title: 'Candidate', element, show: () => load().catch((error) => toast(error.message, { bad: true })), refresh }
}
