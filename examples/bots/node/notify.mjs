// A bot that notifies: a card to a person, news into a channel, and a correction of it.

import { readFileSync } from 'node:fs'
import { botMessage, Engine } from 'tidings'
import { appId, organisation, rootKey, settings } from './organisation.mjs'

const { TIDINGS_TO: person = 'alex@contoso.com', TIDINGS_TEAM: teamName = 'Recruiting', TIDINGS_CHANNEL: channelName = 'Interviews' } = process.env
const interview = readFileSync(new URL('../card.json', import.meta.url), 'utf8')

const engine = Engine.open(settings(), rootKey())
const account = await organisation(engine)
console.log(`organisation: ${account.state}`)
const accountId = account.id

// Whoever has not got the app yet gets it with the first message. The key says which notification this is.
const card = botMessage({ accountId, to: person, summary: 'Interview with Ann Lee: Thursday at 3', cards: [interview], notify: true, key: 'candidate-7/card' })
const told = await engine.send(card)
console.log(`card: ${told.state} by ${told.route}`)
const again = await engine.send(card)
console.log(`the same again: ${again.state}, ${again.id === told.id ? 'same receipt' : 'another receipt'}`)

// A team has to have it before. To install it where it is does no harm.
const team = (await engine.teams(accountId)).find(({ name }) => name === teamName)
const channel = (await engine.channels(accountId, team.id)).find(({ name }) => name === channelName)
const installed = await engine.installApp({ accountId, externalId: appId(), teamId: team.id })
console.log(`app in the team: ${installed.wasThere ? 'was there' : 'installed'}`)

const news = (when) => botMessage({ accountId, channelId: channel.id, body: `Ann Lee comes on **${when}**.`, bodyType: 'markdown', key: 'candidate-7/news' })
const posted = await engine.send(news('Thursday at 3'))
console.log(`news: ${posted.state} by ${posted.route}, ${posted.graphId ? 'has' : 'lacks'} an id`)
const edited = await engine.editSent(posted.id, news('Friday at 10'))
console.log(`corrected: ${edited.state}, ${edited.id === posted.id ? 'same receipt' : 'another receipt'}`)
await engine.close()
