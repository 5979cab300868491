'use strict'
// The route that takes Microsoft's notifications, for web frameworks.

/** `receive` refuses what is longer; it needs no more than this to see that. */
const LARGEST = (4 << 20) + 1

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

/** A listener of `node:http`, and a handler of Express. */
const notifications = (engine) => async (request, response) => {
  try {
    const [path, query = ''] = (request.originalUrl ?? request.url).split(/\?(.*)/s)
    const answer = await engine.receive({ method: request.method, path, query, body: await bodyOf(request) })
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
    response.end(answer.body)
  } catch (error) {
    // The engine is closed, or the connection broke: Microsoft comes again.
    if (!response.headersSent) response.writeHead(503, { 'content-length': 0 })
    response.end()
  }
}

module.exports = { notifications }
