// Who is asking. Put your own log-in in the place of `create`; the rest shows what has to hold whoever logs people in.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export const COOKIE = 'settings_session'
const LIFETIME = 12 * 3600
// Sessions that have something kept for them here, and sign-ins under way in each. The oldest go first.
const SESSIONS = 10_000
const SIGN_INS = 10

const equal = (left, right) => {
  const [one, other] = [Buffer.from(left), Buffer.from(right)]
  return one.length === other.length && timingSafeEqual(one, other)
}
const trim = (map, most) => {
  while (map.size > most) map.delete(map.keys().next().value)
}

/** The cookie holds the session and a signature over it. What is secret about a session stays here; a server of several processes keeps it in its database. */
export class Sessions {
  #bindings = new Map()
  #notices = new Map()
  #key
  #secure

  constructor(key, secure) {
    this.#key = key
    this.#secure = secure
  }

  /** Every browser is a person of its own here. `owner`, the owner of accounts, comes from the session alone, never from what a request says. */
  create() {
    return { id: randomBytes(18).toString('base64url'), owner: `person-${randomBytes(8).toString('hex')}` }
  }

  /** For `Set-Cookie`. No script reads it. `Lax`: it comes along when Microsoft sends the browser back, and with no form or script of another site. */
  cookie({ id, owner }) {
    const text = Buffer.from(JSON.stringify({ id, owner, until: Math.floor(Date.now() / 1000) + LIFETIME })).toString('base64url')
    const value = `${text}.${this.#signed('session', text)}`
    return `${COOKIE}=${value}; Path=/; Max-Age=${LIFETIME}; HttpOnly; SameSite=Lax${this.#secure ? '; Secure' : ''}`
  }

  /** The session of a `Cookie` header, if it was signed here and has not expired. */
  read(header = '') {
    const value = header.split(/; */).find((one) => one.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? ''
    const [text, signature = ''] = value.split('.')
    if (!equal(signature, this.#signed('session', text))) return null
    const { id, owner, until } = JSON.parse(Buffer.from(text, 'base64url'))
    return until > Date.now() / 1000 ? { id, owner } : null
  }

  /** What a page of ours has to show with each call that changes something. Another site cannot read it. */
  csrf(session) {
    return this.#signed('csrf', session.id)
  }

  isOurs(session, token = '') {
    return equal(token, this.csrf(session))
  }

  /** The secret of a sign-in that was begun in this session. Several may be under way, in several tabs. */
  keepBinding(session, state, binding) {
    const begun = this.#bindings.get(session.id) ?? new Map()
    this.#bindings.delete(session.id)
    this.#bindings.set(session.id, begun.set(state, binding))
    trim(begun, SIGN_INS)
    trim(this.#bindings, SESSIONS)
  }

  /** Empty where this session began no such sign-in; the engine then refuses. */
  binding(session, state) {
    return this.#bindings.get(session.id)?.get(state) ?? ''
  }

  /** What the page shows once, when the browser is back. */
  leaveNotice(session, kind, text) {
    this.#notices.set(session.id, { kind, text })
    trim(this.#notices, SESSIONS)
  }

  takeNotice(session) {
    const notice = this.#notices.get(session.id) ?? null
    this.#notices.delete(session.id)
    return notice
  }

  #signed(what, text) {
    return createHmac('sha256', this.#key).update(`${what}:${text}`).digest('hex')
  }
}
