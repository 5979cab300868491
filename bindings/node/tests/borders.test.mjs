// Threads, contexts, copies of the package, and how processes end.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import v8 from 'node:v8'
import vm from 'node:vm'
import { Worker } from 'node:worker_threads'
import * as tidings from '../lib/index.mjs'
import { config, opened, run } from './engines.mjs'

const { ClosedError, InvalidInputError, RootKey, Secret, TestClock, generateRootKey, logs } = tidings
const lib = fileURLToPath(new URL('../lib/', import.meta.url))
const require = createRequire(import.meta.url)
const fresh = () => mkdtempSync(join(tmpdir(), 'tidings-'))

const copies = {
  structuredClone: (it) => structuredClone(it),
  'structuredClone, deep inside': (it) => structuredClone({ deep: [it] }),
  'postMessage of a port': (it, port) => port.postMessage(it),
  'postMessage of a channel': (it, port, channel) => channel.postMessage(it),
  workerData: (it) => new Worker('', { eval: true, workerData: it }),
  'v8.serialize': (it) => v8.serialize(it),
  'JSON.stringify': (it) => JSON.stringify(it),
  'JSON.stringify, deep inside': (it) => JSON.stringify({ deep: [it] }),
  spread: (it) => ({ ...it }),
  'Object.assign': (it) => Object.assign({}, it),
}

test('what belongs to a thread is not copied into an empty object', async () => {
  const engine = opened()
  const { port1, port2 } = new MessageChannel()
  const channel = new BroadcastChannel('tidings')
  const all = [
    engine, engine.events(), engine.changes({ owner: 'me' }), logs('error'), await engine.connectHere({ owner: 'x', features: ['chat'] }),
    new Secret('hidden'), RootKey.raw(generateRootKey()), RootKey.passphrase('correct horse battery'), new TestClock(1),
  ]
  for (const it of all) {
    const name = it.constructor.name
    assert.equal(it.constructor, tidings[name])
    for (const [how, copy] of Object.entries(copies)) {
      assert.throws(() => copy(it, port1, channel), (e) => e instanceof InvalidInputError && e.message.includes(name) && /cannot be cloned/.test(e.message) && e.remedy === 'developer', `${name}: ${how}`)
    }
    for (const shown of [inspect(it), inspect(it, { showHidden: true, getters: true, depth: 9 }), inspect([it]), `${it}`]) assert.ok(!shown.includes('hidden') && !shown.includes('horse'), shown)
  }
  port1.close()
  port2.close()
  channel.close()
  await engine.close()
})

test('an instance makes no other kind of instance', () => {
  const made = new (new Secret('one').constructor)('two')
  assert.ok(made instanceof Secret)
  assert.throws(() => structuredClone(made), InvalidInputError)
})

test('values of another realm are taken', async () => {
  const engine = opened()
  const request = vm.runInNewContext(`({ owner: 'x', features: ['chat'], redirectUri: 'http://localhost/callback' })`)
  assert.equal(typeof (await engine.connect(request)).binding, 'string')
  assert.ok(RootKey.raw(vm.runInNewContext('Uint8Array.from({ length: 32 }, (_, i) => i)')))
  await engine.close()
})

test('an engine works in a context of vm', async () => {
  const engine = opened()
  const context = vm.createContext({ engine, tidings })
  assert.deepEqual((await vm.runInContext(`engine.accounts({ owner: 'nobody' })`, context)).items, [])
  assert.equal(await vm.runInContext(`engine.account('nobody').catch((e) => e instanceof tidings.NotFoundError && e.kind)`, context), 'not_found')
  assert.equal(vm.runInContext(`try { tidings.RootKey.raw(new Uint8Array(3)) } catch (e) { e.name }`, context), 'InvalidInputError')
  const ended = vm.runInContext(`(async () => { const items = []; for await (const item of engine.events()) items.push(item); return items.length })()`, context)
  await engine.close()
  assert.equal(await ended, 0)
})

/** Loads the package with modules and globals of its own, as test runners do for each file. */
function inContextOfItsOwn(globals) {
  const context = vm.createContext({ console, AbortSignal, AbortController, ...globals })
  const cache = new Map()
  const load = (file) => {
    if (extname(file) === '.node') return require(file)
    if (!cache.has(file)) {
      const module = { exports: {} }
      cache.set(file, module)
      const own = (name) => (name.startsWith('.') ? load(own.resolve(name)) : require(name))
      own.resolve = (name) => join(dirname(file), name)
      vm.runInContext(`(function (module, exports, require, process) { ${readFileSync(file, 'utf8')}\n})`, context)(module, module.exports, own, process)
    }
    return cache.get(file).exports
  }
  return load(join(lib, 'index.cjs'))
}

test('the package may be loaded again and in contexts of their own', async () => {
  const loaded = [inContextOfItsOwn({}), inContextOfItsOwn({})]
  for (const name of Object.keys(require.cache).filter((name) => name.startsWith(lib))) delete require.cache[name]
  loaded.push(require('../lib/index.cjs'))
  for (const again of loaded) {
    const engine = again.Engine.open(config(fresh()), RootKey.raw(generateRootKey()))
    const controller = new AbortController()
    const waiting = engine.events().next({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await assert.rejects(waiting, { message: 'enough' })
    await assert.rejects(engine.account('nobody'), (e) => e instanceof again.NotFoundError && e.kind === 'not_found')
    assert.throws(() => structuredClone(engine), { name: 'InvalidInputError' })
    await engine.close()
    await assert.rejects(engine.accounts(), (e) => e instanceof again.ClosedError)
  }
})

test('a module of a context of its own has typed errors', () => {
  const out = run(`import vm from 'node:vm'; import { createRequire } from 'node:module'; import { readFileSync } from 'node:fs'; import { dirname, extname, join } from 'node:path';
    const require = createRequire(import.meta.url); const lib = ${JSON.stringify(lib)}; const inContextOfItsOwn = ${inContextOfItsOwn};
    // The first load in this process but the one of engines.mjs, which is forgotten.
    for (const name of Object.keys(require.cache)) delete require.cache[name];
    const native = require(join(lib, 'load.cjs')); const load = ${'`'}tidings ${'$'}{join(lib, 'load.cjs')}${'`'};
    const own = inContextOfItsOwn({ [Symbol.for(load)]: undefined });
    try { own.RootKey.raw(new Uint8Array(3)) } catch (e) { console.log(e instanceof own.InvalidInputError, e.reason.includes('32 bytes')) }
    await engine.close()`)
  assert.equal(out, 'true true\n')
})

test('two copies of the package keep off each other’s store', async () => {
  const other = join(fresh(), 'tidings')
  cpSync(lib, other, { recursive: true })
  const out = run(`import { createRequire } from 'node:module'; import { Engine, RootKey, generateRootKey } from ${JSON.stringify(new URL('../lib/index.mjs', import.meta.url))};
    const other = createRequire(import.meta.url)(${JSON.stringify(join(other, 'index.cjs'))}); const key = generateRootKey(); const folder = ${JSON.stringify(fresh())};
    const first = Engine.open(config(folder), key);
    try { other.Engine.open(config(folder), key) } catch (e) { console.log(e instanceof other.StoreBusyError, e.reason.includes('another copy')) }
    await first.close();
    const second = other.Engine.open(config(folder), key); console.log((await second.accounts()).items); await second.close(); await engine.close()`)
  assert.equal(out, 'true true\n[]\n')
})

const WORKER = `import { parentPort } from 'node:worker_threads'; import { opened } from ${JSON.stringify(new URL('./engines.mjs', import.meta.url))};
  import { onLog } from ${JSON.stringify(new URL('../lib/index.mjs', import.meta.url))}; const engine = opened(); onLog(() => {}, 'trace');`
const inWorkers = (work) => `import { Worker } from 'node:worker_threads'; import { once } from 'node:events';
  const workers = Array.from({ length: 4 }, () => new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(WORKER + work)}))));
  const ended = Promise.all(workers.map((worker) => once(worker, 'exit')));
  await Promise.all(workers.map((worker) => once(worker, 'message')));`

test('workers may be terminated while calls and streams are under way', () => {
  const busy = `(async () => { for (;;) { await engine.accounts(); parentPort.postMessage('on') } })(); (async () => { for await (const e of engine.events()); })(); engine.changes({ owner: 'me' }).next(5);`
  assert.equal(run(`${inWorkers(busy)} await Promise.all(workers.map((worker) => worker.terminate())); console.log((await engine.accounts()).items); await engine.close()`), '[]\n')
})

test('a process ends with its own code, whatever is under way', () => {
  const busy = `engine.events().next(); engine.changes({ owner: 'me' }).next(5); (async () => { for (;;) await engine.accounts() })();`
  assert.equal(run(`${busy} setTimeout(() => process.exit(3), 20)`, 3), '')
  assert.equal(run(`process.exitCode = 4; engine.events().next()`, 4), '')
  assert.equal(run(`${busy} setTimeout(() => { throw new Error('of the host') }, 20)`, 1), '')
  assert.equal(run(`process.on('exit', () => { console.log(engine.metrics().requests); engine.accounts().catch(() => {}) }); setTimeout(() => process.exit(5), 20); ${busy}`, 5), '0\n')
  assert.equal(run(`${inWorkers(`parentPort.postMessage('on'); ${busy}`)} process.exit(6)`, 6), '')
  assert.equal(run(`${inWorkers(`parentPort.postMessage('on'); setTimeout(() => process.exit(7), 5)`)} ${busy} console.log(...(await ended).flat()); process.exit(8)`, 8), '7 7 7 7\n')
})

test('an engine that is out of reach does not crash the process', () => {
  const out = run(`import v8 from 'node:v8'; v8.setFlagsFromString('--expose-gc'); const { runInNewContext } = await import('node:vm'); const gc = runInNewContext('gc');
    await (async () => { const second = opened(); second.events(); await second.accounts() })();
    for (let i = 0; i < 5; i++) { gc(); await new Promise(setImmediate) }
    console.log((await engine.accounts()).items); await engine.close()`)
  assert.equal(out, '[]\n')
})

test('a closed engine is refused to whoever still has it', async () => {
  const engine = opened()
  const [events, here] = [engine.events(), await engine.connectHere({ owner: 'x', features: ['chat'] })]
  await engine.close()
  await assert.rejects(engine.sync('account'), ClosedError)
  assert.equal(await events.next(), null)
  await assert.rejects(here.wait(), (e) => e.kind === 'closed' || e.kind === 'cancelled')
})
