// A bot that answers, in Express: what people say to it arrives at /tidings, is durable there, and is answered from the change feed.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import express from 'express'
import { botMessage, ConflictError, Engine, notifications, TidingsError } from 'tidings'
import { brain } from './brain.mjs'
import { OWNER, organisation, rootKey, settings } from './organisation.mjs'

const port = Number(process.env.PORT ?? 3978)
// Up to where the feed was dealt with. A program of your own keeps it in its database.
const cursorFile = `${process.env.TIDINGS_DATA}.cursor`

const engine = Engine.open(settings(), rootKey())

/** What people said in this conversation before, the oldest first. */
async function history({ accountId, conversationId, at }) {
  const page = await engine.botActivities({ accountId, conversationId, limit: 50 })
  return page.items.filter((one) => one.kind === 'message' && one.at < at).map((one) => one.text).reverse()
}

async function answer(activity) {
  const { id, accountId, conversationId } = activity
  await engine.typing(accountId, conversationId).catch((error) => {
    if (!(error instanceof TidingsError)) throw error // The answer is sent without it.
  })
  const body = brain(activity.text, await history(activity))
  try {
    // The key says what is answered: whatever is told twice, and wherever this process dies, it is answered once.
    await engine.send(botMessage({ accountId, conversationId, body, key: `answer/${id}` }))
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error // It was answered before, in other words.
  }
}

/** Deals with one change after the other, and begins where the last process ended. */
async function follow() {
  const cursor = existsSync(cursorFile) ? readFileSync(cursorFile, 'utf8') : undefined
  for await (const change of engine.changes({ owner: OWNER, cursor })) {
    if (change.kind === 'bot_message') await answer(await engine.botActivity(change.subjectId, OWNER))
    keep(change.cursor)
  }
}

/** As a whole or not at all. */
function keep(cursor) {
  writeFileSync(`${cursorFile}.new`, cursor)
  renameSync(`${cursorFile}.new`, cursorFile)
}

await organisation(engine)
const app = express()
app.post('/tidings', notifications(engine))
app.listen(port, '127.0.0.1')
await follow()
