// What the stories share: where the engine's settings come from, and the simulator's control endpoints.

import { loadOrCreateKey } from 'tidings'

const { env } = process

/** A store, set up by TIDINGS_DATA, TIDINGS_CLIENT_ID, TIDINGS_LOGIN and TIDINGS_GRAPH. */
export const config = () => ({
  dataDir: env.TIDINGS_DATA,
  clientId: env.TIDINGS_CLIENT_ID,
  cloud: { type: 'custom', login: env.TIDINGS_LOGIN, graph: env.TIDINGS_GRAPH },
})

/** The key that opens the store: the same at each start, in a file beside it. */
export const rootKey = () => loadOrCreateKey(`${env.TIDINGS_DATA}.key`)

/** Names of enum values, or `none`. */
export const words = (values) => values.join(', ') || 'none'

/** POST /`path` on the simulator. */
export async function control(path, body) {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${env.TIDINGS_CONTROL}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`The simulator refused /${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

/** Signs a person in on the page at `url` and gives the address the browser is sent back to. */
export const signInAs = async (url, address) => (await control('signin', { url, as: address })).location
