// MSAL for Node: every way to sign in; azure-identity and Bot Framework stand upon it.

import assert from 'node:assert/strict'
import { X509Certificate, createHash } from 'node:crypto'
import { beforeEach, test } from 'node:test'
import { ClientSecretCredential, DeviceCodeCredential } from '@azure/identity'
import { ConfidentialClientApplication, CryptoProvider, PublicClientApplication } from '@azure/msal-node'
import connector from 'botframework-connector'
import { agree, authority, control, defaults, host, login, me, password, publicApp, redirectUri, secretApp, visit } from './sim.mjs'

const scopes = ['User.Read', 'Mail.ReadWrite']
const at = (clientId, more = {}, place = authority) => ({ auth: { clientId, authority: place, knownAuthorities: [host], ...more } })
const publicClient = () => new PublicClientApplication(at(publicApp))
const confidential = (more = { clientSecret: password }) => new ConfidentialClientApplication(at(secretApp, more))
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))

async function signIn(app, scopes, who) {
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes()
  const url = await app.getAuthCodeUrl({ scopes, redirectUri, codeChallenge: challenge, codeChallengeMethod: 'S256' })
  const { code } = await visit(url, who)
  return app.acquireTokenByCode({ code, scopes, redirectUri, codeVerifier: verifier })
}

beforeEach(() => control('/reset'))

test('authorization code with PKCE, then the cache, then a refresh', async () => {
  const app = publicClient()
  const first = await signIn(app, scopes)
  assert.equal(await me(first.accessToken), 'adele@contoso.com')
  const account = (await app.getTokenCache().getAllAccounts())[0]
  const cached = await app.acquireTokenSilent({ account, scopes })
  assert.deepEqual([cached.fromCache, cached.accessToken], [true, first.accessToken])
  const second = await app.acquireTokenSilent({ account, scopes, forceRefresh: true })
  assert.notEqual(second.accessToken, first.accessToken)
  assert.equal(await me(second.accessToken), 'adele@contoso.com')
  const ledger = await control('/ledger')
  assert.deepEqual(ledger.accusations, [])
})

test('.default grants what is registered', async () => {
  const signed = await signIn(publicClient(), defaults)
  assert.match(claims(signed.accessToken).scp, /Mail\.Send/)
})

test('device code', async () => {
  const deviceCodeCallback = ({ userCode }) => control('/device', { user_code: userCode, as: 'alex@contoso.com' })
  const signed = await publicClient().acquireTokenByDeviceCode({ scopes, deviceCodeCallback })
  assert.equal(await me(signed.accessToken), 'alex@contoso.com')
})

test('client secret', async () => {
  await assert.rejects(confidential().acquireTokenByClientCredential({ scopes: defaults }), /700016/)
  await agree()
  const given = await confidential().acquireTokenByClientCredential({ scopes: defaults })
  assert.equal(claims(given.accessToken).aud, 'https://graph.microsoft.com')
  await assert.rejects(confidential({ clientSecret: 'wrong' }).acquireTokenByClientCredential({ scopes: defaults }), /7000215/)
})

test('certificate, twice with one client', async () => {
  await agree()
  const made = await control('/apps', { client_id: secretApp, certificate: true })
  const thumbprintSha256 = createHash('sha256').update(new X509Certificate(made.certificate).raw).digest('hex')
  const app = confidential({ clientCertificate: { thumbprintSha256, privateKey: made.private_key, x5c: made.certificate } })
  for (const skipCache of [false, true]) {
    assert.ok((await app.acquireTokenByClientCredential({ scopes: defaults, skipCache })).accessToken)
  }
})

test('on behalf of', async () => {
  await agree()
  const called = await signIn(publicClient(), [`api://${secretApp}/access_as_user`])
  assert.equal(await me(called.accessToken), 401)
  const given = await confidential().acquireTokenOnBehalfOf({ oboAssertion: called.accessToken, scopes: defaults })
  assert.equal(await me(given.accessToken), 'adele@contoso.com')
})

test('an unknown resource', async () => {
  await agree()
  await assert.rejects(confidential().acquireTokenByClientCredential({ scopes: ['https://nowhere.example/.default'] }), /500011/)
})

test('azure-identity', async () => {
  await agree()
  const here = { authorityHost: login, disableInstanceDiscovery: true }
  const secret = new ClientSecretCredential('contoso.com', secretApp, password, here)
  assert.ok((await secret.getToken(defaults)).token)
  const userPromptCallback = ({ userCode }) => control('/device', { user_code: userCode, as: 'adele@contoso.com' })
  const device = new DeviceCodeCredential({ tenantId: 'contoso.com', clientId: publicApp, userPromptCallback, ...here })
  assert.equal(await me((await device.getToken('User.Read')).token), 'adele@contoso.com')
})

test('Bot Framework', async () => {
  const client = new ConfidentialClientApplication(at(secretApp, { clientSecret: password }, `${login}/botframework.com`))
  const bot = new connector.MsalAppCredentials(client, secretApp, `${login}/botframework.com`, 'https://api.botframework.com')
  const token = await bot.getToken(true)
  assert.equal(claims(token).aud, 'https://api.botframework.com')
  assert.equal(await me(token), 401)
})
