// Engines that need no network: their cloud is a loopback port where nobody listens.
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
