// Syncs a mailbox, reads it, marks a mail as read, and picks up what is new.

package dev.tidings.examples.syncinbox

import dev.tidings.*
import dev.tidings.examples.control
import dev.tidings.examples.open
import dev.tidings.examples.signInAs
import dev.tidings.examples.word
import kotlinx.coroutines.runBlocking

fun main() = runBlocking<Unit> {
    open().use { engine ->
        val request = ConnectRequest(owner = "recruiter-42", features = listOf(Feature.MAIL_SYNC), redirectUri = "http://localhost/callback")
        val signIn = engine.connect(request)
        val account = engine.finishConnect(signInAs(signIn.url, "adele@contoso.com"), signIn.binding)

        val first = engine.sync(account.id)
        println("first sync: ${first.added} added")

        // From here on nothing waits for the network but `sync`; `markRead` tells the mailbox in the background.
        val newest = engine.messages(accountId = account.id, folder = "inbox", limit = 5u).items
        for (message in newest) println("- ${message.subject} (${message.fromAddress?.name ?: "nobody"})")
        val message = newest.first()
        val thread = engine.thread(message.id)
        println("conversation: ${thread.subject}, ${thread.messages.size} mails")
        println("text: ${engine.body(message.id, form = BodyForm.TEXT).text.trim()}")

        // Where the owner's change feed stands now; what comes after it is news.
        val cursor = engine.changes(owner = "recruiter-42").ready(1000u).last().cursor
        println("marked as ${if (engine.markRead(message.id, true).isRead) "read" else "unread"}")

        val mail = """{
            "mailbox": "adele@contoso.com", "subject": "One more question", "text": "Is parking available?",
            "from": {"name": "Fred Fabrikam", "address": "fred@fabrikam.com"}, "to": [{"name": "Adele Vance", "address": "adele@contoso.com"}]
        }"""
        control("mail", mail)
        val second = engine.sync(account.id)
        println("second sync: ${second.added} added, ${second.changed} changed")
        for (change in engine.changes(owner = "recruiter-42", cursor = cursor).ready(1000u)) println("news: ${word(change.kind)}")
    }
}
