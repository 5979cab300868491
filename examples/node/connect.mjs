// A person connects an account, and disconnects it again.

import { ConflictError, Engine, NotConnectedError } from 'tidings'
import { config, rootKey, signInAs, words } from './support.mjs'

const engine = Engine.open(config(), rootKey())

// `owner` is your own key of the person. Send the browser to `url`, keep `binding` in that person's session.
const signIn = await engine.connect({
  owner: 'recruiter-42',
  features: ['chat', 'mail_send', 'mail_sync'],
  redirectUri: 'http://localhost/callback',
})

// Here the person signs in at Microsoft. The browser comes back to your redirect address with an answer in its query.
const callback = await signInAs(signIn.url, 'adele@contoso.com')
const account = await engine.finishConnect(callback, signIn.binding)
console.log(`${account.owner} connected ${account.displayName} <${account.address}>`)
console.log(`features: ${words(account.features)}`)
console.log(`missing: ${words(account.missing)}`)

// An answer works once.
try {
  await engine.finishConnect(callback, signIn.binding)
} catch (error) {
  if (!(error instanceof ConflictError)) throw error
  console.log(`the same answer again: ${error.kind}`)
}

for (const { address, state } of (await engine.accounts({ owner: 'recruiter-42' })).items) {
  console.log(`account of recruiter-42: ${address}, ${state}`)
}

// The tokens are destroyed at once; mail that was synced stays readable.
const { state } = await engine.disconnect(account.id)
console.log(`disconnect: ${state}`)
try {
  await engine.sync(account.id)
} catch (error) {
  if (!(error instanceof NotConnectedError)) throw error
  console.log(`sync after that: ${error.kind}`)
}

await engine.close()
