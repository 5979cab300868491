// What the browser gets of the engine's records: the fields that are named, in the names of the JSON API, and no others.

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const plain = (value) => {
  if (value === undefined || value === null) return null
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'bigint') return Number(value)
  // Addresses are the only records within records that are handed on as they are.
  if (typeof value === 'object') return { address: value.address, name: value.name }
  return value
}

/** These fields of a record. */
export const fields = (record, ...names) => Object.fromEntries(names.map((name) => [snake(name), plain(record[name])]))

export const backfill = (record) => record && fields(record, 'accountId', 'range', 'state', 'done', 'total', 'rate', 'remainingMs', 'problem')

export const account = (record, health) => ({
  ...fields(record, 'id', 'kind', 'state', 'address', 'displayName', 'features', 'missing', 'connectedAt', 'problem', 'warnings', 'accessEndsAt', 'delegate'),
  ...(health ? fields(health, 'badge', 'transport', 'lastSuccessAt', 'lastErrorAt', 'lastError', 'nextStep', 'quarantined') : {}),
})

export const receipt = (record) => fields(record, 'id', 'accountId', 'route', 'state', 'reason', 'createdAt', 'sentAt', 'nextAttemptAt', 'link')

export const thread = (record) => ({
  ...fields(record, 'accountId', 'conversationId', 'subject', 'messages', 'unread', 'participants', 'hasAttachments'),
  newest: fields(record.newest, 'id', 'preview', 'receivedAt', 'sentAt', 'isRead'),
})

export const message = (record) => ({
  ...fields(record, 'id', 'accountId', 'subject', 'preview', 'fromAddress', 'to', 'cc', 'receivedAt', 'sentAt', 'isRead', 'isDraft', 'kind'),
  attachments: record.attachments.filter((one) => !one.isInline).map((one) => fields(one, 'id', 'name', 'size', 'kind')),
})
