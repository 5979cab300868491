// The settings of a person's mailboxes: each method is one call of the JSON API. Nothing here knows of a web framework.

import { ConsentMissingError, NotFoundError, TidingsError } from 'tidings'
import { account, backfill, fields } from './plain.mjs'

const FEATURES = ['mail_sync', 'mail_send', 'shared_mailboxes', 'contacts', 'calendar', 'chat']
const RANGES = ['nothing', 'thirty_days', 'ninety_days', 'twelve_months', 'everything']
// From the best to the worst.
const BADGES = ['healthy', 'incomplete', 'never_synced', 'stale', 'error']

/** What this server refuses by itself. */
export class Refused extends Error {
  constructor(status, reason) {
    super(reason)
    this.status = status
  }
}

const known = (features) => {
  if (!Array.isArray(features) || features.length === 0 || !features.every((one) => FEATURES.includes(one))) {
    throw new Refused(400, 'Choose what the account is connected for.')
  }
  return features
}
const knownRange = (range) => {
  if (!RANGES.includes(range)) throw new Refused(400, 'Choose how far back mail is fetched.')
  return range
}
const stateOf = (url) => new URL(url).searchParams.get('state') ?? ''

export class Integration {
  constructor(engine, sessions, baseUrl, candidates) {
    Object.assign(this, { engine, sessions, candidates, redirectUri: `${baseUrl}/callback` })
  }

  // Connecting

  async permissions({ owner }, features, accountId) {
    const list = await this.engine.permissions({ features: features.length ? known(features) : [], accountId, owner })
    return { items: list.items.map((one) => fields(one, 'name', 'title', 'reason', 'needsAdmin', 'granted')), not_accessed: list.notAccessed }
  }

  async connect(session, features) {
    return this.#begun(session, await this.engine.connect({ owner: session.owner, features: known(features), redirectUri: this.redirectUri }))
  }

  async reconnect(session, id) {
    return this.#begun(session, await this.engine.reconnect(id, this.redirectUri, session.owner))
  }

  async addFeatures(session, id, features) {
    return this.#begun(session, await this.engine.addFeatures(id, known(features), this.redirectUri, session.owner))
  }

  /** What the administrator needs. An administrator may also open the address in this very browser, and comes back to the callback. */
  async approval(session, id) {
    const approval = await this.engine.approval(id, this.redirectUri, session.owner)
    return { ...this.#begun(session, approval), ...fields(approval, 'justification', 'sheet') }
  }

  /** The binding stays on this side; the browser gets the address alone. */
  #begun(session, { url, binding }) {
    this.sessions.keepBinding(session, stateOf(url), binding)
    return { url }
  }

  /** The browser is back from Microsoft. What came of it is shown by the page. */
  async finish(session, url) {
    let connected
    try {
      connected = await this.engine.finishConnect(url, this.sessions.binding(session, stateOf(url)))
    } catch (error) {
      if (!(error instanceof TidingsError)) throw error
      const waits = error instanceof ConsentMissingError
      const text = waits && error.accountId ? 'Your administrator has to approve this first. Below is what they need.' : error.reason
      return this.sessions.leaveNotice(session, waits ? 'waiting' : 'problem', text)
    }
    await this.#onlyNew(session, connected)
    for (const { id, address } of this.candidates) {
      // Mail with them is found by the candidate from now on.
      await this.engine.setLinkRule({ owner: session.owner, key: id, addresses: [address] })
    }
    const text = connected.state === 'connected' ? `${connected.address} is connected.` : (connected.problem ?? 'It is not connected yet.')
    this.sessions.leaveNotice(session, 'done', text)
  }

  /** Until the person has chosen how far back mail is fetched: without it the first sync brings all of it. */
  async #onlyNew({ owner }, { id, features }) {
    if (!features.includes('mail_sync') || (await this.engine.backfillStatus(id, owner))) return
    await this.engine.backfill(id, 'nothing', owner).catch((error) => {
      if (!(error instanceof TidingsError)) throw error // The mailbox is out of reach now; its page says so.
    })
  }

  // Accounts

  async accounts({ owner }) {
    const { items: records } = await this.engine.accounts({ owner, limit: 1000 })
    const health = await this.engine.health(owner).catch((error) => {
      if (!(error instanceof NotFoundError)) throw error
      return { accounts: [] }
    })
    const items = []
    for (const record of records) {
      const item = account(record, health.accounts.find(({ accountId }) => accountId === record.id))
      item.backfill = backfill(await this.engine.backfillStatus(record.id, owner))
      item.signature = (await this.engine.signature(record.id, owner))?.text ?? ''
      items.push(item)
    }
    // What a person has disconnected does not colour the dot, and an account that waits for an administrator is no error.
    const ranks = items.filter(({ state, badge }) => state !== 'disconnected' && badge)
      .map(({ state, badge }) => BADGES.indexOf(state === 'awaiting_admin' ? 'stale' : badge))
    return { badge: ranks.length ? BADGES[Math.max(...ranks)] : null, items }
  }

  async addShared(session, id, address) {
    const added = await this.engine.addSharedMailbox(id, address.trim(), session.owner)
    await this.#onlyNew(session, added)
    return account(added)
  }

  async verify({ owner }, id, testMessage) {
    const found = await this.engine.verify(id, testMessage, owner)
    const sent = found.testMessage ? fields(found.testMessage, 'state', 'reason') : null
    return { ...fields(found, 'mailbox', 'problems'), address: found.account.address, test_message: sent }
  }

  async sync({ owner }, id) {
    return fields(await this.engine.sync(id, owner), 'added', 'changed', 'moved', 'removed', 'quarantined', 'durationMs')
  }

  async disconnect({ owner }, id) {
    return account(await this.engine.disconnect(id, owner))
  }

  async setSignature({ owner }, id, text) {
    await this.engine.setSignature(id, text.trim() ? { text } : null, owner)
    return {}
  }

  // Mail of before

  async estimate({ owner }, id, range) {
    return fields(await this.engine.estimateBackfill(id, knownRange(range), owner), 'messages', 'folders', 'since')
  }

  async backfill({ owner }, id, action, range) {
    switch (action) {
      case 'start': return backfill(await this.engine.backfill(id, knownRange(range), owner))
      case 'pause': return backfill(await this.engine.pauseBackfill(id, owner))
      case 'resume': return backfill(await this.engine.resumeBackfill(id, owner))
      case 'cancel': return backfill(await this.engine.cancelBackfill(id, owner))
      default: throw new Refused(400, 'A back-fill is started, paused, resumed or cancelled.')
    }
  }
}
