// The declarations under `tsc --strict`; needs `npm install` once.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'node:test'

const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))

test('strict typing', { skip: !existsSync(tsc) && 'typescript is not installed' }, () => {
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', fileURLToPath(new URL('.', import.meta.url))], { encoding: 'utf8' })
  assert.equal(status, 0, stdout)
})
