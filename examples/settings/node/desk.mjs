// The page of a candidate: the mail with them, and a mail to them. Candidates and templates stand for those of your own database.

import { readFileSync } from 'node:fs'
import { attachmentFrom, mail, reply, TidingsError } from 'tidings'
import { Refused } from './integration.mjs'
import { fields, message, receipt, thread } from './plain.mjs'

export const { candidates: CANDIDATES, templates: TEMPLATES } = JSON.parse(readFileSync(new URL('../desk.json', import.meta.url), 'utf8'))

const one = (of, id, what) => {
  const found = of.find((item) => item.id === id)
  if (!found) throw new Refused(404, `There is no such ${what}.`)
  return found
}
const text = (of, name) => {
  if (typeof of?.[name] !== 'string') throw new Refused(400, `The text '${name}' is missing.`)
  return of[name]
}
const time = (of, name) => {
  if (!of[name]) return undefined
  const at = new Date(text(of, name))
  if (Number.isNaN(at.getTime())) throw new Refused(400, 'The time to send at is not one.')
  return at
}

export class Desk {
  constructor(engine) {
    this.engine = engine
  }

  // Reading

  /** Everything that the page shows at first. `last` is the account this person wrote from last to this candidate. */
  async candidate({ owner }, id) {
    const candidate = one(CANDIDATES, id, 'candidate')
    const { items: threads } = await this.engine.threads({ owner, link: id, limit: 50 })
    const last = await this.engine.lastSender(owner, id)
    const sends = await this.engine.outbox({ owner, limit: 200 })
    return {
      candidate,
      threads: threads.map(thread),
      senders: (await this.#senders(owner)).map((sender) => fields(sender, 'id', 'address', 'displayName', 'kind')),
      last: last?.accountId ?? null,
      templates: TEMPLATES.map(({ id, name }) => ({ id, name })),
      outbox: sends.filter(({ link, state }) => link === id && state !== 'sent' && state !== 'cancelled').map(receipt),
    }
  }

  async #senders(owner) {
    const { items } = await this.engine.accounts({ owner, state: 'connected', limit: 1000 })
    return items.filter(({ features, missing }) => features.includes('mail_send') && !missing.includes('mail_send'))
  }

  async thread({ owner }, messageId) {
    const found = await this.engine.thread(messageId, owner)
    return { ...fields(found, 'accountId', 'subject'), messages: found.messages.map(message) }
  }

  /** HTML as the engine cleans it; it is shown in a frame in which nothing runs. Pictures of the mail itself are in it, others are never loaded. */
  async body({ owner }, messageId) {
    try {
      return (await this.engine.body(messageId, owner, 'html', { inlineImages: 'data' })).html
    } catch (error) {
      if (!(error instanceof TidingsError)) throw error
      // They come from the mailbox, which may be out of reach.
      return (await this.engine.body(messageId, owner, 'html', { inlineImages: 'leave_out' })).html
    }
  }

  async attachment({ owner }, messageId, attachmentId) {
    return this.engine.attachment(messageId, attachmentId, owner)
  }

  // Writing

  /** Drafts name an account and no owner, so whose it is is asked here. */
  #own({ owner }, accountId) {
    return this.engine.account(accountId, owner)
  }

  /** A template with what is known of the candidate in it, to be read and changed before it is sent. */
  async fill(session, id, templateId, accountId) {
    const candidate = one(CANDIDATES, id, 'candidate')
    const { subject, body } = one(TEMPLATES, templateId, 'template')
    const sender = await this.#own(session, accountId)
    const mergeFields = {
      'candidate.first_name': candidate.first_name, 'candidate.name': candidate.name, 'job.title': candidate.job, 'sender.name': sender.displayName || sender.address,
    }
    return fields(await this.engine.preview(mail({ accountId: sender.id, to: candidate.address, subject, body, mergeFields })), 'subject', 'body')
  }

  async stage(session, accountId, name, contentType, content) {
    const { id } = await this.#own(session, accountId)
    return fields(await attachmentFrom(this.engine, id, content, { name, contentType }), 'name', 'contentType', 'staged')
  }

  async send(session, id, said) {
    const candidate = one(CANDIDATES, id, 'candidate')
    const { id: accountId } = await this.#own(session, text(said, 'account_id'))
    const files = (said.attachments ?? []).map((file) => ({
      name: text(file, 'name'), content: Buffer.alloc(0), contentType: text(file, 'content_type'), staged: text(file, 'staged'),
    }))
    const shared = {
      accountId,
      body: text(said, 'body'),
      attachments: files,
      sendAt: time(said, 'send_at'),
      // A second press of the button, or a second try after a lost answer, sends nothing twice.
      key: `${id}/${text(said, 'key')}`,
      // The next mail to this candidate offers the same sender.
      context: id,
      link: id,
      addSignature: Boolean(said.add_signature),
    }
    const draft = said.reply_to
      ? reply({ ...shared, messageId: text(said, 'reply_to') })
      : mail({ ...shared, to: candidate.address, subject: text(said, 'subject') })
    return receipt(await this.engine.send(draft))
  }

  async cancel({ owner }, receiptId) {
    return receipt(await this.engine.cancel(receiptId, owner))
  }
}
