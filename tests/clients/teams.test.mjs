// Microsoft's Teams SDK for Node: it writes to people and channels through the Connector, and takes what the Connector posts and nothing else.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { beforeEach, test } from 'node:test'
import { setTimeout as pass } from 'node:timers/promises'
import { ConfidentialClientApplication } from '@azure/msal-node'
import { PUBLIC, withOverrides } from '@microsoft/teams.api'
import { App, ExpressAdapter } from '@microsoft/teams.apps'
import { control, host, login, password, place, secretApp } from './sim.mjs'

const adele = 'adele@contoso.com'
const quiet = { error() {}, warn() {}, info() {}, debug() {}, trace() {}, log() {}, child: () => quiet }

// Its own way, a client secret, asks login.microsoftonline.com whether the cloud's login is one that it knows.
async function token(scope) {
  const auth = { clientId: secretApp, clientSecret: password, authority: `${login}/botframework.com`, knownAuthorities: [host] }
  const { accessToken } = await new ConfidentialClientApplication({ auth }).acquireTokenByClientCredential({ scopes: [scope] })
  return accessToken
}

async function bot(httpServerAdapter) {
  const cloud = withOverrides(PUBLIC, { loginEndpoint: login, openIdMetadataUrl: `${place.bot}/v1/.well-known/openidconfiguration` })
  const app = new App({ clientId: secretApp, token, cloud, serviceUrl: `${place.bot}/teams`, logger: quiet, httpServerAdapter })
  await app.initialize()
  return app
}

beforeEach(() => control('/reset'))

test('a conversation with a person', async () => {
  const app = await bot()
  const { conversations } = app.api
  const { id } = await control('/bot/user', { person: adele })
  const tenantId = (await control('/tenants', { domain: 'contoso.com' })).id
  const asked = { members: [{ id }], tenantId, channelData: { tenant: { id: tenantId } } }
  await assert.rejects(conversations.create(asked), ({ response }) => response.data.error.code === 'BotNotInConversationRoster')
  await control('/bot/install', { person: adele })
  const made = await conversations.create(asked)
  const first = await app.send(made.id, 'Hello')
  await conversations.updateActivity(made.id, first.id, { type: 'message', text: 'Hello!' })
  await app.send(made.id, 'More')
  await conversations.deleteActivity(made.id, first.id)
  assert.equal((await conversations.getMemberById(made.id, id)).email, adele)
  const said = (await control('/bot/messages', { person: adele })).items
  assert.deepEqual(said.map((m) => [m.text, m.is_edited, m.is_deleted]), [['Hello!', true, true], ['More', false, false]])
})

test('a team and a thread', async () => {
  const team = await control('/teams', { name: 'Sales', members: [adele], channels: [{ name: 'Deals' }] })
  const [general, deals] = team.channels.map((channel) => channel.id)
  await control('/bot/install', { team: 'Sales' })
  await control('/bot/roster', { team: 'Sales', members: 70 })
  const app = await bot()
  assert.equal((await app.api.teams.getById(general)).aadGroupId, team.id)
  assert.deepEqual((await app.api.teams.getConversations(general)).map((channel) => channel.id), [general, deals])
  const page = await app.api.conversations.getPagedMembers(general, 50)
  const last = await app.api.conversations.getPagedMembers(general, 50, page.continuationToken)
  assert.deepEqual([page.members.length, last.members.length, last.continuationToken], [50, 20, undefined])
  const head = await app.send(deals, 'News')
  await app.reply(deals, head.id, 'More of it')
  assert.deepEqual((await control('/bot/messages', { team: 'Sales' })).items.map((m) => [m.text, m.is_reply]), [['News', false], ['More of it', true]])
})

// What the bot answered to the last post.
async function status() {
  for (;;) {
    const last = (await control('/bot/posts')).items.at(-1)
    if (last.status !== null) return last.status
    await pass(10)
  }
}

test('what the Connector posts is proven, and nothing else', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const heard = []
  const app = await bot(new ExpressAdapter(server, { logger: quiet }))
  app.on('message', async ({ activity, send }) => {
    heard.push(activity.text)
    await send(`You said: ${activity.text}`)
  })
  await control('/bot/endpoint', { url: `http://127.0.0.1:${server.address().port}/api/messages` })
  await control('/bot/install', { person: adele })
  await control('/bot/say', { person: adele, text: 'Is Ann there?' })
  assert.equal(await status(), 200)
  const forgeries = [
    { claims: { aud: place.client_id } }, { claims: { iss: 'https://evil.example' } }, { claims: { exp: 1 } }, { claims: { serviceurl: 'https://evil.example/' } },
    { body: { serviceUrl: 'https://evil.example/' } }, { key: 'other' }, { key: 'none' }, { key: 'hs256' }, { key: 'absent' },
  ]
  for (const forged of forgeries) {
    await control('/bot/forge', forged)
    assert.equal(await status(), 401, JSON.stringify(forged))
  }
  assert.deepEqual(heard, ['Is Ann there?'])
  assert.deepEqual((await control('/bot/messages', { person: adele })).items.map((m) => m.text), ['You said: Is Ann there?'])
})
