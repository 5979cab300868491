// Bot Framework for Node: the Connector, and its own check of what is posted to a bot.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { ConfidentialClientApplication } from '@azure/msal-node'
import connector from 'botframework-connector'
import { control, host, login, password, place, secretApp } from './sim.mjs'

const { ChannelValidation, ConnectorClient, JwtTokenValidation, MsalAppCredentials, SimpleCredentialProvider, TeamsConnectorClient } = connector
const adele = 'adele@contoso.com'
const authority = `${login}/botframework.com`

async function client(Kind) {
  const auth = { clientId: secretApp, clientSecret: password, authority, knownAuthorities: [host] }
  const made = new MsalAppCredentials(new ConfidentialClientApplication({ auth }), secretApp, authority, 'https://api.botframework.com')
  // It keeps tokens for good, and each test begins with a new world.
  await made.getToken(true)
  return new Kind(made, { baseUri: `${place.bot}/emea/` })
}

beforeEach(() => control('/reset'))

test('a conversation with a person', async () => {
  const { conversations } = await client(ConnectorClient)
  const { id } = await control('/bot/user', { person: adele })
  const tenantId = (await control('/tenants', { domain: 'contoso.com' })).id
  const asked = { bot: { id: `28:${secretApp}` }, members: [{ id }], isGroup: false, tenantId, channelData: { tenant: { id: tenantId } } }
  await assert.rejects(conversations.createConversation(asked), { statusCode: 403, code: 'BotNotInConversationRoster' })
  await control('/bot/install', { person: adele })
  const made = await conversations.createConversation(asked)
  const first = await conversations.sendToConversation(made.id, { type: 'message', text: 'Hello' })
  await conversations.updateActivity(made.id, first.id, { type: 'message', text: 'Hello!' })
  await conversations.deleteActivity(made.id, first.id)
  assert.equal((await conversations.getConversationMember(made.id, id)).email, adele)
  const [said] = (await control('/bot/messages', { person: adele })).items
  assert.deepEqual([said.text, said.is_edited, said.is_deleted], ['Hello!', true, true])
})

test('a team and a thread', async () => {
  const team = await control('/teams', { name: 'Sales', members: [adele], channels: [{ name: 'Deals' }] })
  const [general, deals] = team.channels.map((channel) => channel.id)
  await control('/bot/install', { team: 'Sales' })
  await control('/bot/roster', { team: 'Sales', members: 70 })
  const { teams } = await client(TeamsConnectorClient)
  assert.equal((await teams.fetchTeamDetails(general)).aadGroupId, team.id)
  assert.deepEqual((await teams.fetchChannelList(general)).conversations.map((c) => c.id), [general, deals])
  const { conversations } = await client(ConnectorClient)
  const page = await conversations.getConversationPagedMembers(general, { pageSize: 50 })
  const last = await conversations.getConversationPagedMembers(general, { pageSize: 50, continuationToken: page.continuationToken })
  assert.deepEqual([page.members.length, last.members.length, last.continuationToken], [50, 20, undefined])
  const made = await conversations.createConversation({ isGroup: true, channelData: { channel: { id: deals } }, activity: { type: 'message', text: 'News' } })
  await conversations.replyToActivity(made.id, made.activityId, { type: 'message', text: 'More of it' })
  assert.deepEqual((await control('/bot/messages', { team: 'Sales' })).items.map((m) => m.is_reply), [false, true])
})

async function posts() {
  const taken = (await control('/notifications/take', { wait: false })).posts
  for (const { id } of taken) await control('/notifications/answer', { id, status: 200 })
  return taken
}

async function isAccepted({ body, headers }) {
  ChannelValidation.OpenIdMetadataEndpoint = `${place.bot}/v1/.well-known/openidconfiguration`
  const claims = await JwtTokenValidation.authenticateRequest(JSON.parse(body), headers.authorization ?? '', new SimpleCredentialProvider(secretApp, password), '')
  return claims.isAuthenticated
}

test('what the Connector posts is proven, and nothing else', async (t) => {
  // It prints what it refuses.
  t.mock.method(console, 'error', () => {})
  await control('/bot/endpoint', { url: 'https://bot.example.com/api/messages' })
  await control('/bot/install', { person: adele })
  for (const post of await posts()) assert.ok(await isAccepted(post))
  const forgeries = [
    { claims: { aud: place.client_id } }, { claims: { iss: 'https://evil.example' } }, { claims: { exp: 1 } }, { claims: { serviceurl: 'https://evil.example/' } },
    { body: { serviceUrl: 'https://evil.example/' } }, { key: 'other' }, { key: 'none' }, { key: 'hs256' }, { key: 'absent' },
  ]
  for (const forged of forgeries) {
    await control('/bot/forge', forged)
    const [post] = await posts()
    await assert.rejects(isAccepted(post), undefined, JSON.stringify(forged))
  }
})
