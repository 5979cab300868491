// What the routes of this folder are tried with: an engine whose mailbox is watched, and a mail that arrives.

import { setTimeout as pass } from 'node:timers/promises'
import { Engine } from 'tidings'
import { config, control, rootKey, signInAs } from '../../node/support.mjs'

async function until(what) {
  for (let n = 0; n < 1200; n++) {
    if (await what()) return
    await pass(50)
  }
  throw new Error('it did not come about within a minute')
}

/** `serve` mounts the route of an engine, listens on a port, and gives the server. */
export async function run(port, serve) {
  const engine = Engine.open({ ...config(), notificationUrl: `http://127.0.0.1:${port}/tidings` }, rootKey())
  await serve(engine)
  try {
    const signIn = await engine.connect({ owner: 'recruiter-42', features: ['mail_sync'], redirectUri: 'http://localhost/callback' })
    const account = await engine.finishConnect(await signInAs(signIn.url, 'adele@contoso.com'), signIn.binding)
    await until(async () => (await engine.health('recruiter-42')).accounts[0].transport === 'push')
    console.log('watched by push')
    const messages = async () => (await engine.messages({ accountId: account.id })).items
    await until(async () => (await messages()).length === 7)
    await control('mail', { mailbox: 'adele@contoso.com', subject: 'It came by itself' })
    await until(async () => (await messages()).some(({ subject }) => subject === 'It came by itself'))
    console.log('arrived: It came by itself')
  } catch (error) {
    console.log(String(error))
  }
  await engine.close()
  process.exit(0)
}

/** A port of this machine that nobody uses. */
export async function freePort() {
  const { createServer } = await import('node:net')
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })
}
