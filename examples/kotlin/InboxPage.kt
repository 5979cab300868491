// What the inbox page of an app does: one list of the conversations of all of a recruiter's mailboxes, a conversation with its attachment, an answer, and a
// link to the candidate.

package dev.tidings.examples.inboxpage

import dev.tidings.*
import dev.tidings.examples.control
import dev.tidings.examples.open
import dev.tidings.examples.signInAs
import dev.tidings.examples.word
import kotlinx.coroutines.runBlocking

const val OWNER = "recruiter-42"

suspend fun connect(engine: Engine, address: String) {
    val features = listOf(Feature.MAIL_SEND, Feature.MAIL_SYNC)
    val signIn = engine.connect(ConnectRequest(owner = OWNER, features = features, redirectUri = "http://localhost/callback"))
    engine.finishConnect(signInAs(signIn.url, address), signIn.binding)
}

fun show(threads: ThreadPage) {
    for (thread in threads.items) {
        val links = if (thread.links.isEmpty()) "" else thread.links.joinToString(prefix = " [", postfix = "]")
        println("- ${thread.subject} (${thread.messages} mails, ${thread.unread} unread)$links")
    }
}

fun main() = runBlocking<Unit> {
    val application = """{
        "mailbox": "adele@contoso.com", "subject": "Application: designer", "text": "Dear Adele,\nmy papers are attached.\nJo",
        "from": {"name": "Jo", "address": "jo@fabrikam.com"},
        "attachments": [{"name": "cv.txt", "content_type": "text/plain", "text": "Ten years of design."}]
    }"""
    control("mail", application)
    val alex = """{"name": "Alex", "address": "alex@contoso.com"}"""
    control("mail", """{"mailbox": "megan@contoso.com", "subject": "Figures of May", "from": $alex, "received": "2025-05-31T10:00:00Z"}""")
    open().use { engine ->
        connect(engine, "adele@contoso.com")
        connect(engine, "megan@contoso.com")
        engine.syncAll(OWNER)

        println("inbox of both mailboxes:")
        show(engine.threads(owner = OWNER, folder = "inbox"))

        val newest = engine.threads(owner = OWNER, folder = "inbox").items.first().newest
        val body = engine.body(newest.id, form = BodyForm.TEXT)
        println("${newest.fromAddress?.name}: ${body.text.lines()[1].trim()}")
        for (file in newest.attachments) {
            val content = engine.attachment(newest.id, file.id)
            println("attached: ${file.name}, \"${String(content.body())}\"")
        }

        engine.markRead(newest.id, true)
        engine.link(listOf(newest.id), "candidate-7")
        val answer = engine.send(ReplyDraft(newest.accountId, newest.id, "Thank you. Is Thursday at 3 good?"))
        println("answer: ${word(answer.state)}")
        engine.sync(newest.accountId)

        println("what there is of candidate-7:")
        show(engine.threads(owner = OWNER, link = "candidate-7"))
    }
}
