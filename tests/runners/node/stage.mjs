// What stands on the stage while a scenario runs: store, key, clock, engines, and the second process.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Engine, RootKey, TestClock, generateRootKey } from '../../../bindings/node/lib/index.mjs'
import { Sim } from './sim.mjs'
import { camel, canonical, config, draft, refusal, toNode } from './values.mjs'

const FINAL = ['sent', 'unknown', 'failed', 'cancelled']
/** Verbs whose arguments are not one record. */
const PLAIN = {
  finish_connect: ['callback_url', 'binding'], account: ['account_id'], disconnect: ['account_id'], receipt: ['receipt_id'], sync: ['account_id'],
  folders: ['account_id'], message: ['message_id'], body: ['message_id'], thread: ['message_id'], mark_read: ['message_id', 'is_read'], close: [],
}

/** A call failed; the error as a record. */
export class Refused extends Error {
  constructor(record) {
    super(JSON.stringify(record))
    this.record = record
  }
}

export class Stage {
  static async set(sim, scenario) {
    const stage = new Stage()
    const time = scenario.clock ?? '2026-01-15T09:00:00Z'
    await sim.ask('reset', { clock: time })
    await sim.ask('record', { on: true }) // to know the tokens that may not be found on disk
    stage.sim = sim
    stage.folder = mkdtempSync(join(tmpdir(), 'tidings-'))
    stage.store = join(stage.folder, 'store')
    stage.key = stage.rightKey = Buffer.from(generateRootKey())
    const { login, graph, client_id } = sim.urls
    stage.settings = { data_dir: stage.store, client_id, cloud: { custom: { login, graph } }, ...scenario.engine }
    stage.players = new Map()
    stage.over = new AbortController()
    if (time !== 'wall') {
      stage.clock = new TestClock(await sim.now())
      sim.follow(stage.clock, stage.over.signal).catch(() => {}) // ends with the scenario
    }
    return stage
  }

  /** Opens an engine; `given` changes settings for this one time, `root_key` among them. */
  open(name, given) {
    const { root_key, ...settings } = { ...this.settings, ...given }
    this.players.set(name, new Player(settings, root_key === undefined ? this.key : Buffer.from(root_key), this.clock))
    return null
  }

  player(name) {
    if (!this.players.has(name) && name !== 'first') this.open(name, {})
    return this.players.get(name)
  }

  damage(how) {
    if (how === 'root_key') this.key = Buffer.from(generateRootKey())
    else if (how === 'right_key') this.key = this.rightKey
    else {
      const size = (file) => statSync(file).size
      const main = this.files().filter((f) => !/-(wal|shm)$/.test(f)).sort((a, b) => size(b) - size(a))[0]
      const data = readFileSync(main)
      const quarter = Math.floor(data.length / 4)
      if (how === 'flip_page') for (let i = quarter; i < 3 * quarter; i++) data[i] ^= 255
      writeFileSync(main, how === 'truncate' ? data.subarray(0, Math.floor(data.length / 2)) : data)
    }
    return null
  }

  /** None of these may stand in any file of the store. */
  checkDisk(secrets) {
    for (const file of this.files()) {
      const data = readFileSync(file)
      const found = secrets.find((secret) => secret.length && data.includes(secret))
      if (found) throw new Error(`${file} holds ${found} in the clear`)
    }
    return null
  }

  /** A second process of this language on the same store. With `killAt` it is killed when that fault is reached. */
  async child(verb, given, killAt) {
    const order = {
      control: this.sim.control, settings: this.settings, key: this.key.toString('hex'),
      now_ms: this.clock ? Number(this.clock.nowMs()) : null, verb, with: given,
    }
    const runner = fileURLToPath(new URL('runner.mjs', import.meta.url))
    const child = spawn(process.execPath, [runner, '--child'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    child.stdin.end(JSON.stringify(order))
    try {
      if (killAt) {
        await this.sim.ask('faults/reached', { name: killAt })
        child.kill('SIGKILL')
        await ended
        return null
      }
      const said = JSON.parse(await text(child.stdout))
      if (said.error) throw new Refused(said.error)
      return said.ok
    } finally {
      if (this.clock) await this.sim.catchUp(this.clock)
    }
  }

  /** The engines off the stage, as a host would end them. The files stay until `remove`. */
  async clear() {
    for (const player of this.players.values()) await player.engine.close()
    this.over.abort()
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true })
  }

  files() {
    return existsSync(this.store) ? readdirSync(this.store).map((name) => join(this.store, name)).filter((f) => statSync(f).isFile()) : []
  }
}

/** An engine and the stream that was opened with it. */
class Player {
  constructor(settings, key, clock) {
    this.engine = clock ? Engine.openWithClock(config(settings), RootKey.raw(key), clock) : Engine.open(config(settings), RootKey.raw(key))
    this.events = this.engine.events()
  }

  async call(verb, given) {
    if (verb === 'send' || verb === 'enqueue') return canonical(await this.engine[verb](draft(given)))
    if (verb === 'changes') return canonical(await this.engine.changes(given.cursor).ready(given.limit ?? 1000))
    if (verb === 'events') return this.eventsUntil(given.until)
    if (verb === 'settled') return this.settled(given.receipt_id)
    const args = PLAIN[verb] ? PLAIN[verb].map((name) => given[name]) : [toNode(given)]
    return canonical(await this.engine[camel(verb)](...args))
  }

  /** Types of the events up to the one named. */
  async eventsUntil(until) {
    const types = []
    while (types.at(-1) !== until) {
      const event = await this.events.next()
      if (!event) throw new Error(`the stream ended before ${until}; saw ${types}`)
      types.push(Object.keys(canonical(event))[0])
    }
    return types
  }

  /** Waits for the receipt's end along the change feed, which rings for every change of it. */
  async settled(receiptId) {
    const feed = this.engine.changes()
    for (;;) {
      const receipt = canonical(await this.engine.receipt(receiptId))
      if (FINAL.includes(receipt.state)) return receipt
      await feed.next(1000)
    }
  }
}

/** The second process of a scenario: one verb on the store it is told, then the end. */
export async function serve(order) {
  const over = new AbortController()
  const sim = new Sim(order.control)
  const clock = order.now_ms === null ? undefined : new TestClock(order.now_ms)
  if (clock) sim.follow(clock, over.signal).catch(() => {}) // ends with the process
  let said
  try {
    const player = new Player(order.settings, Buffer.from(order.key, 'hex'), clock)
    said = { ok: await player.call(order.verb, order.with) }
    await player.engine.close()
  } catch (error) {
    said = { error: refusal(error) ?? { kind: 'scenario', reason: String(error) } }
  }
  over.abort()
  await new Promise((done) => process.stdout.write(JSON.stringify(said), done))
}
