// The Graph client for JavaScript: mail and chats.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import graphClient from '@microsoft/microsoft-graph-client'
import { CryptoProvider, PublicClientApplication } from '@azure/msal-node'
import { authority, control, graph, host, listed, publicApp, redirectUri, visit } from './sim.mjs'

const { BatchRequestContent, Client, FileUpload, LargeFileUploadTask, OneDriveLargeFileUploadTask, PageIterator } = graphClient
const scopes = ['User.Read', 'User.ReadBasic.All', 'Mail.ReadWrite', 'Mail.Send', 'MailboxSettings.ReadWrite', 'Chat.ReadWrite', 'Team.ReadBasic.All', 'Channel.ReadBasic.All', 'ChannelMessage.Send', 'Files.ReadWrite.All']
const adele = 'adele@contoso.com'
const alex = 'alex@contoso.com'

async function signed(who = adele, more = []) {
  const app = new PublicClientApplication({ auth: { clientId: publicApp, authority, knownAuthorities: [host] } })
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes()
  const url = await app.getAuthCodeUrl({ scopes: [...scopes, ...more], redirectUri, codeChallenge: challenge, codeChallengeMethod: 'S256' })
  const { code } = await visit(url, who)
  const { accessToken } = await app.acquireTokenByCode({ code, scopes: [...scopes, ...more], redirectUri, codeVerifier: verifier })
  const baseUrl = new URL(graph).origin
  return Client.init({ authProvider: (done) => done(null, accessToken), baseUrl: `${baseUrl}/`, defaultVersion: 'v1.0', customHosts: new Set([new URL(graph).hostname]) })
}

// Knows no host that gets a token: the address of an upload takes none.
const open = Client.init({ authProvider: (done) => done(null, 'none'), customHosts: new Set() })
const bytes = (size) => new Uint8Array(size).map((_, at) => at % 251)
const file = (name, content) => new FileUpload(content.buffer, name, content.byteLength)

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

test('drafts of answers, moved and copied mail', async () => {
  const client = await signed()
  await control('/mail', { mailbox: adele, subject: 'Plan', from: { address: alex } })
  const [got] = (await client.api('/me/mailFolders/inbox/messages').get()).value
  const reply = await client.api(`/me/messages/${got.id}/createReply`).post({ comment: 'Fine' })
  assert.deepEqual([reply.subject, reply.isDraft, reply.toRecipients[0].emailAddress.address], ['Re: Plan', true, alex])
  const forward = await client.api(`/me/messages/${got.id}/createForward`).post({ toRecipients: to('megan@contoso.com') })
  await client.api(`/me/messages/${forward.id}/send`).post({})
  assert.equal((await listed('megan@contoso.com')).length, 1)
  const copy = await client.api(`/me/messages/${got.id}/copy`).post({ destinationId: 'archive' })
  const moved = await client.api(`/me/messages/${got.id}/move`).post({ destinationId: 'deleteditems' })
  assert.notEqual(copy.id, moved.id)
  assert.deepEqual([await listed(adele), await listed(adele, 'archive'), await listed(adele, 'deleteditems')], [[], ['Plan'], ['Plan']])
})

test('a large attachment by an upload session', async () => {
  const client = await signed()
  const draft = await client.api('/me/messages').post(mail('Film'))
  const content = bytes(4_000_000)
  const item = { attachmentType: 'file', name: 'film.bin', size: content.byteLength }
  const session = await LargeFileUploadTask.createUploadSession(client, `/me/messages/${draft.id}/attachments/createUploadSession`, { AttachmentItem: item })
  const seen = []
  const progress = (range) => seen.push(range.maxValue)
  await new LargeFileUploadTask(open, file('film.bin', content), session, { rangeSize: 10 * 327680, uploadEventHandlers: { progress } }).upload()
  assert.deepEqual(seen, [3276799, 3999999])
  await client.api(`/me/messages/${draft.id}/send`).post({})
  const { items } = await control('/mail/list', { mailbox: alex, hashes: true })
  assert.deepEqual(items[0].files.map((one) => [one.name, one.size]), [['film.bin', 4_000_000]])
})

test('a large file in OneDrive, resumed after its connection broke', async () => {
  await control('/people', { address: adele, admin: true })
  const client = await signed()
  const content = bytes(2_000_000)
  const url = OneDriveLargeFileUploadTask.constructCreateSessionUrl('a b.bin', '/Talks')
  const begin = () => OneDriveLargeFileUploadTask.createUploadSession(client, url, { fileName: 'a b.bin', conflictBehavior: 'rename' })
  const task = new OneDriveLargeFileUploadTask(open, file('a b.bin', content), await begin(), { rangeSize: 2 * 327680 })
  await control('/faults', { match: { method: 'PUT', path: 'uploadSession' }, skip: 1, times: 1, do: { status: 404 } })
  await assert.rejects(task.upload())
  const done = await task.resume()
  assert.deepEqual([done.responseBody.name, done.responseBody.size], ['a b.bin', 2_000_000])
  const again = new OneDriveLargeFileUploadTask(open, file('a b.bin', bytes(5)), await begin(), { rangeSize: 327680 })
  assert.equal((await again.upload()).responseBody.name, 'a b 1.bin')
  const cancelled = new OneDriveLargeFileUploadTask(open, file('a b.bin', bytes(5)), await begin(), { rangeSize: 327680 })
  await cancelled.cancel()
  await client.api('/me/drive/root:/small.txt:/content').put('small')
  const { items } = await control('/drives/list', { person: adele })
  assert.deepEqual(items.map((one) => [one.path, one.size]), [['Talks/a b.bin', 2_000_000], ['Talks/a b 1.bin', 5], ['small.txt', 5]])
})

test('channels, replies in them and their files', async () => {
  await control('/people', { address: adele, admin: true })
  const made = await control('/teams', { name: 'Hiring', members: [adele, alex] })
  const client = await signed(adele, ['ChannelMessage.Read.All']) // an administrator
  const [team] = (await client.api('/me/joinedTeams').get()).value
  const [channel] = (await client.api(`/teams/${team.id}/channels`).get()).value
  const messages = `/teams/${team.id}/channels/${channel.id}/messages`
  const folder = await client.api(`/teams/${team.id}/channels/${channel.id}/filesFolder`).get()
  const items = `/drives/${folder.parentReference.driveId}/items`
  const put = await client.api(`${items}/${folder.id}:/cv.txt:/content`).put('cv')
  const { eTag, webDavUrl } = await client.api(`${items}/${put.id}`).select('eTag,webDavUrl').get()
  const id = eTag.match(/[0-9A-F-]{36}/i)[0].toLowerCase()
  const body = { contentType: 'html', content: `See <attachment id="${id}"></attachment>` }
  const post = await client.api(messages).post({ body, attachments: [{ id, contentType: 'reference', contentUrl: webDavUrl, name: 'cv.txt' }] })
  await control('/clock', { advance_ms: 2000 })
  const reply = await client.api(`${messages}/${post.id}/replies`).post({ body: { content: 'Thanks' } })
  assert.equal(reply.replyToId, post.id)
  assert.equal((await client.api(`${messages}/${post.id}/replies`).get()).value.length, 1)
  assert.equal((await client.api(messages).get()).value[0].attachments[0].name, 'cv.txt')
  assert.equal(made.id, team.id)
})

test('a mail as MIME', async () => {
  const client = await signed()
  const mime = ['To: alex@contoso.com', 'Subject: As MIME', '', 'Hello'].join('\r\n')
  await client.api('/me/sendMail').header('Content-Type', 'text/plain').post(Buffer.from(mime).toString('base64'))
  assert.deepEqual(await listed(alex), ['As MIME'])
})
