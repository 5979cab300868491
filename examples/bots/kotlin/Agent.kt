// A bot that answers, in Ktor: what people say to it arrives at /tidings, is durable there, and is answered from the change feed.

package dev.tidings.examples.bots.agent

import dev.tidings.*
import dev.tidings.examples.bots.OWNER
import dev.tidings.examples.bots.brain
import dev.tidings.examples.bots.organisation
import dev.tidings.examples.bots.rootKey
import dev.tidings.examples.bots.settings
import dev.tidings.examples.env
import dev.tidings.examples.ktorapp.tidings
import io.ktor.server.cio.CIO
import io.ktor.server.engine.embeddedServer
import io.ktor.server.routing.routing
import java.io.File
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import kotlinx.coroutines.runBlocking

/** Up to where the feed was dealt with. A program of your own keeps it in its database. */
private val cursorFile = File("${env("TIDINGS_DATA")}.cursor")

/** What people said in this conversation before, the oldest first. */
private suspend fun history(engine: Engine, activity: BotActivity): List<String> {
    val page = engine.botActivities(accountId = activity.accountId, conversationId = activity.conversationId, limit = 50u)
    return page.items.filter { it.kind == BotActivityKind.MESSAGE && it.at < activity.at }.map { it.text }.reversed()
}

private suspend fun answer(engine: Engine, activity: BotActivity) {
    try {
        engine.typing(activity.accountId, activity.conversationId)
    } catch (_: TidingsException) {
        // The answer is sent without it.
    }
    val text = brain(activity.text, history(engine, activity))
    try {
        // The key says what is answered: whatever is told twice, and wherever this process dies, it is answered once.
        engine.send(BotDraft(activity.accountId, conversationId = activity.conversationId, body = text, key = "answer/${activity.id}"))
    } catch (_: TidingsException.Conflict) {
        // It was answered before, in other words.
    }
}

/** Deals with one change after the other, and begins where the last process ended. */
private suspend fun follow(engine: Engine) {
    val cursor = if (cursorFile.exists()) cursorFile.readText() else null
    engine.changeFlow(owner = OWNER, cursor = cursor).collect { change ->
        if (change.kind == ChangeKind.BOT_MESSAGE) answer(engine, engine.botActivity(change.subjectId!!, OWNER))
        keep(change.cursor)
    }
}

/** As a whole or not at all. */
private fun keep(cursor: String) {
    val new = File("$cursorFile.new").apply { writeText(cursor) }
    Files.move(new.toPath(), cursorFile.toPath(), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE)
}

fun main() = runBlocking<Unit> {
    val port = System.getenv("PORT")?.toInt() ?: 3978
    Engine.open(settings(), rootKey()).use { engine ->
        organisation(engine)
        embeddedServer(CIO, port = port, host = "127.0.0.1") { routing { tidings(engine) } }.start()
        follow(engine)
    }
}
