// What the engines log while the scenarios run.

import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pass } from 'node:timers/promises'
import { logs } from '../../../bindings/node/lib/index.mjs'
import { short } from './matching.mjs'
import { canonical } from './values.mjs'

// Records come through a stream of their own, a moment after the call that caused them; this long a silence means that all are there.
const SILENCE_MS = 20

/** The records since the scenario began; or why there are none to be had. */
export class Logs {
  records = []

  constructor() {
    try {
      this.read(logs('trace')).catch((error) => (this.refused = error))
    } catch (error) {
      this.refused = error
    }
  }

  async read(stream) {
    for await (const record of stream) this.records.push(canonical(record))
  }

  /** A new scenario begins. */
  async begin() {
    if (!this.refused) await this.all()
    this.records = []
  }

  async all() {
    if (this.refused) throw this.refused
    for (let before = -1; before !== this.records.length; ) {
      before = this.records.length
      await pass(SILENCE_MS)
    }
    return [...this.records]
  }

  /** None of these may stand in any record. */
  async check(secrets) {
    const records = this.refused ? [] : await this.all()
    const evidence = process.env.TIDINGS_EVIDENCE // for the search of the whole run
    if (evidence) appendFileSync(join(evidence, 'logs-node.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    for (const record of records) {
      const texts = [record.message, record.target, ...record.fields.flatMap((field) => [field.name, field.value])].map((text) => Buffer.from(text))
      const found = secrets.find((secret) => secret.length && texts.some((text) => text.includes(secret)))
      if (found) throw new Error(`a log record holds ${found}: ${short(record)}`)
    }
  }
}
