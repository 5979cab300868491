// What stands on the stage while a scenario runs: store, key, clock, engines, and the second process.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as pass } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Engine, TestClock, attachmentFrom, generateRootKey, wrappedRootKey } from '../../../bindings/node/lib/index.mjs'
import * as apps from './apps.mjs'
import * as content from './content.mjs'
import { receive } from './posts.mjs'
import * as raw from './raw.mjs'
import { Sim } from './sim.mjs'
import { camel, canonical, config, draft, endpointTarget, fill, refusal, rootKey, secretsOf, signature, toNode } from './values.mjs'

const FINAL = ['sent', 'unknown', 'failed', 'cancelled']
/** Verbs whose arguments are not one record. */
const PLAIN = {
  finish_connect: ['callback_url', 'binding'], account: ['account_id', 'owner'], disconnect: ['account_id', 'owner'], receipt: ['receipt_id', 'owner'], cancel: ['receipt_id', 'owner'], retry: ['receipt_id', 'even_if_unknown', 'owner'], sync: ['account_id', 'owner'],
  folders: ['account_id', 'owner'], quarantined: ['account_id', 'owner'], message: ['message_id', 'owner'], body: ['message_id', 'owner', 'form', 'options'], thread: ['message_id', 'owner'], mark_read: ['message_id', 'is_read', 'owner'], mark_all_read: ['message_ids', 'is_read', 'owner'], flag: ['message_ids', 'status', 'due_at', 'owner'], categorize: ['message_ids', 'add', 'remove', 'owner'],
  move_messages: ['message_ids', 'folder', 'owner'], archive: ['message_ids', 'owner'], link: ['message_ids', 'key', 'owner'], unlink: ['message_ids', 'key', 'owner'], link_rules: ['owner'], remove_link_rule: ['owner', 'key'], close: [], metrics: [],
  reconnect: ['account_id', 'redirect_uri', 'owner'], add_features: ['account_id', 'features', 'redirect_uri', 'owner'], approval: ['account_id', 'redirect_uri', 'owner'],
  add_shared_mailbox: ['account_id', 'address', 'owner'], resume: ['account_id', 'owner'], signature: ['account_id', 'owner'], sync_all: ['owner'], start: [], run_once: ['deadline_ms'], estimate_backfill: ['account_id', 'range', 'owner'], backfill: ['account_id', 'range', 'owner'],
  pause_backfill: ['account_id', 'owner'], resume_backfill: ['account_id', 'owner'], cancel_backfill: ['account_id', 'owner'], backfill_status: ['account_id', 'owner'], choose_folders: ['account_id', 'folders', 'owner'],
  find_person: ['account_id', 'address', 'owner'], teams: ['account_id', 'owner'], channels: ['account_id', 'team_id', 'owner'], all_channels: ['account_id', 'owner'],
  chats: ['account_id', 'limit', 'owner'], chat_messages: ['account_id', 'chat_id', 'limit', 'owner'],
  last_sender: ['owner', 'context'], delete_sent: ['receipt_id', 'owner'], health: ['owner'], delete_owner: ['owner'], restore_owner: ['owner'],
  bot_activity: ['id', 'owner'], typing: ['account_id', 'conversation_id', 'owner'],
  change_endpoint: ['endpoint_id', 'change', 'owner'], remove_endpoint: ['endpoint_id', 'owner'],
  roster: ['account_id', 'team_id', 'limit', 'cursor', 'owner'],
  add_workflow: ['owner', 'name', 'url', 'context'], workflows: ['owner'], watch: ['account_id', 'on', 'owner'], remove_workflow: ['workflow_id', 'owner'],
}

/** A call failed; the error as a record. */
export class Refused extends Error {
  constructor(record) {
    super(JSON.stringify(record))
    this.record = record
  }
}

export class Stage {
  /** `known` are the values that the settings of the file may name; `data_dir` comes to them. */
  static async set(sim, known, scenario) {
    const stage = new Stage()
    const time = scenario.clock ?? '2026-01-15T09:00:00Z'
    await sim.ask('reset', { clock: time })
    await sim.ask('record', { on: true }) // to know the tokens that may not be found on disk
    stage.sim = sim
    stage.folder = mkdtempSync(join(tmpdir(), 'tidings-'))
    stage.store = join(stage.folder, 'store')
    stage.key = stage.rightKey = Buffer.from(generateRootKey())
    const { login, graph, client_id } = sim.urls
    known.data_dir = stage.store
    stage.settings = { data_dir: stage.store, client_id, cloud: { custom: { login, graph } }, ...fill(scenario.engine ?? {}, known) }
    // Texts that may stand nowhere: keys, passphrases, client secrets.
    stage.secrets = [stage.key, stage.key.toString('hex'), ...secretsOf(stage.settings)]
    stage.players = new Map()
    stage.over = new AbortController()
    if (time !== 'wall') {
      stage.clock = new TestClock(await sim.now())
      sim.follow(stage.clock, stage.over.signal).catch(() => {}) // ends with the scenario
    }
    return stage
  }

  /** Opens an engine; `given` changes settings for this one time, the key among them. */
  open(name, given) {
    this.secrets.push(...secretsOf(given))
    this.players.set(name, Player.onStage({ ...this.settings, ...given }, this.key, this.clock))
    return null
  }

  /** Writes the file beside the store, sets the variables it names, and opens the first engine with it. */
  openFile({ toml, env }) {
    const file = join(this.folder, 'tidings.toml')
    writeFileSync(file, toml)
    Object.assign(process.env, env)
    this.players.set('first', new Player(Engine.open(file, this.key)))
    return null
  }

  wrappedRootKey() {
    return wrappedRootKey(this.store)?.toString() ?? null
  }

  /** A rotation has replaced the root key: engines are opened with this one from here on. */
  useKey(key) {
    this.key = Buffer.from(key)
    this.secrets.push(this.key, this.key.toString('hex'))
  }

  player(name) {
    if (!this.players.has(name) && name !== 'first') this.open(name, {})
    return this.players.get(name)
  }

  damage(how) {
    const kept = join(this.folder, 'kept')
    if (how === 'root_key') this.key = Buffer.from(generateRootKey())
    else if (how === 'right_key') this.key = this.rightKey
    else if (how === 'keep') copy(this.store, kept)
    else if (how === 'restore') copy(kept, this.store)
    else if (how.restore) copyFileSync(join(kept, how.restore), join(this.store, how.restore))
    else {
      const size = (file) => statSync(file).size
      const main = this.files().filter((f) => !/-(wal|shm)$/.test(f)).sort((a, b) => size(b) - size(a))[0]
      const data = readFileSync(main)
      const quarter = Math.floor(data.length / 4)
      if (how === 'flip_page') for (let i = quarter; i < 3 * quarter; i++) data[i] ^= 255
      if (typeof how === 'object') replace(data, ...how.replace.map((text) => Buffer.from(text)))
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

  /** Every file of the store, a character for each byte. */
  texts() {
    return this.files().map((file) => readFileSync(file).toString('latin1'))
  }

  /** A second process of this language on the same store, killed when that fault is reached, or so long after it opened the store. `opened` is called when it has the store open, or has ended. */
  async child(verb, given, killAt, killAfterMs, still, opened) {
    const order = {
      control: this.sim.control, settings: this.settings, key: this.key.toString('hex'),
      now_ms: this.clock ? Number(this.clock.nowMs()) : null, verb, with: given,
      stays: Boolean(killAt), still,
    }
    const runner = fileURLToPath(new URL('runner.mjs', import.meta.url))
    const child = spawn(process.execPath, [runner, '--child'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    const output = text(child.stdout)
    child.stdin.end(JSON.stringify(order))
    try {
      await Promise.race([once(child.stdout, 'data'), ended])
      opened()
      if (killAt || killAfterMs !== undefined) {
        if (killAt) await this.sim.ask('faults/reached', { name: killAt })
        else await pass(killAfterMs)
        child.kill('SIGKILL')
        await ended
        return null
      }
      const said = JSON.parse((await output).trim().split('\n').at(-1))
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
    const evidence = process.env.TIDINGS_EVIDENCE // for the search of the whole run
    if (evidence && existsSync(this.store)) copy(this.store, join(evidence, `node-${basename(this.folder)}`))
    rmSync(this.folder, { recursive: true, force: true })
  }

  files() {
    return existsSync(this.store) ? readdirSync(this.store).map((name) => join(this.store, name)).filter((f) => statSync(f).isFile()) : []
  }
}

/** Everything of one folder to another, which holds nothing else afterwards. */
function copy(from, to) {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true })
}

/** In every place of the bytes. */
function replace(data, before, after) {
  if (!data.includes(before) || before.length !== after.length) throw new Error('the main file does not hold that text, or the texts differ in length')
  for (let at = data.indexOf(before); at >= 0; at = data.indexOf(before, at + 1)) after.copy(data, at)
}

/** An engine, the stream of everybody's events that was opened with it, and those of the owners that a scenario names. */
class Player {
  constructor(engine) {
    this.engine = engine
    this.events = new Map([[undefined, engine.events()]])
  }

  static onStage(settings, key, clock) {
    const [made, root] = [config(settings), rootKey(settings, key)]
    return new Player(clock ? Engine.openWithClock(made, root, clock) : Engine.open(made, root))
  }

  async call(verb, given) {
    if (['send', 'enqueue', 'preview'].includes(verb)) return canonical(await this.engine[verb](draft(given)))
    if (verb === 'attachment_from') return attachment(this.engine, given)
    if (verb === 'edit' || verb === 'edit_sent') return canonical(await this.engine[camel(verb)](given.receipt_id, draft(given.draft), given.owner))
    if (verb === 'set_signature') return canonical(await this.engine.setSignature(given.account_id, signature(given.signature), given.owner))
    if (verb === 'enqueue_all') return canonical(await this.engine.enqueueAll(given.drafts.map(draft)))
    if (verb === 'audit') return canonical(await this.engine.audit(given.limit ?? 1000, given.cursor, given.owner))
    if (verb === 'trim_audit') return canonical(await this.engine.trimAudit(given.exported))
    if (verb === 'verify_audit') return canonical(await this.engine.verifyAudit(given.expected, given.owner))
    if (verb === 'verify') return canonical(await this.engine.verify(given.account_id, given.test_message ?? false, given.owner))
    if (verb === 'rotate_keys') {
      const { new_root_key, ...rotation } = given
      return canonical(await this.engine.rotateKeys(toNode(new_root_key ? { newRootKey: Buffer.from(new_root_key), ...rotation } : rotation)))
    }
    if (verb === 'changes') {
      const { limit, ...query } = given
      return canonical(await this.engine.changes(toNode(query)).ready(limit ?? 1000))
    }
    if (verb === 'events') return this.eventsUntil(given.owner, given.until)
    if (verb in apps) return apps[verb](this.engine, given)
    if (verb in content) return content[verb](this.engine, given)
    if (verb === 'receive') return receive(this.engine, given)
    if (verb in raw) return raw[verb](this.engine, given)
    if (verb === 'settled') return this.settled(given.receipt_id)
    for (const name of ['received_after', 'received_before', 'starting', 'ending', 'due_at']) if (given[name]) given = { ...given, [name]: new Date(given[name]) }
    if (given.target) given = { ...given, target: endpointTarget(given.target) }
    if (verb === 'change_endpoint' && given.change.target) given = { ...given, change: { ...given.change, target: endpointTarget(given.change.target) } }
    const args = PLAIN[verb] ? PLAIN[verb].map((name) => (name === 'options' || name === 'change' ? toNode(given[name]) : given[name])) : [toNode(given)]
    return canonical(await this.engine[camel(verb)](...args))
  }

  /** Types of the events up to the one named; none when none is named. */
  async eventsUntil(owner, until) {
    const types = []
    if (!this.events.has(owner)) this.events.set(owner, this.engine.events(owner))
    while (until !== undefined && types.at(-1) !== until) {
      const event = await this.events.get(owner).next()
      if (!event) throw new Error(`the stream ended before ${until}; saw ${types}`)
      types.push(Object.keys(canonical(event))[0])
    }
    return types
  }

  /** Waits for the receipt's end along the change feed, which rings for every change of it. */
  async settled(receiptId) {
    const feed = this.engine.changes({ accountId: (await this.engine.receipt(receiptId)).accountId })
    for (;;) {
      const receipt = canonical(await this.engine.receipt(receiptId))
      if (FINAL.includes(receipt.state)) return receipt
      await feed.next(1000)
    }
  }
}

/** An attachment of so many bytes, each its place modulo 251. The source `fails` or is given up, `stops`, after so many of them. */
async function attachment(engine, { account_id, bytes, source = 'async', fails, stops, ...given }) {
  const over = new AbortController()
  const block = Buffer.from(Array.from({ length: 251 }, (_, n) => n))
  function* pieces() {
    for (let at = 0; at < bytes; at += 1_000_000) {
      if (at >= (fails ?? Infinity)) throw new RangeError('the source failed')
      if (at >= (stops ?? Infinity)) over.abort()
      const piece = Buffer.alloc(Math.min(1_000_000, bytes - at))
      for (let n = -(at % 251); n < piece.length; n += 251) block.copy(piece, Math.max(n, 0), Math.max(-n, 0))
      yield piece
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'attachment-'))
  const options = { name: 'big.bin', ...toNode(given), signal: over.signal }
  const made = {
    bytes: () => Buffer.concat([...pieces()]),
    file: () => new Blob([...pieces()]),
    iterator: pieces,
    async: () => Readable.from(pieces()),
    path: () => {
      const path = join(folder, options.name)
      delete options.name
      writeFileSync(path, Buffer.concat([...pieces()]))
      return path
    },
  }
  try {
    return canonical(await attachmentFrom(engine, account_id, made[source](), options))
  } catch (error) {
    if (error instanceof RangeError) return { stream: 'failed' }
    if (error?.name === 'AbortError') return { stream: 'cancelled' }
    throw error
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The second process of a scenario: one verb on the store it is told, then the end. */
export async function serve(order) {
  const over = new AbortController()
  const sim = new Sim(order.control)
  const clock = order.now_ms === null ? undefined : new TestClock(order.now_ms)
  if (clock && !order.still) sim.follow(clock, over.signal).catch(() => {}) // ends with the process
  let said
  try {
    const player = Player.onStage(order.settings, Buffer.from(order.key, 'hex'), clock)
    process.stdout.write('opened\n')
    said = { ok: await player.call(order.verb, order.with) }
    // What goes on in the background is what it is killed in. Long enough for whoever kills it; not for ever, should that one be gone.
    if (order.stays) await pass(150_000)
    await player.engine.close()
  } catch (error) {
    said = { error: refusal(error) ?? { kind: 'scenario', reason: String(error) } }
  }
  over.abort()
  await new Promise((done) => process.stdout.write(JSON.stringify(said), done))
}
