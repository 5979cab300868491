// What the inbox page of an app does: one list of the conversations of all of a recruiter's mailboxes, a conversation with its attachment, an answer, and a
// link to the candidate.

import { Engine, reply } from 'tidings'
import { config, control, rootKey, signInAs } from './support.mjs'

const owner = 'recruiter-42'
const engine = Engine.open(config(), rootKey())

async function connect(address) {
  const signIn = await engine.connect({ owner, features: ['mail_send', 'mail_sync'], redirectUri: 'http://localhost/callback' })
  await engine.finishConnect(await signInAs(signIn.url, address), signIn.binding)
}

async function show(query) {
  for (const { subject, messages, unread, links } of (await engine.threads({ owner, ...query })).items) {
    console.log(`- ${subject} (${messages} mails, ${unread} unread)${links.length ? ` [${links.join(', ')}]` : ''}`)
  }
}

await control('mail', {
  mailbox: 'adele@contoso.com',
  subject: 'Application: designer',
  text: 'Dear Adele,\nmy papers are attached.\nFred',
  from: { name: 'Fred Fabrikam', address: 'fred@fabrikam.com' },
  attachments: [{ name: 'cv.txt', content_type: 'text/plain', text: 'Ten years of design.' }],
})
await control('mail', { mailbox: 'megan@contoso.com', subject: 'Figures of May', from: { name: 'Alex', address: 'alex@contoso.com' }, received: '2025-05-31T10:00:00Z' })
await connect('adele@contoso.com')
await connect('megan@contoso.com')
await engine.syncAll(owner)

console.log('inbox of both mailboxes:')
await show({ folder: 'inbox' })

const [{ newest }] = (await engine.threads({ owner, folder: 'inbox' })).items
const { text } = await engine.body(newest.id, null, 'text')
console.log(`${newest.fromAddress.name}: ${text.split('\n')[1].trim()}`)
for (const file of newest.attachments) {
  const content = await engine.attachment(newest.id, file.id)
  console.log(`attached: ${file.name}, "${Buffer.from(await content.body())}"`)
}

await engine.markRead(newest.id, true)
await engine.link([newest.id], 'candidate-7')
const answer = await engine.send(reply({ accountId: newest.accountId, messageId: newest.id, body: 'Thank you. Is Thursday at 3 good?' }))
console.log(`answer: ${answer.state}`)
await engine.sync(newest.accountId)

console.log('what there is of candidate-7:')
await show({ link: 'candidate-7' })
await engine.close()
