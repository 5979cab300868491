// What Microsoft posts: handed to `receive` as a host's route would hand it on.

/** A request as a scenario writes it, its body as text. */
export async function receive(engine, { method, path, query, headers, body = '' }) {
  const answer = await engine.receive({ method, path, query, headers, body: Buffer.from(body) })
  return { status: answer.status, headers: answer.headers, body: Buffer.from(answer.body).toString() }
}

/** Every post that waits at the simulator, the question to a new subscription among them; `wait = false`: also when there is none. */
export async function deliver(engine, sim, { wait = true }) {
  const { posts } = await sim.ask('notifications/take', { wait })
  const statuses = []
  for (const { id, ...post } of posts) {
    const { status, headers, body } = await receive(engine, post)
    await sim.ask('notifications/answer', { id, status, content_type: headers['content-type'] ?? '', body })
    statuses.push(status)
  }
  return { posts: statuses.length, statuses }
}
