// The simulator: one process for the whole run, and its control endpoints.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
// So long, in real time, nobody waits for the clock before a second passes on it.
const QUIET_MS = 3000

export class Sim {
  constructor(control, urls) {
    this.control = control
    this.urls = urls
  }

  static async start(language) {
    const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target')
    const record = process.env.RECORD === undefined ? [] : ['--record', join(ROOT, `target/exchanges-${language}.jsonl`)]
    // It ends when our end of its standard input closes.
    const child = spawn(process.env.TIDINGS_SIM ?? join(target, 'debug/m365-sim'), ['--with-parent', ...record], { stdio: ['pipe', 'pipe', 'inherit'] })
    const [line] = await once(createInterface({ input: child.stdout }), 'line')
    const urls = JSON.parse(line)
    return new Sim(urls.control, urls)
  }

  /** POST with a body, GET without. */
  async ask(path, body, method = body === undefined ? 'GET' : 'POST') {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${this.control}/${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`simulator, ${path}: ${answer.status} ${text}`)
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }

  clearFaults() {
    return this.ask('faults', undefined, 'DELETE')
  }

  /** Fetches an address as a browser would. */
  async browse(url) {
    const answer = await fetch(url)
    await answer.text()
    return { status: answer.status }
  }

  async now(advance = 0) {
    return (await this.ask('clock', { advance_ms: advance })).now_ms
  }

  /** The simulator's clock is the truth; the engine's follows it, whoever moved it. */
  async catchUp(clock) {
    clock.advance(Math.max(0, (await this.now()) - Number(clock.nowMs())))
  }

  /**
   * Whenever the engine waits, moves both clocks to where it waits for. Where nobody does for long, a second passes: an engine that waits for what
   * another process does looks again after a while.
   */
  async follow(clock, signal) {
    while (!signal.aborted) {
      const quiet = AbortSignal.timeout(QUIET_MS)
      const wait = await clock.nextWait({ signal: AbortSignal.any([signal, quiet]) }).then(Number, (error) => {
        if (quiet.aborted && !signal.aborted) return 1000
        throw error
      })
      const wake = Number(clock.nowMs()) + wait
      const now = await this.now()
      if (wake > now) await this.now(wake - now)
      await this.catchUp(clock)
    }
  }
}
