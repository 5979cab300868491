// Packages of Teams apps: what is in one, and what the catalogue says of it.

import { createHash } from 'node:crypto'
import { toNode } from './values.mjs'

/** `publish_as`: an account that puts it into the catalogue of its organisation. A scenario writes icons in base64. */
export async function app_package(engine, { publish_as, ...given }) {
  const icons = { color_icon: Buffer.from(given.color_icon, 'base64'), outline_icon: Buffer.from(given.outline_icon, 'base64') }
  const zip = await engine.appPackage(toNode({ ...given, ...icons }))
  const files = entries(zip)
  const [manifest, ...languages] = files.filter(({ name }) => name.endsWith('.json')).map(({ content }) => JSON.parse(content.toString('utf8')))
  const shown = { files: files.map(({ name }) => name), manifest, languages, sha256: createHash('sha256').update(zip).digest('hex') }
  if (publish_as === undefined) return shown
  const response = await engine.request(publish_as, { path: '/appCatalogs/teamsApps', method: 'POST', headers: { 'Content-Type': 'application/zip' }, body: zip })
  return { ...shown, published: { status: response.status(), json: JSON.parse((await response.body()).toString('utf8')) } }
}

/** By the directory at the end of a zip, whose files are not compressed. */
function entries(zip) {
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  let at = zip.readUInt32LE(end + 16)
  return Array.from({ length: zip.readUInt16LE(end + 10) }, () => {
    const [size, nameSize, extra, comment, start] = [zip.readUInt32LE(at + 20), zip.readUInt16LE(at + 28), zip.readUInt16LE(at + 30), zip.readUInt16LE(at + 32), zip.readUInt32LE(at + 42)]
    const name = zip.toString('utf8', at + 46, at + 46 + nameSize)
    const data = start + 30 + zip.readUInt16LE(start + 26) + zip.readUInt16LE(start + 28)
    at += 46 + nameSize + extra + comment
    return { name, content: zip.subarray(data, data + size) }
  })
}
