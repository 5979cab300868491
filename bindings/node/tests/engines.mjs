// Engines that need no network: their cloud is a loopback port where nobody listens.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Engine, generateRootKey } from '../lib/index.mjs'

const NOWHERE = 'http://127.0.0.1:9'

export const config = (dataDir) => ({
  dataDir,
  clientId: '00000000-0000-0000-0000-000000000000',
  cloud: { type: 'custom', login: NOWHERE, graph: NOWHERE },
})

/** An engine in a folder of its own. */
export const opened = () => Engine.open(config(mkdtempSync(join(tmpdir(), 'tidings-'))), generateRootKey())

/** Runs `code`, in which `engine` is open, in a process of its own; gives what it wrote. */
export function run(code, wanted = 0) {
  const open = `import { config, opened } from ${JSON.stringify(import.meta.url)}; const engine = opened();`
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', open + code], { encoding: 'utf8', timeout: 120_000 })
  assert.equal(status, wanted, `${signal} ${stderr}`)
  return stdout
}
