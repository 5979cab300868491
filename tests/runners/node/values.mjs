// Scenario values: `$name.path` filled in, `repeat` unrolled; plain objects of the Node interface to and from JSON.

import { ClientCertificate, RootKey, TidingsError, loadOrCreateKey } from '../../../bindings/node/lib/index.mjs'

const NAME = /\$([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)*)/g

/**
 * The value with every `$name` replaced. A text that is nothing but a name becomes the value itself, and the name must be known; inside a
 * longer text an unknown name stays as it is (it may be a `$filter`).
 */
export function fill(value, known) {
  if (typeof value === 'string') {
    if (value.match(NAME)?.[0] === value) {
      const found = lookup(known, value.slice(1))
      if (found === undefined) throw new Error(`${value} is not known`)
      return found
    }
    return value.replace(NAME, (whole, path) => lookup(known, path) ?? whole)
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, known))
  if (value === null || typeof value !== 'object') return value
  if ('repeat' in value && 'text' in value) return value.text.repeat(value.repeat)
  if ('repeat' in value && 'of' in value) return Array.from({ length: value.repeat }, (_, i) => fill(value.of, { ...known, i: i + 1 }))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, known)]))
}

function lookup(known, path) {
  return path.split('.').reduce((value, part) => value?.[part], known)
}

export const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const keys = (object, rename) => Object.fromEntries(Object.entries(object).map(([key, value]) => [rename(key), value]))

/** Names in camelCase, all the way down. */
export function toNode(value) {
  if (Array.isArray(value)) return value.map(toNode)
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value) || value instanceof Date) return value
  return keys(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toNode(item)])), camel)
}

export function config(given) {
  const { root_key, passphrase, kms, keyring, key_file, cloud, apps, ...settings } = given
  const more = apps ? { apps: apps.map(certified) } : {}
  return { ...certified(settings), ...more, cloud: typeof cloud === 'string' ? cloud : { type: 'custom', ...cloud.custom } }
}

function certified({ certificate, ...settings }) {
  const more = certificate ? { certificate: ClientCertificate.fromPem(certificate.certificate, certificate.private_key) } : {}
  return { ...toNode(settings), ...more }
}

/** The key that the settings name; without one, the scenario's own. */
export function rootKey({ root_key, passphrase, kms, keyring, key_file }, usual) {
  if (passphrase !== undefined) return RootKey.passphrase(passphrase)
  if (kms) return RootKey.unwrapped(Buffer.from(kms.key), Buffer.from(kms.wrapped))
  if (keyring) return RootKey.fromKeyring(keyring.service, keyring.user)
  if (key_file !== undefined) return loadOrCreateKey(key_file)
  return RootKey.raw(root_key === undefined ? usual : Buffer.from(root_key))
}

/** Texts of the settings that may stand nowhere: not on disk, not in a record. */
export function secretsOf({ root_key, passphrase, kms, apps, ...own }) {
  const ofApps = [own, ...(apps ?? [])].flatMap((app) => [app.client_secret, app.certificate?.private_key])
  return [root_key, passphrase, kms?.key, ...ofApps].filter((text) => text)
}

export function draft(given) {
  const timed = (fields) => {
    // Names of fields are the host's own.
    const { merge_fields: mergeFields, ...others } = fields
    const made = { ...toNode(others), ...(mergeFields && { mergeFields }) }
    for (const name of ['deadline', 'sendAt']) if (made[name]) made[name] = new Date(made[name])
    return made
  }
  const [[kind, fields]] = Object.entries(given).filter(([name]) => ['chat', 'mail', 'reply', 'forward', 'channel_post', 'workflow', 'bot', 'to_endpoint'].includes(name))
  const files = attachments(fields.attachments)
  const mentions = fields.mentions?.map((one) => ({ ...one, target: mentioned(one.target) }))
  return { [camel(kind)]: timed({ ...fields, ...(files && { attachments: files }), ...(mentions && { mentions }) }) }
}

/** A scenario writes the content of a file as text. */
const attachments = (files) => files?.map((file) => ({ ...file, content: Buffer.from(file.content ?? []) }))

export const signature = (given) => given && toNode({ ...given, images: attachments(given.images) ?? [] })

/** A target as scenarios write it: `"team"`, or `{variant: {fields}}`. */
function mentioned(target) {
  if (typeof target === 'string') return target
  const [[type, fields]] = Object.entries(target)
  return { type, ...(type === 'channel' && { channel_id: null }), ...fields }
}

/** The target of an endpoint as scenarios write it: `{variant: {fields}}`. */
export function endpointTarget(target) {
  const [[type, fields]] = Object.entries(target)
  return { type, ...(type === 'chat' && { to: null, chat_id: null }), ...fields }
}

/** As JSON: snake_case names, times as RFC 3339, data enums as `{variant: {fields}}`. */
export function canonical(value) {
  if (value === undefined || value === null) return null
  if (value instanceof Date) return value.toISOString().replace(/\.?0*Z$/, 'Z')
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object') return value
  if (ArrayBuffer.isView(value)) return [...value]
  const { type, ...fields } = value
  const record = keys(Object.fromEntries(Object.entries(fields).map(([key, item]) => [key, canonical(item)])), snake)
  return type === undefined ? record : { [type]: record }
}

/** The error as a record; nothing when it is not one of tidings. */
export function refusal(error) {
  if (!(error instanceof TidingsError)) return undefined
  const { kind, reason, accountId, requestId, retryAfterMs, remedy } = error
  return canonical({ kind, reason, accountId, requestId, retryAfterMs, remedy })
}
