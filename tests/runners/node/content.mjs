// Contents of a mailbox: what is attached, and mails as MIME. `pieces`: read in a loop; `again`: so often after it broke off.

import { UpstreamError } from '../../../bindings/node/lib/index.mjs'

export async function attachment(engine, given) {
  return shown(await engine.attachment(given.message_id, given.attachment_id, given.owner), given)
}

export async function mime(engine, given) {
  return shown(await engine.mime(given.message_id, given.owner), given)
}

async function shown(content, given) {
  const pieces = []
  for (let again = given.again ?? 0; given.pieces; again -= 1) {
    try {
      for await (const piece of content) pieces.push(piece)
      break
    } catch (error) {
      if (!(error instanceof UpstreamError) || again === 0) throw error
    }
  }
  if (!given.pieces) pieces.push(await content.body())
  const whole = Buffer.concat(pieces)
  return {
    name: content.name(), content_type: content.contentType(), kind: content.kind(), size: content.size() === null ? null : Number(content.size()),
    bytes: whole.length, pieces: pieces.length, longest: Math.max(0, ...pieces.map((piece) => piece.length)),
    is_pattern: whole.every((byte, n) => byte === n % 251), text: whole.length <= 100_000 ? whole.toString('utf8') : '',
  }
}
