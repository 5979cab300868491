// A root key that is kept in a file: the same at every start.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'node:test'
import { Engine, InvalidInputError, RootKey, VaultLockedError, WrongKeyError, loadOrCreateKey } from '../lib/index.mjs'
import { config } from './engines.mjs'

function folder(t) {
  const made = mkdtempSync(join(tmpdir(), 'tidings-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

test('the second start has the same key', async (t) => {
  const base = folder(t)
  const path = join(base, 'keys', 'tidings.key')
  for (const at of [path, pathToFileURL(path), path]) {
    const key = loadOrCreateKey(at)
    assert.ok(key instanceof RootKey)
    await Engine.open(config(join(base, 'store')), key).close()
  }
  assert.throws(() => Engine.open(config(join(base, 'store')), loadOrCreateKey(join(base, 'other.key'))), WrongKeyError)
  if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600)
})

test('what is no key, or others could know, is refused and left alone', { skip: process.platform === 'win32' }, (t) => {
  const path = join(folder(t), 'tidings.key')
  writeFileSync(path, 'a password\n', { mode: 0o600 })
  assert.throws(() => loadOrCreateKey(path), VaultLockedError)
  assert.equal(readFileSync(path, 'utf8'), 'a password\n')
  chmodSync(path, 0o644)
  assert.throws(() => loadOrCreateKey(path), (e) => e instanceof VaultLockedError && /chmod 600/.test(e.message))
  for (const bad of ['', join(path, '..'), 7, undefined]) assert.throws(() => loadOrCreateKey(bad), InvalidInputError)
})
