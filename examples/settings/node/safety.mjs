// What browsers are told with each answer, and how a mail is framed. The back ends of other languages say the same.

// Nothing but our own files, and no script or style inside of a page.
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
// For a mail, which is foreign text even when it was cleaned: no script, nothing loaded, an origin of its own. Links open in a new tab.
export const MAIL_POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; " +
  'sandbox allow-popups allow-popups-to-escape-sandbox'

/** Puts them on every answer; a route may say otherwise. */
export const headers = (_, response, next) => {
  response.set({
    'content-security-policy': PAGE_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store',
  })
  next()
}

const STATUS = {
  invalid_input: 400, limit_exceeded: 413, forbidden: 403, consent_missing: 403, not_found: 404, conflict: 409,
  not_connected: 409, needs_reconnect: 409, cancelled: 409, throttled: 429, upstream: 502, network: 502,
}
export const statusOf = (kind) => STATUS[kind] ?? 500

/** A page of its own around the HTML of a mail. */
export const framed = (html) =>
  '<!doctype html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><base target="_blank"><title>Mail</title>' +
  '<style>body{font:15px/1.5 system-ui,sans-serif;margin:12px;color:#1b1f24;background:#fff;overflow-wrap:anywhere}img{max-width:100%;height:auto}</style>' +
  `</head><body>${html}</body></html>`
