// Requests of a host's own: answers as a status, headers and text, lists as the pages that a loop over them gives.

import { camel } from './values.mjs'

export async function request(engine, given) {
  const response = await engine.request(given.account_id, asked(given.request), given.owner)
  const head = { status: response.status(), headers: response.headers(), request_id: response.requestId() }
  if (!given.pieces) return { ...head, ...bodyOf(await response.body()) }
  const sizes = []
  for await (const piece of response) sizes.push(piece.length)
  return { ...head, pieces: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0), longest: Math.max(0, ...sizes) }
}

export async function batch(engine, given) {
  const outcomes = await engine.batch(given.account_id, given.requests.map(asked), given.owner)
  return outcomes.map(({ status, headers, body, requestId, errorKind, error, retryAfterMs }) => ({
    status, headers, request_id: requestId, error_kind: errorKind, error, retry_after_ms: retryAfterMs, ...bodyOf(body),
  }))
}

export async function pages(engine, given) {
  const found = []
  for await (const page of engine.pages(given.account_id, asked(given.request), given.owner)) {
    found.push({ items: page.items.map((item) => JSON.parse(item)), envelope: JSON.parse(page.envelope), next_link: page.nextLink, delta_link: page.deltaLink })
    if (found.length === given.most) break
  }
  return found
}

/** Names of headers and options stay as they are. A scenario writes bytes as text. */
function asked(given) {
  const fields = Object.entries(given).map(([name, value]) => [camel(name), name === 'body' ? Buffer.from(value) : value])
  return Object.fromEntries(fields)
}

/** As text, and as JSON where it is some. */
function bodyOf(bytes) {
  const body = bytes.toString('utf8')
  try {
    return { body, json: JSON.parse(body) }
  } catch {
    return { body, json: null }
  }
}
