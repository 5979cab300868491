// The simulator: one process for the whole run, and its control endpoints.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pass } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
// So long, in real time, nobody waits for the clock before a second passes on it.
const QUIET_MS = 3000
// How often is looked whether another process has moved the simulator's clock.
const TICK_MS = 100
// A wait up to this is a look at what others do, and that takes real time: a tenth of it passes. Without that, a lease would run out under a process that
// works as fast as a busy machine lets it.
const LOOK_MS = 1000

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
    let quiet = 0
    while (!signal.aborted) {
      const tick = AbortSignal.timeout(TICK_MS)
      let wait = await clock.nextWait({ signal: AbortSignal.any([signal, tick]) }).then(Number, (error) => {
        if (tick.aborted && !signal.aborted) return undefined
        throw error
      })
      if (wait === undefined && quiet < QUIET_MS) {
        quiet += TICK_MS
        await this.catchUp(clock)
        continue
      }
      quiet = 0
      wait ??= 1000
      const wake = Number(clock.nowMs()) + wait
      if (wait <= LOOK_MS) await pass(wait / 10)
      const now = await this.now()
      if (wake > now) await this.now(wake - now)
      await this.catchUp(clock)
    }
  }
}
