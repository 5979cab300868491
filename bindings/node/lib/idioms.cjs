'use strict'
// Dresses the native classes: typed errors, AbortSignal, `for await`, `await using`. What there is to dress is told by `shape`.

const native = require('./load.cjs')
const { classes, typed, shape } = require('./errors.cjs')
const { createReadStream, statSync } = require('node:fs')
const { basename } = require('node:path')
const { inspect } = require('node:util')
const { fileURLToPath } = require('node:url')

const BATCH = 100
/** Read by whoever copies an object, since copies are made of what can be enumerated. */
const UNCOPIED = 'uncopied'
const names = new Map(Object.keys(shape.classes).map((name) => [native[name].prototype, name]))
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')

function plain(call) {
  return function (...args) {
    try {
      return fixed(call.apply(this, args))
    } catch (error) {
      throw typed(error)
    }
  }
}

/** `arity` arguments, then `{signal}`. */
function cancellable(call, arity) {
  return async function (...args) {
    const signal = args[arity]?.signal
    signal?.throwIfAborted()
    const cancel = new native.Cancel()
    const abort = () => cancel.cancel()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return fixed(masked(await call.apply(this, [...Array.from({ length: arity }, (_, i) => args[i]), cancel])))
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      throw typed(error)
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }
}

/** A record; of whichever context of `vm`, whose `Object` is another. */
function isPlain(it) {
  const proto = it !== null && typeof it === 'object' ? Object.getPrototypeOf(it) : null
  return proto !== null && Object.getPrototypeOf(proto) === null && Object.hasOwn(proto, 'isPrototypeOf')
}

/** Hides the secret fields of an answer, and of the records in it, from console.log. */
function masked(answer) {
  if (Array.isArray(answer)) answer.forEach(masked)
  if (!isPlain(answer)) return answer
  for (const value of Object.values(answer)) if (value !== null && typeof value === 'object') masked(value)
  const secret = shape.secret.filter((field) => typeof answer[field] === 'string')
  if (secret.length === 0) return answer
  const shown = () => ({ ...answer, ...Object.fromEntries(secret.map((field) => [field, '…'])) })
  return Object.defineProperty(answer, inspect.custom, { value: shown })
}

/** An object of the engine stays in its thread: whoever copies it, sends it to a worker or writes it as JSON is told so, instead of getting an empty object. */
function fixed(answer) {
  const name = answer !== null && typeof answer === 'object' ? names.get(Object.getPrototypeOf(answer)) : undefined
  if (!name || Object.hasOwn(answer, UNCOPIED)) return answer
  const get = () => {
    throw new classes.InvalidInputError(`${/^[AEIOU]/.test(name) ? 'An' : 'A'} ${name} stays in the thread it was made in: it cannot be cloned, sent to another thread or written as JSON.`, { remedy: 'developer' })
  }
  return Object.defineProperty(answer, UNCOPIED, { get, enumerable: true })
}

async function* items(stream, batched) {
  for (;;) {
    const got = await (batched ? stream.next(BATCH) : stream.next())
    if (got === null || got.length === 0) return
    if (batched) yield* got
    else yield got
  }
}

const dressed = {}
for (const [name, { async, plain: plains, static: statics, stream, closable }] of Object.entries(shape.classes)) {
  const Class = native[name]
  for (const [method, arity] of Object.entries(async)) Class.prototype[method] = cancellable(Class.prototype[method], arity)
  for (const method of plains) Class.prototype[method] = plain(Class.prototype[method])
  Class.prototype[inspect.custom] = () => `${name} {}`
  if (stream) Class.prototype[Symbol.asyncIterator] = function () { return items(this, stream === 'batch') }
  if (closable) Class.prototype[asyncDispose] = function () { return this.close() }
  // Native static methods cannot be replaced, so the class gets a front of its own over the same prototype.
  const Front = function (...args) {
    return plain(() => Reflect.construct(Class, args))()
  }
  Object.defineProperty(Front, 'name', { value: name })
  Front.prototype = Class.prototype
  Object.defineProperty(Front.prototype, 'constructor', { value: Front, writable: true, configurable: true })
  for (const method of statics) {
    // A method with a sister for files takes a path in place of its record.
    const file = statics.includes(`${method}File`) ? `${method}File` : undefined
    Front[method] = plain((first, ...rest) => {
      if (file && first instanceof URL) return Class[file](fileURLToPath(first), ...rest)
      return Class[file && typeof first === 'string' ? file : method](first, ...rest)
    })
  }
  dressed[name] = Front
}
for (const name of shape.functions) dressed[name] = plain(native[name])
dressed.loadOrCreateKey = plain((path) => native.loadOrCreateKey(path instanceof URL ? fileURLToPath(path) : path))

/** Calls `callback` with each log record; gives a function that stops it. */
dressed.onLog = function (callback, level = 'info') {
  if (typeof callback !== 'function') throw new TypeError('onLog needs a function to call.')
  const cancel = new native.Cancel()
  let stopped = false
  // What a callback throws would otherwise end the process, from a stack the host has no part in.
  const tell = (record) => {
    if (stopped) return
    try {
      callback(record)
    } catch (error) {
      process.emitWarning(`The callback of onLog failed: ${error?.stack ?? error}`, 'TidingsWarning')
    }
  }
  plain(native.followLogs)(level, tell, cancel)
  return () => {
    stopped = true
    cancel.cancel()
  }
}

/** Bytes handed over at a time. */
const PIECE = 1 << 20

/** The bytes of a source, in pieces that are small enough. */
async function* pieces(source) {
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) source = [source]
  else if (source instanceof Blob) source = source.stream()
  if (typeof source?.[Symbol.asyncIterator] !== 'function' && typeof source?.[Symbol.iterator] !== 'function') {
    throw new TypeError('The source of an attachment is a path, bytes, a Blob, or a stream of bytes.')
  }
  for await (const piece of source) {
    if (typeof piece === 'string') throw new TypeError('The source of an attachment gives text, not bytes. Open the stream without an encoding.')
    const bytes = ArrayBuffer.isView(piece) ? Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength) : Buffer.from(piece)
    for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE)
  }
}

/** What is known of a source: a path becomes its stream. */
function opened(source, given) {
  if (source instanceof URL) source = fileURLToPath(source)
  if (typeof source === 'string') {
    const name = basename(source)
    const { size } = statSync(source)
    return { source: createReadStream(source, { highWaterMark: PIECE }), name, size, ...given }
  }
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) return { source, size: source.byteLength, ...given }
  if (source instanceof Blob) return { source, name: source.name, size: source.size, contentType: source.type || undefined, ...given }
  return { source, name: typeof source?.path === 'string' ? basename(source.path) : undefined, ...given }
}

/** An attachment from a path, bytes, a Blob or a stream. */
dressed.attachmentFrom = async function (engine, accountId, from, { signal, ...options } = {}) {
  signal?.throwIfAborted()
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const { source, name = '', contentType = 'application/octet-stream', size, contentId } = opened(from, given)
  const writer = await engine.stageAttachment(accountId, name, contentType, size, contentId)
  try {
    for await (const piece of pieces(source)) {
      signal?.throwIfAborted()
      await writer.write(piece)
    }
    signal?.throwIfAborted()
    return await writer.finish()
  } catch (error) {
    await writer.abort()
    throw error
  }
}

native.closeAtExit()

module.exports = dressed
