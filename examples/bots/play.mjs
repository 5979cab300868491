// Plays the people around a bot, and prints what they see: node play.mjs notify|agent COMMAND…
// The simulator is at TIDINGS_CONTROL. COMMAND starts the bot; it is killed with all that it started.

import { spawn } from 'node:child_process'
import { createWriteStream, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as pass } from 'node:timers/promises'

const [name, ...command] = process.argv.slice(2)
const { TIDINGS_CONTROL, TIDINGS_CLIENT_ID, TIDINGS_DATA } = process.env
const team = 'Recruiting'
const channel = 'Interviews'
const adele = 'adele@contoso.com'
const alex = 'alex@contoso.com'

async function control(path, ask = {}) {
  const answer = await fetch(`${TIDINGS_CONTROL}/${path}`, { method: 'POST', body: JSON.stringify(ask) })
  if (!answer.ok) throw new Error(`the simulator refused /${path}: ${await answer.text()}`)
  return answer.json()
}

async function until(what, why) {
  for (let n = 0; n < 1200; n++) {
    if (await what()) return
    if (bot?.exitCode != null) throw new Error(`the bot ended while it was waited until ${why}`)
    await pass(50)
  }
  throw new Error(`within a minute it did not come about that ${why}`)
}

// The bot, in a process group of its own: what starts it may be a shell.
let bot
const log = createWriteStream(`${TIDINGS_DATA}.log`, { flags: 'a' })

function start(environment, stdout) {
  bot = spawn(command[0], command.slice(1), { detached: true, env: { ...process.env, ...environment }, stdio: ['ignore', stdout, 'pipe'] })
  bot.stderr.pipe(log, { end: false })
  return new Promise((ended) => bot.on('exit', ended))
}

function kill() {
  try {
    if (bot) process.kill(-bot.pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
process.on('exit', kill)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

async function freePort() {
  const taken = createServer()
  await new Promise((done) => taken.listen(0, '127.0.0.1', done))
  const { port } = taken.address()
  await new Promise((done) => taken.close(done))
  return port
}

const isOpen = (port) => new Promise((done) => {
  const socket = connect(port, '127.0.0.1')
  socket.on('connect', () => done(true)).on('error', () => done(false)).on('connect', () => socket.destroy())
})

// What the bot said, to one person or in the channel.
const messages = (where = {}) => control('bot/messages', where)

async function world() {
  await control('reset', { clock: 'wall' })
  const permissions = ['Team.ReadBasic.All', 'Channel.ReadBasic.All', 'User.Read.All', 'AppCatalog.Read.All']
  const installing = ['TeamsAppInstallation.ReadWriteSelfForUser.All', 'TeamsAppInstallation.ReadWriteSelfForTeam.All']
  await control('apps', { client_id: TIDINGS_CLIENT_ID, app_permissions: [...permissions, ...installing] })
  await control('teams', { name: team, members: [adele, alex], channels: [{ name: channel }] })
}

async function notify() {
  const status = await start({}, 'inherit')
  if (status !== 0) throw new Error(`it ended with status ${status}`)
  for (const { summary, attachments, alert } of (await messages({ person: alex })).items) {
    console.log(`Alex sees: ${summary} [card: ${attachments[0].content.body[0].text}]${alert ? ' in the activity feed' : ''}`)
  }
  for (const { text, is_edited } of (await messages({ team, channel })).items) {
    console.log(`${channel} shows: ${text.trim()}${is_edited ? ' (edited)' : ''}`)
  }
}

async function agent() {
  const port = await freePort()
  await control('bot/endpoint', { url: `http://127.0.0.1:${port}/tidings` })
  const wake = async () => {
    start({ PORT: String(port) }, 'pipe')
    bot.stdout.pipe(log, { end: false })
    await until(() => isOpen(port), 'it listens')
  }
  const sleep = async () => {
    const ended = new Promise((done) => bot.on('exit', done))
    kill()
    await ended
    bot = undefined
    await until(async () => !(await isOpen(port)), 'it is gone')
  }
  let answers = 0
  // Waits for one more answer than there were, and prints it.
  const hear = async () => {
    await until(async () => (await messages()).count > answers, 'it answers')
    const said = (await messages()).items
    for (const { text, person, is_reply } of said.slice(answers)) console.log(`  the bot ${is_reply ? 'in the thread' : `to ${person}`}: ${text.trim()}`)
    answers = said.length
  }
  const say = async (person, text, where = {}) => {
    console.log(`${person}${where.channel ? ` in ${where.channel}` : ''}: ${text}`)
    return control('bot/say', { person, text, ...where })
  }
  const settled = async () => (await control('bot/posts')).items.every(({ status }) => status === 202)
  // How often the bot began to answer.
  const begun = async () => (await messages()).typed

  await wake()
  await control('bot/install', { person: adele })
  await control('bot/install', { team, person: alex })
  await until(settled, 'the installations are told')
  for (const text of ['When does the interview begin?', 'Ann.', 'And where?']) {
    await say(adele, text)
    await hear()
  }
  await say(alex, 'When does Bob come?', { team, channel })
  await hear()
  console.log('(the last one is told again)')
  await control('bot/redeliver')
  await until(settled, 'it is told again')

  await sleep()
  let before = await begun()
  console.log('(the bot is killed)')
  await say(adele, 'Where does Bob come to?')
  await until(async () => (await control('bot/posts')).items.at(-1).statuses[0] === 0, 'nobody answers')
  await wake()
  console.log('(it starts again)')
  // Teams comes again after a while.
  await control('clock', { advance_ms: 30_000 })
  await hear()
  // At most the last one before is looked at again.
  console.log((await begun()) - before <= 2 ? '(it went on where it was)' : '(it began anew)')

  await sleep()
  before = await begun()
  rmSync(`${TIDINGS_DATA}.cursor`)
  console.log('(it is killed, forgets how far it was, and starts again)')
  await wake()
  await say(adele, 'When?')
  await hear()
  console.log(`(it looked at ${(await begun()) - before >= answers ? 'everything' : 'the last one'} again, and there are ${answers} answers)`)
}

await world()
try {
  await { notify, agent }[name]()
} catch (error) {
  console.log(String(error))
}
process.exit(0)
