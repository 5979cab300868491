// The settings page in Express: `integration.mjs` and `desk.mjs` behind routes, and what keeps them safe.

import { randomBytes } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { Engine, TidingsError } from 'tidings'
import { CANDIDATES, Desk } from './desk.mjs'
import { Integration, Refused } from './integration.mjs'
import { backfill } from './plain.mjs'
import { framed, headers, MAIL_POLICY, statusOf } from './safety.mjs'
import { Sessions } from './sessions.mjs'

const { env } = process
const PORT = Number(env.PORT ?? 8400)
const BASE = env.SETTINGS_URL ?? `http://localhost:${PORT}`
const WEB = fileURLToPath(new URL('../web', import.meta.url))

const settings = () => ({
  dataDir: env.TIDINGS_DATA,
  clientId: env.TIDINGS_CLIENT_ID,
  clientSecret: env.TIDINGS_CLIENT_SECRET,
  cloud: env.TIDINGS_LOGIN ? { type: 'custom', login: env.TIDINGS_LOGIN, graph: env.TIDINGS_GRAPH } : 'public',
})

function application(engine) {
  const sessions = new Sessions(env.SETTINGS_SESSION_KEY ? Buffer.from(env.SETTINGS_SESSION_KEY, 'hex') : randomBytes(32), BASE.startsWith('https:'))
  const integration = new Integration(engine, sessions, BASE, CANDIDATES)
  const desk = new Desk(engine)

  const signedIn = (request, _, next) => {
    request.who = sessions.read(request.headers.cookie)
    if (!request.who) throw new Refused(401, 'Your session has ended. Load the page again.')
    next()
  }
  /** Before every call of the API: what changes something has to come from a page of ours. */
  const guard = (request, _, next) => {
    const { origin = BASE, 'x-csrf-token': token } = request.headers
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (!reads && (origin !== BASE || !sessions.isOurs(request.who, token))) throw new Refused(403, 'This call did not come from this page. Load it again.')
    next()
  }
  /** A route whose answer is JSON. */
  const json = (call) => async (request, response) => response.json(await call(request.who, request))

  const api = express.Router()
  // Before the guard nothing is read. An upload is a stream, so its content is left alone whatever it is.
  api.use(signedIn, guard)
  api.post('/attachments', json((who, request) => {
    const { account = '', name = '', type = 'application/octet-stream' } = request.query
    return desk.stage(who, String(account), String(name), String(type), request)
  }))
  api.use(express.json({ limit: '2mb' }), (request, _, next) => {
    request.body ??= {}
    next()
  })

  api.get('/session', json((who) => ({ csrf: sessions.csrf(who), notice: sessions.takeNotice(who), candidates: CANDIDATES })))
  api.get('/permissions', json((who, { query }) => integration.permissions(who, query.features ? String(query.features).split(',') : [], query.account)))
  api.post('/connect', json((who, { body }) => integration.connect(who, body.features)))

  api.get('/accounts', json((who) => integration.accounts(who)))
  api.post('/accounts/:id/reconnect', json((who, { params }) => integration.reconnect(who, params.id)))
  api.post('/accounts/:id/features', json((who, { params, body }) => integration.addFeatures(who, params.id, body.features)))
  api.post('/accounts/:id/approval', json((who, { params }) => integration.approval(who, params.id)))
  api.post('/accounts/:id/shared', json((who, { params, body }) => integration.addShared(who, params.id, String(body.address ?? ''))))
  api.post('/accounts/:id/verify', json((who, { params, body }) => integration.verify(who, params.id, Boolean(body.test_message))))
  api.post('/accounts/:id/sync', json((who, { params }) => integration.sync(who, params.id)))
  api.post('/accounts/:id/disconnect', json((who, { params }) => integration.disconnect(who, params.id)))
  api.put('/accounts/:id/signature', json((who, { params, body }) => integration.setSignature(who, params.id, String(body.text ?? ''))))
  api.get('/accounts/:id/estimate', json((who, { params, query }) => integration.estimate(who, params.id, query.range)))
  api.post('/accounts/:id/backfill', json((who, { params, body }) => integration.backfill(who, params.id, body.action, body.range)))

  api.get('/candidates/:id', json((who, { params }) => desk.candidate(who, params.id)))
  api.post('/candidates/:id/fill', json((who, { params, body }) => desk.fill(who, params.id, String(body.template), String(body.account_id))))
  api.post('/candidates/:id/send', json((who, { params, body }) => desk.send(who, params.id, body)))
  api.post('/receipts/:id/cancel', json((who, { params }) => desk.cancel(who, params.id)))
  api.get('/messages/:id/thread', json((who, { params }) => desk.thread(who, params.id)))
  api.get('/messages/:id/body', async ({ who, params }, response) => {
    response.set('content-security-policy', MAIL_POLICY).type('html').send(framed(await desk.body(who, params.id)))
  })
  api.get('/messages/:id/attachments/:attachment', async ({ who, params }, response) => {
    const content = await desk.attachment(who, params.id, params.attachment)
    // Always as a file, whatever the sender says it is.
    response.set('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(content.name() || 'attachment')}`).type('application/octet-stream')
    await pipeline(content, response)
  })
  /** What happened just now, so that the page need not ask: that of this person's accounts alone. */
  api.get('/events', async (request, response) => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const stream = engine.events(request.who.owner)
    response.set('x-accel-buffering', 'no').type('text/event-stream').write(': here\n\n')
    const alive = setInterval(() => response.write(': still here\n\n'), 15_000)
    try {
      for (let event; (event = await stream.next({ signal: gone.signal })); ) {
        const said = event.type === 'backfill_changed' ? { type: 'backfill', backfill: backfill(event.backfill) } : { type: 'other' }
        response.write(`data: ${JSON.stringify(said)}\n\n`)
      }
    } catch (error) {
      if (!gone.signal.aborted) throw error
    } finally {
      clearInterval(alive)
      response.end()
    }
  })

  const app = express()
  app.disable('x-powered-by')
  app.use(headers)
  app.use('/api', api)
  /** The page, and a session for whoever has none: your log-in goes here. */
  app.get('/', (request, response) => {
    if (!sessions.read(request.headers.cookie)) response.set('set-cookie', sessions.cookie(sessions.create()))
    response.sendFile('index.html', { root: WEB, cacheControl: false })
  })
  app.get('/callback', signedIn, async (request, response) => {
    await integration.finish(request.who, BASE + request.originalUrl)
    response.redirect(303, '/#/settings/integrations')
  })
  app.use('/static', express.static(WEB, { cacheControl: false }))
  // Express knows by the four parameters that this one is for errors.
  app.use((error, request, response, _) => {
    if (response.headersSent) return response.destroy()
    if (error instanceof TidingsError) {
      const { kind, reason, remedy, accountId } = error
      return response.status(statusOf(kind)).json({ error: { kind, reason, remedy, account_id: accountId } })
    }
    const status = error instanceof Refused ? error.status : (error.statusCode ?? 500)
    if (status === 500) console.error(error)
    const reason = error instanceof Refused ? error.message : 'This could not be done. Load the page again.'
    response.status(status).json({ error: { kind: 'refused', reason, remedy: 'user', account_id: null } })
  })
  return app
}

const engine = Engine.open(settings(), Buffer.from(env.TIDINGS_KEY, 'hex'))
engine.start()
const server = application(engine).listen(PORT, '127.0.0.1', () => console.log(`Open ${BASE}`))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close()
    server.closeAllConnections()
    await engine.close()
    process.exit(0)
  })
}
