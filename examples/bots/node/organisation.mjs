// What both bots share: their settings, and the organisation they work in.

import { createInterface } from 'node:readline/promises'
import { signInAs } from '../../node/support.mjs'

const { env } = process

export const OWNER = 'recruiting'
const redirectUri = env.TIDINGS_REDIRECT ?? 'http://localhost/callback'

/** Of the manifest of the bot's app. */
export const appId = () => env.TIDINGS_APP_ID || env.TIDINGS_CLIENT_ID

/** From the environment, as README.md of this folder explains it. */
export const settings = () => ({
  dataDir: env.TIDINGS_DATA,
  clientId: env.TIDINGS_CLIENT_ID,
  clientSecret: env.TIDINGS_CLIENT_SECRET,
  cloud: env.TIDINGS_LOGIN ? { type: 'custom', login: env.TIDINGS_LOGIN, graph: env.TIDINGS_GRAPH } : 'public',
  botApp: 'default',
  botTenant: env.TIDINGS_BOT_TENANT,
  botServiceUrl: env.TIDINGS_BOT_SERVICE,
  botExternalId: appId(),
})

/** It opens the store, so it is the same at each start: 64 hexadecimal digits. */
export const rootKey = () => Buffer.from(env.TIDINGS_KEY, 'hex')

/** The organisation that is connected already, or that its administrator connects now: who that is, then the approval. */
export async function organisation(engine) {
  const connected = await engine.accounts({ owner: OWNER, state: 'connected' })
  if (connected.items.length > 0) return connected.items[0]
  const started = await engine.connectTenant({ owner: OWNER, redirectUri, tenant: env.TIDINGS_TENANT })
  const account = await engine.finishConnect(await visit(started.url), started.binding)
  if (account.state === 'connected') return account
  const approval = await engine.approval(account.id, redirectUri)
  return engine.finishConnect(await visit(approval.url), approval.binding)
}

/** Where the administrator's browser ends. A web application gets that at its callback; see `connectTenant`. */
async function visit(url) {
  if (env.TIDINGS_CONTROL) return signInAs(url, 'nestor@contoso.com')
  console.log('Open', url)
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return await terminal.question('and paste the address at which the browser ends: ')
  } finally {
    terminal.close()
  }
}
