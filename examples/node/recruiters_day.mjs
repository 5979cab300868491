// A recruiter's day: an invitation with a PDF, found again by the candidate's key with its answer, a reply in its thread, a group chat with the
// interviewers, a card in the team's channel, and a campaign of forty mails from one template, of which one is taken back.

import { channelPost, chat, Engine, mail, reply } from 'tidings'
import { config, control, rootKey, signInAs } from './support.mjs'

const owner = 'recruiter-42'
await control('teams', { name: 'Hiring', members: ['adele@contoso.com', 'alex@contoso.com'], channels: [{ name: 'Candidates' }] })
const engine = Engine.open(config(), rootKey())
const features = ['chat', 'channels', 'mail_send', 'mail_sync']
const signIn = await engine.connect({ owner, features, redirectUri: 'http://localhost/callback' })
const { id: accountId } = await engine.finishConnect(await signInAs(signIn.url, 'adele@contoso.com'), signIn.binding)
const state = async (draft) => (await engine.send(draft)).state

await engine.setSignature(accountId, { text: 'Adele Vance, Contoso', html: '<b>Adele Vance</b>, Contoso' })

const invitation = {
  accountId,
  to: { address: 'megan@contoso.com', name: 'Megan Bowen' },
  subject: 'Interview on Thursday',
  body: 'Dear Megan, **Thursday at 3** it is. The way is attached.',
  bodyType: 'markdown',
  attachments: [{ name: 'way.pdf', content: Buffer.from('%PDF-1.7'), contentType: 'application/pdf' }],
  key: 'candidate-7/invitation',
  addSignature: true,
  link: 'candidate-7',
}
const sent = await engine.send(mail(invitation))
console.log(`invitation with a PDF: ${sent.state}`)

await control('mail', {
  mailbox: 'adele@contoso.com',
  conversation_of: sent.graphId,
  subject: 'Re: Interview on Thursday',
  text: 'Gladly. Is there a place to park?',
  from: { name: 'Megan Bowen', address: 'megan@contoso.com' },
  to: [{ name: 'Adele Vance', address: 'adele@contoso.com' }],
})
await engine.sync(accountId)
const [question] = (await engine.messages({ accountId, folder: 'inbox', limit: 1 })).items
console.log(`Megan wrote: ${question.subject}`)
console.log(`reply in the thread: ${await state(reply({ accountId, messageId: question.id, body: 'In the yard, place 7.' }))}`)
const linked = await engine.messages({ owner, link: 'candidate-7' })
console.log(`linked to candidate-7: ${linked.items.map(({ subject }) => subject).sort().join(', ')}`)

const panel = {
  accountId,
  members: ['alex@contoso.com', 'nestor@contoso.com'],
  topic: 'Panel for Megan Bowen',
  body: 'Thursday at 3. Who asks about the last project?',
}
console.log(`group chat with the interviewers: ${await state(chat(panel))}`)

const hiring = (await engine.allChannels(accountId)).find((one) => one.team.name === 'Hiring')
const channel = hiring.channels.find((one) => one.name === 'Candidates')
const card = {
  type: 'AdaptiveCard',
  version: '1.4',
  body: [
    { type: 'TextBlock', text: 'Megan Bowen', weight: 'Bolder' },
    { type: 'FactSet', facts: [{ title: 'When', value: 'Thursday at 3' }] },
  ],
}
const post = { accountId, teamId: channel.teamId, channelId: channel.id, cards: [JSON.stringify(card)] }
console.log(`card in the channel: ${await state(channelPost(post))}`)

// A campaign: forty mails of one template in one step; the last one waits until tomorrow, and is not wanted by then.
const tomorrow = new Date(Date.now() + 24 * 60 * 60 * 1000)
const mails = Array.from({ length: 40 }, (_, at) =>
  mail({
    accountId,
    to: `candidate${at + 1}@fabrikam.com`,
    subject: 'We are hiring again',
    body: 'Dear {{ candidate.name }}, would you like to hear more?',
    mergeFields: { 'candidate.name': `Candidate ${at + 1}` },
    addSignature: true,
    key: `campaign-3/${at + 1}`,
    sendAt: at === 39 ? tomorrow : undefined,
  }),
)
const receipts = await engine.enqueueAll(mails)
await engine.cancel(receipts.at(-1).id)
const ids = new Set(receipts.map((receipt) => receipt.id))
const count = async (wanted) => (await engine.outbox({ accountId, state: wanted, limit: 1000 })).filter(({ id }) => ids.has(id)).length
// The feed tells of every change, so that nobody has to ask again and again.
const feed = engine.changes({ owner })
while ((await count('sent')) < 39) await feed.next(100)
console.log(`campaign: ${await count('sent')} sent, ${await count('cancelled')} cancelled`)
await engine.close()
