// A bot that notifies: a card to a person, news into a channel, and a correction of it.

package dev.tidings.examples.bots.notify

import dev.tidings.*
import dev.tidings.examples.bots.appId
import dev.tidings.examples.bots.organisation
import dev.tidings.examples.bots.rootKey
import dev.tidings.examples.bots.settings
import dev.tidings.examples.env
import dev.tidings.examples.word
import java.io.File
import kotlinx.coroutines.runBlocking

private val person = System.getenv("TIDINGS_TO") ?: "alex@contoso.com"
private val teamName = System.getenv("TIDINGS_TEAM") ?: "Recruiting"
private val channelName = System.getenv("TIDINGS_CHANNEL") ?: "Interviews"

fun main() = runBlocking<Unit> {
    Engine.open(settings(), rootKey()).use { engine ->
        val account = organisation(engine)
        println("organisation: ${word(account.state)}")

        // Whoever has not got the app yet gets it with the first message. The key says which notification this is.
        val interview = File(env("TIDINGS_CARD")).readText()
        val card = BotDraft(account.id, to = person, summary = "Interview with Ann Lee: Thursday at 3", cards = listOf(interview), notify = true, key = "candidate-7/card")
        val told = engine.send(card)
        println("card: ${word(told.state)} by ${word(told.route)}")
        val again = engine.send(card)
        println("the same again: ${word(again.state)}, ${if (again.id == told.id) "same receipt" else "another receipt"}")

        // A team has to have it before. To install it where it is does no harm.
        val team = engine.teams(account.id).first { it.name == teamName }
        val channel = engine.channels(account.id, team.id).first { it.name == channelName }
        val installed = engine.installApp(InstallRequest(account.id, externalId = appId(), teamId = team.id))
        println("app in the team: ${if (installed.wasThere) "was there" else "installed"}")

        fun news(time: String) =
            BotDraft(account.id, channelId = channel.id, body = "Ann Lee comes on **$time**.", bodyType = BodyType.MARKDOWN, key = "candidate-7/news")
        val posted = engine.send(news("Thursday at 3"))
        println("news: ${word(posted.state)} by ${word(posted.route)}, ${if (posted.graphId != null) "has" else "lacks"} an id")
        val edited = engine.editSent(posted.id, Draft.Bot(news("Friday at 10")))
        println("corrected: ${word(edited.state)}, ${if (edited.id == posted.id) "same receipt" else "another receipt"}")
    }
}
