// The Graph client for JavaScript: mail and chats.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import graphClient from '@microsoft/microsoft-graph-client'
import { CryptoProvider, PublicClientApplication } from '@azure/msal-node'
import { authority, control, graph, host, listed, publicApp, redirectUri, visit } from './sim.mjs'

const { BatchRequestContent, Client, PageIterator } = graphClient
const scopes = ['User.Read', 'User.ReadBasic.All', 'Mail.ReadWrite', 'Mail.Send', 'MailboxSettings.ReadWrite', 'Chat.ReadWrite']
const adele = 'adele@contoso.com'
const alex = 'alex@contoso.com'

async function signed(who = adele) {
  const app = new PublicClientApplication({ auth: { clientId: publicApp, authority, knownAuthorities: [host] } })
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes()
  const url = await app.getAuthCodeUrl({ scopes, redirectUri, codeChallenge: challenge, codeChallengeMethod: 'S256' })
  const { code } = await visit(url, who)
  const { accessToken } = await app.acquireTokenByCode({ code, scopes, redirectUri, codeVerifier: verifier })
  const baseUrl = new URL(graph).origin
  return Client.init({ authProvider: (done) => done(null, accessToken), baseUrl: `${baseUrl}/`, defaultVersion: 'v1.0', customHosts: new Set([new URL(graph).hostname]) })
}

const to = (...all) => all.map((address) => ({ emailAddress: { address } }))
const mail = (subject) => ({ subject, body: { contentType: 'Text', content: 't' }, toRecipients: to(alex) })

beforeEach(() => control('/reset'))

test('lists, pages, counts and searches', async () => {
  const client = await signed()
  await control('/mail/many', { mailbox: adele, count: 25, subject: 'M' })
  const page = await client.api('/me/messages').select('subject').top(10).count(true).get()
  assert.deepEqual([page['@odata.count'], page.value.length], [25, 10])
  let seen = 0
  await new PageIterator(client, page, () => ++seen > 0).iterate()
  assert.equal(seen, 25)
  const found = await client.api('/me/messages').search('"subject:\\"M 7\\""').get()
  assert.deepEqual(found.value.map((m) => m.subject), ['M 7'])
  const sorted = await client.api('/me/messages').orderby('subject').top(1).get()
  assert.equal(sorted.value[0].subject, 'M 1')
  await assert.rejects(client.api('/me/messages').filter('nonsense eq 1').get(), { statusCode: 400 })
})

test('delta', async () => {
  const client = await signed()
  await control('/mail/many', { mailbox: adele, count: 12, subject: 'M' })
  let page = await client.api('/me/mailFolders/inbox/messages/delta').get()
  let seen = page.value.length
  while (page['@odata.nextLink']) {
    page = await client.api(page['@odata.nextLink']).get()
    seen += page.value.length
  }
  assert.equal(seen, 12)
  await control('/mail', { mailbox: adele, subject: 'New' })
  const later = await client.api(page['@odata.deltaLink']).get()
  assert.deepEqual(later.value.map((m) => m.subject), ['New'])
})

test('sends, answers and forwards', async () => {
  const client = await signed()
  await client.api('/me/sendMail').post({ Message: mail('At once'), SaveToSentItems: false })
  assert.deepEqual([await listed(alex), await listed(adele, 'sentitems')], [['At once'], []])
  const draft = await client.api('/me/messages').post(mail('Draft'))
  await client.api(`/me/messages/${draft.id}/attachments`).post({ '@odata.type': '#microsoft.graph.fileAttachment', name: 'a.txt', contentBytes: 'aGk=' })
  assert.equal((await client.api(`/me/messages/${draft.id}/attachments`).get()).value[0].name, 'a.txt')
  await client.api(`/me/messages/${draft.id}/send`).post({})
  assert.deepEqual(await listed(alex), ['At once', 'Draft'])
  const other = await signed(alex)
  const [got] = (await other.api('/me/mailFolders/inbox/messages').get()).value
  await other.api(`/me/messages/${got.id}/reply`).post({ Comment: 'Thanks' })
  await other.api(`/me/messages/${got.id}/forward`).post({ ToRecipients: to('megan@contoso.com') })
  assert.equal((await listed('megan@contoso.com')).length, 1)
})

test('folders, categories and settings', async () => {
  const client = await signed()
  const folder = await client.api('/me/mailFolders').post({ displayName: 'Work' })
  await client.api(`/me/mailFolders/${folder.id}`).patch({ displayName: 'Job' })
  const copy = await client.api(`/me/mailFolders/${folder.id}/copy`).post({ DestinationId: 'archive' })
  assert.equal(copy.displayName, 'Job')
  await client.api(`/me/mailFolders/${folder.id}`).delete()
  await client.api('/me/outlook/masterCategories').post({ displayName: 'Later', color: 'preset1' })
  assert.equal((await client.api('/me/mailboxSettings').get()).timeZone, 'UTC')
  await assert.rejects(client.api('/me/photo/$value').get(), { statusCode: 404, code: 'ImageNotFound' })
  await assert.rejects(client.api('/me/events').get(), { statusCode: 501, code: 'SimulatorLacks' })
})

test('chats, and a batch', async () => {
  const client = await signed()
  const member = (who) => ({ '@odata.type': '#microsoft.graph.aadUserConversationMember', roles: ['owner'], 'user@odata.bind': `${graph}/users('${who}')` })
  const chat = await client.api('/chats').post({ chatType: 'oneOnOne', members: [member(adele), member(alex)] })
  await client.api(`/chats/${chat.id}/messages`).post({ body: { content: 'Hello' } })
  const said = await client.api(`/chats/${chat.id}/messages`).get()
  assert.deepEqual(said.value.map((m) => m.body.content), ['Hello'])
  // The client puts what follows the host into the batch, where paths have no version.
  const request = (id, path) => ({ id, request: new Request(`${new URL(graph).origin}${path}`) })
  const batch = new BatchRequestContent([request('1', '/me'), request('2', '/me/chats')])
  const answers = await client.api('/$batch').post(await batch.getContent())
  assert.deepEqual(answers.responses.map((r) => r.status), [200, 200])
})
