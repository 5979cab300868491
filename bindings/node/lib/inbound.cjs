'use strict'
// The route that takes Microsoft's notifications and what people say to the bot, for web frameworks.

const { invokeResponse } = require('./idioms.cjs')

/** `receive` refuses what is longer; it needs no more than this to see that. */
const LARGEST = (4 << 20) + 1
const FAILED = 'Something went wrong. Try again later.'
const TOO_LONG = 'The answer took too long. Try again later.'

/** Of a request whose body a middleware has read as bytes, those; else what arrives. */
async function bodyOf(request) {
  if (Buffer.isBuffer(request.body)) return request.body
  const pieces = []
  let length = 0
  for await (const piece of request) {
    pieces.push(piece)
    length += piece.length
    if (length >= LARGEST) break
  }
  return Buffer.concat(pieces)
}

/** Two of one name are one with a comma, as HTTP says: two tokens are none. */
function headersOf(request) {
  const given = Object.entries(request.headersDistinct ?? request.headers ?? {})
  return Object.fromEntries(given.filter(([, value]) => value !== undefined).map(([name, value]) => [name, [value].flat().join(', ')]))
}

function warned(_, error) {
  process.emitWarning(`What Teams asked was not answered by onInvoke: ${error?.stack ?? error}`, 'TidingsWarning')
}

/** The host's answer to what Teams asks: in time, and in words whatever happens. */
async function answered(invoke, { onInvoke, timeoutMs = 10_000, onError = warned }) {
  const controller = new AbortController()
  let timer
  let shown = FAILED
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`onInvoke took longer than ${timeoutMs} ms.`)
      shown = TOO_LONG
      reject(error)
      controller.abort(error)
    }, timeoutMs)
  })
  try {
    const answer = await Promise.race([late, (async () => onInvoke(invoke, { signal: controller.signal }))()])
    return invokeResponse(invoke.name, answer ?? 'done')
  } catch (error) {
    try {
      onError(invoke, error)
    } catch (failure) {
      process.emitWarning(`onError failed: ${failure?.stack ?? failure}`, 'TidingsWarning')
    }
    return invokeResponse(invoke.name, { type: 'failure', status: 500, reason: shown })
  } finally {
    clearTimeout(timer)
  }
}

async function answerOf(engine, request, options) {
  if (!options.onInvoke) return engine.receive(request)
  const { response, invoke } = await engine.receiveInvoke(request)
  return invoke ? answered(invoke, options) : response
}

/** A listener of `node:http`, and a handler of Express. */
const notifications = (engine, options = {}) => async (request, response) => {
  try {
    const [path, query = ''] = (request.originalUrl ?? request.url).split(/\?(.*)/s)
    const answer = await answerOf(engine, { method: request.method, path, query, headers: headersOf(request), body: await bodyOf(request) }, options)
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
    response.end(answer.body)
  } catch (error) {
    // The engine is closed, or the connection broke: Microsoft comes again.
    if (!response.headersSent) response.writeHead(503, { 'content-length': 0 })
    response.end()
  }
}

module.exports = { notifications }
