// Push without a framework: node:http.

import { createServer } from 'node:http'
import { notifications } from 'tidings'
import { freePort, run } from './story.mjs'

const port = await freePort()

await run(port, (engine) => createServer(notifications(engine)).listen(port, '127.0.0.1'))
