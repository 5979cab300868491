// Push in Express.

import express from 'express'
import { notifications } from 'tidings'
import { freePort, run } from './story.mjs'

const port = await freePort()

await run(port, (engine) => {
  const app = express()
  app.post('/tidings', notifications(engine))
  return app.listen(port, '127.0.0.1')
})
