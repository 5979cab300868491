// Holds an outcome against what a scenario expects.

const OPERATORS = ['len', 'contains', 'items', 'at_least', 'at_most', 'matches', 'not', 'missing']

const isTable = (value) => value !== null && typeof value === 'object' && !Array.isArray(value)

/** What differs, or undefined. Records compare by the fields named, lists in full. */
export function mismatch(expected, actual, at = '') {
  if (isOperator(expected, actual)) return first(Object.entries(expected), ([op, arg]) => operator(op, arg, actual, at))
  if (isTable(expected) && isTable(actual)) {
    return first(Object.entries(expected), ([key, value]) => mismatch(value, actual[key] ?? null, `${at}.${key}`))
  }
  if (Array.isArray(expected) && Array.isArray(actual)) {
    if (expected.length !== actual.length) return `${at}: expected ${expected.length} items, saw ${actual.length}: ${short(actual)}`
    return first(expected, (value, i) => mismatch(value, actual[i], `${at}.${i}`))
  }
  return expected === actual ? undefined : `${at}: expected ${short(expected)}, saw ${short(actual)}`
}

/** A table is an operator when all its keys are, and the outcome is no record that might have such a field. */
function isOperator(table, actual) {
  if (!isTable(table) || !Object.keys(table).length || !Object.keys(table).every((key) => OPERATORS.includes(key))) return false
  return !isTable(actual) || 'not' in table || typeof table.missing === 'boolean'
}

function operator(op, arg, actual, at) {
  if (op === 'len' && Array.isArray(actual)) return mismatch(arg, actual.length, `${at}.len`)
  if (op === 'len' && typeof actual === 'string') return mismatch(arg, [...actual].length, `${at}.len`)
  if (op === 'items' && Array.isArray(actual)) return first(actual, (item, i) => mismatch(arg, item, `${at}.${i}`))
  const good = {
    contains: () => (typeof actual === 'string' ? actual.includes(arg) : Array.isArray(actual) && actual.some((item) => !mismatch(arg, item))),
    at_least: () => typeof actual === 'number' && actual >= arg,
    at_most: () => typeof actual === 'number' && actual <= arg,
    matches: () => typeof actual === 'string' && regex(arg).test(actual),
    not: () => mismatch(arg, actual) !== undefined,
    missing: () => (actual === null) === arg,
  }[op]
  return good?.() ? undefined : `${at}: expected ${op} ${short(arg)}, saw ${short(actual)}`
}

/** Scenarios write `(?i)` as the other languages know it. */
function regex(pattern) {
  return pattern.startsWith('(?i)') ? new RegExp(pattern.slice(4), 'iu') : new RegExp(pattern, 'u')
}

function first(list, test) {
  for (const [i, item] of list.entries()) {
    const what = test(item, i)
    if (what) return what
  }
}

/** A value for a message: whole, unless it is long. */
export function short(value) {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 600 ? `${text.slice(0, 600)}…` : text
}
