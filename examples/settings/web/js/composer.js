// A mail to a candidate: from whom, template, text, signature, attachments, and when.

import { post, upload } from './api.js'
import { busy, button, field, h, toast } from './dom.js'
import { bytes, moment } from './words.js'

/** `message`: the mail that is answered, or none. `done` is called once it is sent, scheduled or given up. */
export function composer({ candidate, senders, last, templates }, message, done) {
  // It stands for this mail, however often the button is pressed.
  const key = crypto.randomUUID()
  // An answer leaves from the mailbox in which the mail is.
  const offered = message ? senders.filter(({ id }) => id === message.account_id) : senders
  const chosen = offered.find(({ id }) => id === last) ?? offered[0]
  const from = h('select', { required: true }, offered.map(({ id, address, display_name: name, kind }) => h('option', { value: id, selected: id === chosen?.id }, `${name && name !== address ? `${name} – ` : ''}${address}${kind === 'shared_mailbox' ? ' (shared)' : ''}`)))
  const template = h('select', {}, h('option', { value: '' }, 'None'), templates.map(({ id, name }) => h('option', { value: id }, name)))
  const subject = h('input', { type: 'text', required: true, maxLength: 255, autocomplete: 'off' })
  const body = h('textarea', { rows: 10, required: true })
  const signature = h('input', { type: 'checkbox' })
  const at = h('input', { type: 'datetime-local' })
  const picker = h('input', { type: 'file', multiple: true })
  const list = h('ul.files', { 'aria-label': 'Attachments' })
  const send = h('button.primary', { type: 'submit' }, 'Send')
  let files = []
  let waiting = 0

  const showFiles = () => list.replaceChildren(...files.map((file) => h('li', {}, `${file.name} · ${bytes(file.size)}`,
    h('button', { type: 'button', 'aria-label': `Remove ${file.name}`, onclick: () => {
      files = files.filter((other) => other !== file)
      showFiles()
    } }, '×'))))
  const ready = () => {
    send.disabled = waiting > 0 || !from.value
    send.textContent = waiting > 0 ? 'Attaching…' : at.value ? 'Schedule' : 'Send'
  }

  template.addEventListener('change', () => busy(template, async () => {
    if (!template.value) return
    const filled = await post(`/candidates/${candidate.id}/fill`, { template: template.value, account_id: from.value })
    subject.value = filled.subject
    body.value = filled.body
  }))
  at.addEventListener('input', ready)
  picker.addEventListener('change', async () => {
    const picked = [...picker.files]
    picker.value = ''
    for (const file of picked) {
      waiting++
      ready()
      try {
        const query = new URLSearchParams({ account: from.value, name: file.name, type: file.type || 'application/octet-stream' })
        files.push({ ...await upload(`/attachments?${query}`, file), size: file.size })
        showFiles()
      } catch (error) {
        toast(`${file.name}: ${error.message}`, { bad: true })
      }
      waiting--
      ready()
    }
  })
  // An attachment lies with the account it was handed over for.
  from.addEventListener('change', () => {
    if (files.length > 0) toast('Attach the files again: they belong to the other sender.', { bad: true })
    files = []
    showFiles()
  })

  const form = h('form.card', { 'aria-label': message ? 'Reply' : 'New mail' },
    h('div.inside.stack', {},
      h('h2', {}, message ? `Reply to ${message.from_address?.name || message.from_address?.address || 'this mail'}` : `Mail to ${candidate.name}`),
      h('div.grid', {}, field('From', from), !message && field('Template', template)),
      !message && field('Subject', subject),
      field('Message', body),
      h('label.choice', {}, signature, h('span', {}, 'Add the signature of this account')),
      h('div.grid', {}, field('Attach files', picker), field('Send at', at, 'Leave it empty to send at once.')),
      list),
    h('div.inside.row.buttons', {}, send, button('Discard', done, '.plain')))
  if (message) subject.required = false
  if (!chosen) send.disabled = true

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    busy(send, async () => {
      const { state, reason } = await post(`/candidates/${candidate.id}/send`, {
        account_id: from.value, subject: subject.value, body: body.value, add_signature: signature.checked, key, reply_to: message?.id,
        send_at: at.value ? new Date(at.value).toISOString() : undefined,
        attachments: files.map(({ name, content_type, staged }) => ({ name, content_type, staged })),
      })
      if (state === 'failed' || state === 'unknown') toast(reason ?? 'It was not sent.', { bad: true })
      else toast(at.value ? `It leaves ${moment(at.value)}.` : state === 'sent' ? 'Sent.' : 'It is on its way.')
      await done()
    })
  })
  return { key, element: form, focus: () => (message ? body : from).focus() }
}
