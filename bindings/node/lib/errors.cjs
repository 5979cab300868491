'use strict'
// One class per kind of failure, made from the text in which the native half reports it.

const { isNativeError } = require('node:util/types')

const MARK = 'tidings:'
const shape = JSON.parse(require('./load.cjs').shape())

class TidingsError extends Error {
  constructor(reason, fields = {}) {
    super(reason)
    const { kind = 'internal', accountId = null, requestId = null, retryAfterMs = null, remedy = 'nobody' } = fields
    Object.assign(this, { kind, reason, accountId, requestId, retryAfterMs, remedy })
  }
}

const named = (name, Class) => {
  Object.defineProperty(Class, 'name', { value: name })
  Object.defineProperty(Class.prototype, 'name', { value: name, writable: true, configurable: true })
  return Class
}

const classes = { TidingsError: named('TidingsError', TidingsError) }
for (const [kind, name] of Object.entries(shape.errors)) {
  const Kind = class extends TidingsError {
    constructor(reason, fields = {}) {
      super(reason, { ...fields, kind })
    }
  }
  classes[name] = named(name, Kind)
}

/** The engine's failure inside `error`, or `error` itself. */
function typed(error) {
  // Not `instanceof`: the native half and this file may live in different contexts of `vm`.
  if (!isNativeError(error) || !error.message.startsWith(MARK)) return error
  const { reason, ...fields } = JSON.parse(error.message.slice(MARK.length))
  return new classes[shape.errors[fields.kind] ?? 'TidingsError'](reason, fields)
}

module.exports = { classes, typed, shape }
