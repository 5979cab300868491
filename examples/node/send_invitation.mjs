// Invites to an interview: a Teams message to a colleague, a mail to the candidate, each sent once however often it is asked for.

import { chat, ConflictError, Engine, mail } from 'tidings'
import { config, control, rootKey, signInAs } from './support.mjs'

const engine = Engine.open(config(), rootKey())
const signIn = await engine.connect({ owner: 'recruiter-42', features: ['chat', 'mail_send'], redirectUri: 'http://localhost/callback' })
const account = await engine.finishConnect(await signInAs(signIn.url, 'adele@contoso.com'), signIn.binding)

const panel = {
  accountId: account.id,
  to: 'alex@contoso.com',
  body: 'Interview with Megan on Thursday at 3. Can you join?',
  key: 'candidate-7/panel',
}
console.log(`Teams message to Alex: ${(await engine.send(chat(panel))).state}`)

// The key says which invitation this is. Use one that your program finds again after a crash.
const invitation = {
  accountId: account.id,
  to: { address: 'megan@contoso.com', name: 'Megan Bowen' },
  subject: 'Interview on Thursday',
  body: 'Dear Megan, we look forward to meeting you on Thursday at 3.',
  key: 'candidate-7/invitation',
}
const first = await engine.send(mail(invitation))
console.log(`mail to Megan: ${first.state}`)
const second = await engine.send(mail(invitation))
console.log(`the same mail again: ${second.state}, ${second.id === first.id ? 'same receipt' : 'another receipt'}`)

try {
  await engine.send(mail({ ...invitation, body: 'Dear Megan, we have to cancel.' }))
} catch (error) {
  if (!(error instanceof ConflictError)) throw error
  console.log(`another mail under the same key: ${error.kind}`)
}

const inbox = await control('mail/list', { mailbox: 'megan@contoso.com', folder: 'inbox' })
console.log(`mails in Megan's inbox: ${inbox.total}`)
await engine.close()
