// Settings, requests and answers that hold secrets. The fields come from the declarations, so that new ones are tried.
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { format, inspect } from 'node:util'
import { Engine, InvalidInputError, RootKey, Secret, TidingsError, generateRootKey, logs } from '../lib/index.mjs'
import { config, opened } from './engines.mjs'

const HUSH = 'hush-hush-hush'
const ADDRESS = `https://user:${HUSH}@host.example:8080/path?token=${HUSH}#${HUSH}`
const fresh = () => mkdtempSync(join(tmpdir(), 'tidings-'))
const forms = (it) => [inspect(it), inspect(it, { showHidden: true, getters: true, depth: 9 }), inspect({ deep: [it] }, { depth: 9 }), format('%o %O %s', it, it, it)]

const declared = readFileSync(new URL('../lib/native.d.ts', import.meta.url), 'utf8')
const fields = (record) => [...declared.match(new RegExp(`export interface ${record} \\{([^]*?)\\n\\}`))[1].matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name)

test('a secret in settings is shown as its class', () => {
  const settings = { ...config('data'), proxy: new Secret(`http://user:${HUSH}@proxy.example`), clientSecret: new Secret(HUSH), apps: [{ name: 'bot', clientId: 'id', clientSecret: new Secret(HUSH) }] }
  for (const shown of [...forms(settings), ...forms(RootKey.passphrase(HUSH)), ...forms({ newRootKey: RootKey.passphrase(HUSH) })]) assert.ok(!shown.includes(HUSH), shown)
  for (const write of [JSON.stringify, structuredClone]) assert.throws(() => write(settings), InvalidInputError)
})

test('refusals repeat nothing of the settings', async () => {
  assert.ok(fields('Config').length > 10)
  for (const field of fields('Config')) {
    for (const value of [ADDRESS, `ftp://user:${HUSH}@host`, HUSH, `-----BEGIN PRIVATE KEY-----\n${HUSH}`, [ADDRESS], [{ name: ADDRESS, clientId: ADDRESS }], { type: 'custom', login: ADDRESS, graph: ADDRESS }]) {
      try {
        await Engine.open({ ...config(fresh()), ...(field === 'dataDir' ? {} : { [field]: value }) }, generateRootKey()).close()
      } catch (e) {
        assert.ok(e instanceof TidingsError, e)
        assert.ok(!`${inspect(e)} ${JSON.stringify(e)} ${e.stack}`.includes(HUSH), `${field}: ${e.message}`)
      }
    }
  }
})

test('refusals repeat nothing of a request', async () => {
  const engine = opened()
  for (const [record, call] of [['ConnectRequest', 'connect'], ['TenantRequest', 'connectTenant'], ['LinkRequest', 'linkPerson']]) {
    for (const field of fields(record)) {
      const request = { owner: 'me', redirectUri: 'http://localhost/callback', ...(record === 'ConnectRequest' ? { features: ['chat'] } : {}), [field]: ADDRESS }
      await engine[call](request).then(
        (signIn) => forms(signIn).forEach((shown) => assert.ok(!shown.includes(signIn.binding) && !shown.includes(signIn.url) && !shown.includes(HUSH), shown)),
        (e) => assert.ok(e instanceof TidingsError && !`${inspect(e)}`.includes(HUSH), `${record}.${field}: ${e.message}`),
      )
    }
    await assert.rejects(engine[call]({ owner: 'me', features: ['chat'], redirectUri: `https://user:${HUSH}@app.example/callback` }), InvalidInputError)
  }
  await engine.close()
})

test('a settings file that others may read is warned of', { skip: process.platform === 'win32' }, async () => {
  const file = join(fresh(), 'tidings.toml')
  writeFileSync(file, `data_dir = "store"\nclient_id = "00000000-0000-0000-0000-000000000000"\nclient_secret = "${HUSH}"\n`)
  chmodSync(file, 0o644)
  const records = logs('warn')
  const engine = Engine.open(file, generateRootKey())
  const record = await records.next({ signal: AbortSignal.timeout(60_000) })
  assert.equal(record.target, 'tidings::config')
  assert.deepEqual(record.fields, [{ name: 'file', value: file }])
  await engine.close()
})
