// Push in Fastify: a context of its own, in which the body is bytes, whatever it says it is.

import Fastify from 'fastify'
import { freePort, run } from './story.mjs'

const port = await freePort()

await run(port, async (engine) => {
  const app = Fastify({ bodyLimit: 5 << 20 })
  app.register(async (route) => {
    route.removeAllContentTypeParsers()
    route.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    route.post('/tidings', async (request, reply) => {
      const answer = await engine.receive({ query: request.url.split('?')[1] ?? '', headers: request.headers, body: request.body })
      return reply.code(answer.status).headers(answer.headers).send(answer.body)
    })
  })
  await app.listen({ port, host: '127.0.0.1' })
})
