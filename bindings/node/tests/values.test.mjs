// Values, errors and cancelling; nothing here opens an engine.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import test from 'node:test'
import * as tidings from '../lib/index.mjs'
import { config } from './engines.mjs'

const { Engine, InvalidInputError, RootKey, TestClock, TidingsError, generateRootKey } = tidings

test('import and require give the same', () => {
  const required = createRequire(import.meta.url)('../lib/index.cjs')
  const names = Object.keys(tidings).filter((name) => name !== 'default').sort()
  assert.deepEqual(names, Object.keys(required).sort())
  for (const name of names) assert.equal(tidings[name], required[name])
})

test('a root key has 32 bytes', () => {
  const key = generateRootKey()
  assert.ok(Buffer.isBuffer(key))
  assert.equal(key.length, 32)
  assert.ok(RootKey.raw(new Uint8Array(key)) instanceof RootKey)
  assert.throws(() => RootKey.raw(key.subarray(1)), (e) => {
    assert.ok(e instanceof InvalidInputError && e instanceof TidingsError && e instanceof Error)
    const { kind, name, message, reason, remedy, accountId, requestId, retryAfterMs } = e
    assert.deepEqual([kind, name, remedy, accountId, requestId, retryAfterMs], ['invalid_input', 'InvalidInputError', 'developer', null, null, null])
    assert.equal(message, reason)
    return true
  })
})

const wrong = {
  'an empty folder': { dataDir: '' },
  'plain http elsewhere': { cloud: { type: 'custom', login: 'http://example.com', graph: 'http://example.com' } },
  'a negative number': { pageSize: -1 },
  'a fraction': { pageSize: 1.5 },
  'a number that would wrap': { pageSize: 2 ** 32 + 5 },
  'half a character': { clientId: '\ud800' },
  'another type': { clientId: 7 },
  'nothing': { clientId: undefined },
  'an unknown cloud': { cloud: 'moon' },
}
for (const [name, fields] of Object.entries(wrong)) {
  test(`${name} is refused`, () => {
    assert.throws(() => Engine.open({ ...config('data'), ...fields }, generateRootKey()), InvalidInputError)
  })
}

test('a refusal names the place', () => {
  assert.throws(() => Engine.open({ ...config('data'), folders: ['inbox', 7] }, generateRootKey()), { message: 'folders[1] must be a string.' })
})

test('an object of another class is refused', () => {
  for (const key of [new TestClock(0), {}, null, 'text']) assert.throws(() => Engine.open(config('data'), key), InvalidInputError)
  assert.throws(() => Object.create(TestClock.prototype).nowMs())
})

test('numbers beyond the safe range are refused', () => {
  assert.throws(() => new TestClock(2 ** 53), InvalidInputError)
  assert.equal(new TestClock(Number.MAX_SAFE_INTEGER).nowMs(), Number.MAX_SAFE_INTEGER)
})

test('aborting rejects with the reason and ends the wait', async () => {
  const clock = new TestClock(1000)
  const controller = new AbortController()
  const waiting = clock.nextWait({ signal: controller.signal })
  const reason = new Error('enough')
  setTimeout(() => controller.abort(reason), 30)
  await assert.rejects(waiting, (e) => e === reason)
  await assert.rejects(clock.nextWait({ signal: controller.signal }), (e) => e === reason)
  await assert.rejects(clock.nextWait({ signal: AbortSignal.timeout(30) }), { name: 'TimeoutError' })
})

test('secrets are not shown', () => {
  assert.ok(!inspect(new tidings.Secret('hidden')).includes('hidden'))
})
