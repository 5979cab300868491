// One scenario, step by step.

import { setTimeout as pass } from 'node:timers/promises'
import { mismatch, short } from './matching.mjs'
import { deliver } from './posts.mjs'
import { Refused, Stage } from './stage.mjs'
import { camel, canonical, fill, refusal, toNode } from './values.mjs'

const ACTIONS = ['sim', 'do', 'sign_in', 'let', 'cut', 'join', 'child', 'browse', 'check_disk', 'damage']
const TOKEN = /(?:access_token|refresh_token|id_token)\\?":\s*\\?"([^"\\]{16,})/g

/** Verbs that change the stage, or that the engine need not be open for. */
const ONCE = ['open', 'open_file', 'wrapped_root_key', 'deliver']

export async function run(sim, logs, scenario) {
  await logs.begin()
  const known = Object.fromEntries(['login', 'graph', 'stranger', 'bot', 'client_id'].map((key) => [key, sim.urls[key]]))
  for (const group of ['tls', 'tls12']) {
    for (const [name, value] of Object.entries(sim.urls[group] ?? {})) known[`${group}_${name}`] = value
  }
  const stage = await Stage.set(sim, known, scenario)
  const shown = []
  try {
    await play(stage, logs, known, shown, scenario)
  } finally {
    await sim.clearFaults() // nothing held may keep an engine from closing
    await stage.clear()
  }
  for (const accusation of (await sim.ask('ledger', {})).accusations) {
    if (!(scenario.accusations ?? []).includes(accusation.kind)) throw failed(`the simulator accuses: ${short(accusation)}`)
  }
  const exchanges = await sim.ask('exchanges')
  const text = typeof exchanges === 'string' ? exchanges : JSON.stringify(exchanges)
  const secrets = [...new Set([...text.matchAll(TOKEN)].map((match) => match[1])), ...stage.secrets]
  if (known.canary) secrets.push(known.canary)
  stage.checkDisk(secrets)
  if (scenario.never_shown) {
    // Nothing that came out, was logged or is stored repeats a secret that the simulator knows, in any encoding.
    const { found } = await sim.ask('secrets/find', { text: [...shown, JSON.stringify(await logs.all()), ...stage.texts()] })
    if (found.length) throw failed(`shown or stored of a secret: ${short(found)}`)
  }
  await logs.check(secrets)
  stage.remove()
}

async function play(stage, logs, known, shown, scenario) {
  const waiting = new Map()
  try {
    if (scenario.open ?? true) stage.open('first', {})
  } catch (error) {
    throw failed(`the engine did not open: ${error.message}`)
  }
  for (const [number, step] of scenario.steps.entries()) {
    let what
    try {
      // `expect` and `error` are filled in after the step, so that they may name what it saved.
      const { expect, error, ...action } = step
      const filled = fill(action, known)
      const outcomes = await settled(step, known, () => act(stage, logs, waiting, filled))
      if (['do', 'sign_in', 'child', 'join'].some((key) => key in step)) shown.push(...outcomes.map((o) => (o instanceof Refused ? o.message : JSON.stringify(o ?? null))))
      if ([step.do, step.child].includes('rotate_keys') && !step.kill_at && step.kill_after_ms === undefined && !step.background) {
        const key = filled.with?.new_root_key
        if (key && !(outcomes[0] instanceof Refused)) stage.useKey(key)
      }
      if (step.save) {
        const saved = outcomes.map((outcome) => (outcome instanceof Refused ? null : outcome))
        known[step.save] = saved.length === 1 ? saved[0] : saved
      }
      const wanted = fill({ expect, error }, known)
      for (const outcome of outcomes) what ??= judge(outcome, wanted)
    } catch (error) {
      what = error.message
    }
    const name = ACTIONS.find((action) => action in step)
    if (what) throw failed(`step ${number + 1} (${name} ${short(step[name])}): ${what} ${step.why ?? ''}`)
  }
}

/** The outcomes of a step; with `eventually` those that meet what is expected, or the last ones after 30 s. */
async function settled(step, known, call) {
  const until = Date.now() + 30_000
  for (;;) {
    const outcomes = await call()
    if (!step.eventually || Date.now() > until) return outcomes
    const wanted = fill({ expect: step.expect, error: step.error }, known)
    if (!outcomes.some((outcome) => judge(outcome, wanted))) return outcomes
    await pass(20)
  }
}

/** The one thing a step does: its outcome, or one for each of `times` calls. */
async function act(stage, logs, waiting, step) {
  const given = step.with ?? {}
  const on = step.on ?? 'first'
  let calls
  if (step.join) {
    return waiting.get(step.join)
  } else if (step.child) {
    let opened
    const open = new Promise((done) => (opened = done))
    calls = [stage.child(step.child, given, step.kill_at, step.kill_after_ms, Boolean(step.still), opened)]
    if (step.background) await Promise.race([open, calls[0].catch(() => {})])
  } else if (step.do === 'logs') {
    calls = [logs.all()]
  } else if (step.do === 'connect_here' || step.do === 'connect_device') {
    const [signIn] = await gather([stage.player(on).engine[camel(step.do)](toNode(given))])
    if (signIn instanceof Refused) return [signIn]
    waiting.set(step.background, gather([signIn.wait().then(canonical)]))
    const shown = step.do === 'connect_here' ? ['url'] : ['user_code', 'verification_uri', 'message', 'expires_at']
    return [Object.fromEntries(shown.map((name) => [name, canonical(signIn[camel(name)]())]))]
  } else if (step.do && !ONCE.includes(step.do)) {
    const player = stage.player(on)
    calls = Array.from({ length: step.times ?? 1 }, () => player.call(step.do, given))
  } else {
    calls = [simple(stage, step, given, on)]
  }
  if (step.background) {
    waiting.set(step.background, gather(calls))
    return [null]
  }
  return gather(calls)
}

/** The outcomes, a failure of the engine as a value. */
const gather = (calls) =>
  Promise.all(
    calls.map((call) =>
      call.catch((error) => {
        if (error instanceof Refused) return error
        const record = refusal(error)
        if (record) return new Refused(record)
        throw error
      }),
    ),
  )

/** Whatever is done once and at once. */
async function simple(stage, step, given, on) {
  const { sim } = stage
  if (step.sim) {
    if (step.sim === 'faults' && !step.with) return sim.clearFaults()
    const answer = await sim.ask(step.sim, step.with)
    if (step.sim === 'clock' && stage.clock) await sim.catchUp(stage.clock)
    return answer
  }
  if (step.browse) return sim.browse(step.browse)
  if (step.let) return step.let
  if (step.cut) {
    const found = step.cut.match(new RegExp(step.by))
    if (!found) throw new Error('nothing to cut out')
    return found[1]
  }
  if (step.damage) return stage.damage(step.damage)
  if (step.check_disk) return stage.checkDisk(step.check_disk)
  if (step.sign_in) return signIn(stage, step.sign_in)
  if (step.do === 'open_file') return stage.openFile(given)
  if (step.do === 'wrapped_root_key') return stage.wrappedRootKey()
  if (step.do === 'deliver') return deliver(stage.player(on).engine, stage.sim, given)
  return stage.open(on, given)
}

/** connect, the simulator's sign-in page, finish_connect. */
async function signIn(stage, { as, organisation, ...request }) {
  const player = stage.player('first')
  if (organisation) return connectOrganisation(stage, player, as, request)
  const usual = { owner: 'owner-1', features: ['chat', 'mail_send', 'mail_sync'], redirect_uri: 'http://localhost/callback' }
  const started = await player.call('connect', { ...usual, ...request })
  const page = await stage.sim.ask('signin', { url: started.url, as })
  return player.call('finish_connect', { callback_url: page.location, binding: started.binding })
}

/** connect_tenant, the sign-in page, approval, the page for administrators. */
async function connectOrganisation(stage, player, as, request) {
  const redirect = 'http://localhost/callback'
  let started = await player.call('connect_tenant', { owner: 'owner-1', redirect_uri: redirect, ...request })
  for (const part of ['who', 'approval']) {
    const page = await stage.sim.ask('signin', { url: started.url, as })
    const account = await player.call('finish_connect', { callback_url: page.location, binding: started.binding })
    if (part === 'approval' || account.state === 'connected') return account
    started = await player.call('approval', { account_id: account.id, redirect_uri: redirect })
  }
}

/** What is wrong with an outcome. */
function judge(outcome, { expect, error }) {
  if (outcome instanceof Refused) return error ? mismatch(error, outcome.record, 'error') : `failed: ${short(outcome.record)}`
  if (error) return `expected error ${short(error)}, saw ${short(outcome)}`
  return expect === undefined ? undefined : mismatch(expect, outcome ?? null)
}

function failed(message) {
  return Object.assign(new Error(message), { failed: true })
}
