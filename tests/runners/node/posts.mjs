// What Microsoft posts: handed to `receive` as a host's route would hand it on.

import { Readable } from 'node:stream'
import { notifications } from '../../../bindings/node/lib/index.mjs'
import { canonical, toNode } from './values.mjs'

/** A request as a scenario writes it, its body as text. */
export async function receive(engine, { method, path, query, headers, body = '' }) {
  const answer = await engine.receive({ method, path, query, headers, body: Buffer.from(body) })
  return { status: answer.status, headers: answer.headers, body: Buffer.from(answer.body).toString() }
}

/** The same through the route for web frameworks. */
async function through(route, { method, path, query, headers, body }) {
  const request = Object.assign(Readable.from([Buffer.from(body)]), { method, url: `${path}?${query}`, headers })
  const sent = {}
  await route(request, { headersSent: false, writeHead: (status, given) => Object.assign(sent, { status, headers: given }), end: (bytes) => (sent.body = Buffer.from(bytes ?? []).toString()) })
  return sent
}

/** What the host of a scenario answers. */
function handled(handler) {
  if (handler === 'throws') throw new Error('the handler failed on purpose')
  if (handler === 'held') return new Promise(() => {})
  if (typeof handler === 'string') return undefined
  const [[type, fields]] = Object.entries(handler)
  return { type, ...toNode(fields) }
}

/** Every post that waits at the simulator, the question to a new subscription among them; `wait = false`: also when there is none. */
export async function deliver(engine, sim, { wait = true, handler, limit_ms: timeoutMs }) {
  const { posts } = await sim.ask('notifications/take', { wait })
  const [statuses, asked, failures] = [[], [], []]
  const onInvoke = async (invoke) => {
    asked.push(canonical(invoke))
    return handled(handler)
  }
  const route = notifications(engine, { onInvoke, timeoutMs, onError: (_, error) => failures.push(error) })
  for (const { id, ...post } of posts) {
    const { status, headers, body } = await (handler === undefined ? receive(engine, post) : through(route, post))
    await sim.ask('notifications/answer', { id, status, content_type: headers['content-type'] ?? '', body })
    statuses.push(status)
  }
  const outcome = { posts: statuses.length, statuses }
  return handler === undefined ? outcome : { ...outcome, asked, failures: failures.length }
}
