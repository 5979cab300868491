// What Teams asks, answered by functions of the host: in time, and in words whatever happens.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import test from 'node:test'
import { inspect } from 'node:util'
import { InvalidInputError, invokeResponse, notifications } from '../lib/index.mjs'

const invoke = { accountId: 'acc', conversationId: 'a:1', activityId: 'f:1', senderName: 'Ann', name: 'adaptiveCard/action', verb: 'accept' }
const card = '{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"Accepted"}]}'

/** The answer of a route whose engine is asked something at every request. */
async function answer(onInvoke, options = {}) {
  const requests = []
  const receiveInvoke = async (request) => {
    requests.push(request)
    return { invoke, response: null }
  }
  const server = createServer(notifications({ receiveInvoke }, { onInvoke, ...options })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const response = await fetch(`http://127.0.0.1:${server.address().port}/tidings`, { method: 'POST', body: '{}', headers: { authorization: 'Bearer x' } })
    assert.equal(requests[0].headers.authorization, 'Bearer x')
    return { status: response.status, body: await response.json() }
  } finally {
    server.close()
  }
}

test('what the host gives is sent', async () => {
  assert.deepEqual(await answer(() => ({ type: 'card', card })), { status: 200, body: { statusCode: 200, type: 'application/vnd.microsoft.card.adaptive', value: JSON.parse(card) } })
  assert.equal((await answer(async ({ verb }) => ({ type: 'message', text: verb }))).body.value, 'accept')
  for (const nothing of [undefined, null, 'done']) assert.deepEqual((await answer(() => nothing)).body, { statusCode: 200 })
  assert.equal((await answer(() => ({ type: 'failure', status: 404, reason: 'No' }))).body.statusCode, 404)
})

test('a function that fails is told to both', async () => {
  const heard = []
  const onError = (asked, error) => heard.push([asked.verb, error.message])
  const fails = () => {
    throw new Error('private words')
  }
  const { status, body } = await answer(fails, { onError })
  assert.deepEqual([status, body.statusCode, heard], [200, 500, [['accept', 'private words']]])
  assert.ok(!JSON.stringify(body).includes('private'))
  assert.equal((await answer(async () => fails(), { onError })).body.statusCode, 500)
  assert.equal((await answer(() => ({ type: 'card', card: '{}' }), { onError })).body.statusCode, 500)
  assert.equal((await answer(() => 7, { onError })).body.statusCode, 500)
  assert.equal(heard.length, 4)
  const warning = once(process, 'warning')
  await answer(fails)
  assert.match((await warning)[0].message, /onInvoke.*private words/)
})

test('a function that takes too long is not waited for', async () => {
  let aborted
  const heard = []
  const held = (_, { signal }) => new Promise(() => (aborted = signal))
  const { body } = await answer(held, { timeoutMs: 30, onError: (_, error) => heard.push(error.message) })
  assert.equal(body.statusCode, 500)
  assert.match(body.value.message, /too long/)
  assert.match(heard[0], /30 ms/)
  assert.ok(aborted.aborted)
})

test('an answer that does not belong to a question is refused', () => {
  assert.throws(() => invokeResponse('signin/verifyState', { type: 'card', card }), InvalidInputError)
  assert.equal(invokeResponse('task/fetch', { type: 'json', body: '{"a":1}' }).status, 200)
  assert.ok(inspect({ type: 'json', body: '{}' }))
})
