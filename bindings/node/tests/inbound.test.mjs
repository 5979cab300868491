// The route for web frameworks hands a request on as it came: what is said to a bot proves itself by a header.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { notifications } from '../lib/index.mjs'

async function posted(route) {
  const server = createServer(route)
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  try {
    const headers = { authorization: 'Bearer x.y.z', 'content-type': 'application/json' }
    return await fetch(`http://127.0.0.1:${server.address().port}/tidings?a=%20b`, { method: 'POST', headers, body: 'body' })
  } finally {
    server.close()
  }
}

test('a request comes as it is, and its answer leaves', async () => {
  let seen
  const receive = async (request) => {
    seen = request
    return { status: 202, headers: { 'x-more': '1' }, body: Buffer.from('ok') }
  }
  const answer = await posted(notifications({ receive }))
  assert.deepEqual([answer.status, answer.headers.get('x-more'), await answer.text()], [202, '1', 'ok'])
  assert.deepEqual([seen.method, seen.path, seen.query, String(seen.body)], ['POST', '/tidings', 'a=%20b', 'body'])
  assert.deepEqual([seen.headers.authorization, seen.headers['content-type']], ['Bearer x.y.z', 'application/json'])
})

test('what is read already is taken, and a closed engine is no end of the server', async () => {
  let seen
  const read = (route) => async (request, response) => {
    const pieces = []
    for await (const piece of request) pieces.push(piece)
    request.body = Buffer.concat(pieces)
    await route(request, response)
  }
  const receive = async (request) => {
    seen = String(request.body)
    throw new Error('closed')
  }
  assert.equal((await posted(read(notifications({ receive })))).status, 503)
  assert.equal(seen, 'body')
})
