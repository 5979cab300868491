// Invites to an interview: a Teams message to a colleague, a mail to the candidate, each sent once however often it is asked for.

package dev.tidings.examples.sendinvitation

import dev.tidings.*
import dev.tidings.examples.control
import dev.tidings.examples.field
import dev.tidings.examples.open
import dev.tidings.examples.signInAs
import dev.tidings.examples.word
import kotlinx.coroutines.runBlocking

fun main() = runBlocking<Unit> {
    open().use { engine ->
        val features = listOf(Feature.CHAT, Feature.MAIL_SEND)
        val signIn = engine.connect(ConnectRequest(owner = "recruiter-42", features = features, redirectUri = "http://localhost/callback"))
        val account = engine.finishConnect(signInAs(signIn.url, "adele@contoso.com"), signIn.binding)

        val panel = ChatDraft(account.id, to = "alex@contoso.com", body = "Interview with Megan on Thursday at 3. Can you join?", key = "candidate-7/panel")
        println("Teams message to Alex: ${word(engine.send(panel).state)}")

        // The key says which invitation this is. Use one that your program finds again after a crash.
        val invitation = MailDraft(
            account.id,
            to = listOf(Address("megan@contoso.com", "Megan Bowen")),
            subject = "Interview on Thursday",
            body = "Dear Megan, we look forward to meeting you on Thursday at 3.",
            key = "candidate-7/invitation",
        )
        val first = engine.send(invitation)
        println("mail to Megan: ${word(first.state)}")
        val second = engine.send(invitation)
        println("the same mail again: ${word(second.state)}, ${if (second.id == first.id) "same receipt" else "another receipt"}")

        try {
            engine.send(invitation.copy(body = "Dear Megan, we have to cancel."))
        } catch (error: TidingsException.Conflict) {
            println("another mail under the same key: ${word(error)}")
        }

        val inbox = control("mail/list", """{"mailbox": "megan@contoso.com", "folder": "inbox"}""")
        println("mails in Megan's inbox: ${field(inbox, "total")}")
    }
}
