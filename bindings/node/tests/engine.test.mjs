// Promises, loops and closing.
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { ClosedError, Engine, InvalidInputError, LinkRejectedError, NotConnectedError, NotFoundError, chat, TidingsError, generateRootKey, mail, onLog } from '../lib/index.mjs'
import { opened, run } from './engines.mjs'

const collect = async (stream) => {
  const items = []
  for await (const item of stream) items.push(item)
  return items
}

test('methods take plain objects, or nothing where all has a default', async () => {
  const engine = opened()
  assert.deepEqual(await engine.accounts(), { items: [], next: null })
  assert.deepEqual((await engine.accounts({ owner: 'nobody' }, { signal: AbortSignal.timeout(60_000) })).items, [])
  assert.deepEqual(await engine.outbox({ owner: 'nobody', state: 'queued', limit: 5 }), [])
  assert.deepEqual(await engine.messages({ owner: 'nobody', folder: 'inbox' }), { items: [], next: null })
  await assert.rejects(engine.account('nobody'), NotFoundError)
  await assert.rejects(engine.connect({ owner: 'x', features: ['fax'] }), { name: 'InvalidInputError', message: /^features\[0\] is not one of/ })
  const signIn = await engine.connect({ owner: 'recruiter-42', features: ['chat'], redirectUri: 'http://localhost:1234/callback' })
  assert.ok(signIn.expiresAt instanceof Date)
  assert.ok(!inspect(signIn).includes(signIn.binding))
  for (const draft of [{ chat: { accountId: 'a', to: 'b@contoso.com', body: 'Hi' } }, chat({ accountId: 'a', to: 'b@contoso.com', body: 'Hi' }), mail({ accountId: 'a', to: 'b@contoso.com', subject: 'Hi', body: 'Text' })]) {
    await assert.rejects(engine.send(draft), (e) => e.kind === 'not_connected' || e.kind === 'not_found')
  }
  await engine.close()
})

test('a raw request is a path or an object, and its maps hold text', async () => {
  const engine = opened()
  const request = { method: 'POST', path: '/me', query: { $top: '5' }, headers: { Prefer: 'a' }, body: new Uint8Array(1), version: 'beta' }
  for (const given of ['/me', request]) {
    await assert.rejects(engine.request('none', given), NotConnectedError)
    await assert.rejects(engine.batch('none', [given, given]), NotConnectedError)
  }
  for (const query of [{ $top: 5 }, ['$top'], '$top', new Map([['$top', '5']]), new Headers({ a: 'b' }), new URLSearchParams('a=b')]) {
    await assert.rejects(engine.request('none', { path: '/me', query }), { name: 'InvalidInputError', message: /query/ })
  }
  await assert.rejects(engine.request('none', 'https://example.com/'), LinkRejectedError)
  await assert.rejects(engine.request('none', '/me', null, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  await assert.rejects(collect(engine.pages('none', '/me/events')), NotConnectedError)
  await assert.rejects(engine.pages('none', '/me', 'somebody').next(), NotFoundError)
  await engine.close()
})

test('a closed engine says so, and its loops end', async () => {
  const engine = opened()
  const loops = [collect(engine.events()), collect(engine.changes({ owner: 'me' })), collect(engine.events('me'))]
  await sleep(50)
  await engine.close()
  await engine.close()
  assert.deepEqual(await Promise.all(loops), [[], [], []])
  await assert.rejects(engine.accounts(), ClosedError)
})

test('an aborted next leaves the stream usable', async () => {
  const engine = opened()
  const events = engine.events()
  await assert.rejects(events.next({ signal: AbortSignal.timeout(30) }), { name: 'TimeoutError' })
  const ended = events.next()
  await engine[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]()
  assert.equal(await ended, null)
})

test('an engine left open does not hold the process', async () => {
  assert.equal(run(`console.log('end')`), 'end\n')
})

test('a pending next does not hold the process after close', async () => {
  assert.equal(run(`engine.events().next().then(console.log); engine.changes({ owner: 'me' }).next(5).then(console.log); await engine.close(); console.log('end')`).split('\n').sort().join(' '), ' [] end null')
})

test('a process may exit while a next is pending', async () => {
  assert.equal(run(`engine.events().next(); setTimeout(() => { console.log('end'); process.exit() }, 50)`), 'end\n')
})

test('a worker may end with its engine open', async () => {
  const worker = `import { parentPort } from 'node:worker_threads'; import { opened } from ${JSON.stringify(new URL('./engines.mjs', import.meta.url))}; const engine = opened(); engine.events().next(); engine.accounts().then((a) => parentPort.postMessage(a.items))`
  const out = run(`import { Worker } from 'node:worker_threads'; import { once } from 'node:events';
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(worker)})));
      console.log(JSON.stringify((await once(worker, 'message'))[0]));
      await worker.terminate();
    }
    console.log(JSON.stringify((await engine.accounts()).items)); await engine.close()`)
  assert.equal(out, '[]\n'.repeat(4))
})

test('an engine opens with a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-'))
  const file = join(folder, 'tidings.toml')
  assert.throws(() => Engine.open(file, generateRootKey()), InvalidInputError)
  writeFileSync(file, 'page_sise = 50')
  for (const path of [file, pathToFileURL(file)]) assert.throws(() => Engine.open(path, generateRootKey()), { name: 'InvalidInputError', message: /page_sise/ })
})

test('a callback hears what is logged until it is stopped', () => {
  const out = run(`import { onLog } from ${JSON.stringify(new URL('../lib/index.mjs', import.meta.url))};
    import { setTimeout as sleep } from 'node:timers/promises';
    const records = []; const stop = onLog((record) => records.push(record), 'trace');
    const second = opened(); await second.accounts(); await second.close(); await sleep(50);
    const heard = records.length; stop(); stop();
    const third = opened(); await third.accounts(); await third.close(); await sleep(50);
    console.log(heard > 0, records.length === heard, records.every((r) => r.target.startsWith('tidings') && r.at instanceof Date))`)
  assert.equal(out, 'true true true\n')
})

test('a callback that throws ends nothing, and listening keeps no process', () => {
  const out = run(`import { onLog } from ${JSON.stringify(new URL('../lib/index.mjs', import.meta.url))};
    process.on('warning', () => {}); let heard = 0;
    onLog(() => { heard += 1; throw new Error('of the host') }, 'trace');
    const second = opened(); await second.accounts(); await second.close();
    setTimeout(() => console.log(heard > 1), 50)`)
  assert.equal(out, 'true\n')
})

test('onLog says what it cannot take', () => {
  assert.throws(() => onLog('no function'), TypeError)
  assert.throws(() => onLog(() => {}, 'loud'), InvalidInputError)
})

test('a worker may end while it listens', () => {
  const worker = `import { parentPort } from 'node:worker_threads'; import { opened } from ${JSON.stringify(new URL('./engines.mjs', import.meta.url))}; import { onLog } from ${JSON.stringify(new URL('../lib/index.mjs', import.meta.url))};
    onLog(() => parentPort.postMessage('heard'), 'trace'); const engine = opened(); setInterval(() => engine.accounts(), 50)`
  const out = run(`import { Worker } from 'node:worker_threads'; import { once } from 'node:events';
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(worker)})));
      console.log((await once(worker, 'message'))[0]);
      await worker.terminate();
    }
    await engine.accounts(); await engine.close()`)
  assert.equal(out, 'heard\n'.repeat(3))
})

test('counts are numbers, and errors tell who can mend them', async () => {
  const engine = opened()
  assert.equal(engine.metrics().requests, 0)
  // Begun one by one: a rejection that nobody waits for yet would end the process.
  for (const call of [() => engine.approval('nobody', 'http://localhost/callback'), () => engine.purge(), () => engine.search('anything')]) {
    await assert.rejects(call, (e) => e instanceof TidingsError && ['user', 'admin', 'developer', 'wait', 'nobody'].includes(e.remedy) && e.reason.length > 10)
  }
  await engine.close()
})
