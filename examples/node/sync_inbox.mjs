// Syncs a mailbox, reads it, marks a mail as read, and picks up what is new.

import { Engine } from 'tidings'
import { config, control, rootKey, signInAs } from './support.mjs'

const engine = Engine.open(config(), rootKey())
const signIn = await engine.connect({ owner: 'recruiter-42', features: ['mail_sync'], redirectUri: 'http://localhost/callback' })
const account = await engine.finishConnect(await signInAs(signIn.url, 'adele@contoso.com'), signIn.binding)

let report = await engine.sync(account.id)
console.log(`first sync: ${report.added} added`)

// From here on nothing waits for the network but `sync`; `markRead` tells the mailbox in the background.
const { items } = await engine.messages({ accountId: account.id, folder: 'inbox', limit: 5 })
for (const { subject, fromAddress } of items) console.log(`- ${subject} (${fromAddress?.name ?? 'nobody'})`)
const [newest] = items
const thread = await engine.thread(newest.id)
console.log(`conversation: ${thread.subject}, ${thread.messages.length} mails`)
const { text } = await engine.body(newest.id, null, 'text')
console.log(`text: ${text.trim()}`)

// Where the owner's change feed stands now; what comes after it is news.
const cursor = (await engine.changes({ owner: 'recruiter-42' }).ready(1000)).at(-1).cursor
const { isRead } = await engine.markRead(newest.id, true)
console.log(`marked as ${isRead ? 'read' : 'unread'}`)

await control('mail', {
  mailbox: 'adele@contoso.com',
  subject: 'One more question',
  text: 'Is parking available?',
  from: { name: 'Fred Fabrikam', address: 'fred@fabrikam.com' },
  to: [{ name: 'Adele Vance', address: 'adele@contoso.com' }],
})
report = await engine.sync(account.id)
console.log(`second sync: ${report.added} added, ${report.changed} changed`)
for (const { kind } of await engine.changes({ owner: 'recruiter-42', cursor }).ready(1000)) console.log(`news: ${kind}`)

await engine.close()
