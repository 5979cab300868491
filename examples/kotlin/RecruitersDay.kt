// A recruiter's day: an invitation with a PDF, found again by the candidate's key with its answer, a reply in its thread, a group chat with the
// interviewers, a card in the team's channel, and a campaign of forty mails from one template, of which one is taken back.

package dev.tidings.examples.recruitersday

import dev.tidings.*
import dev.tidings.examples.control
import dev.tidings.examples.open
import dev.tidings.examples.signInAs
import dev.tidings.examples.word
import kotlinx.coroutines.runBlocking
import java.time.Instant
import java.time.temporal.ChronoUnit

private const val OWNER = "recruiter-42"

fun main() = runBlocking<Unit> {
    control("teams", """{"name": "Hiring", "members": ["adele@contoso.com", "alex@contoso.com"], "channels": [{"name": "Candidates"}]}""")
    open().use { engine ->
        val features = listOf(Feature.CHAT, Feature.CHANNELS, Feature.MAIL_SEND, Feature.MAIL_SYNC)
        val signIn = engine.connect(ConnectRequest(owner = OWNER, features = features, redirectUri = "http://localhost/callback"))
        val account = engine.finishConnect(signInAs(signIn.url, "adele@contoso.com"), signIn.binding)

        engine.setSignature(account.id, Signature("Adele Vance, Contoso", html = "<b>Adele Vance</b>, Contoso"))

        val invitation = MailDraft(
            account.id,
            to = listOf(Address("megan@contoso.com", "Megan Bowen")),
            subject = "Interview on Thursday",
            body = "Dear Megan, **Thursday at 3** it is. The way is attached.",
            bodyType = BodyType.MARKDOWN,
            attachments = listOf(FileAttachment("way.pdf", "%PDF-1.7".toByteArray(), "application/pdf")),
            key = "candidate-7/invitation",
            addSignature = true,
            link = "candidate-7",
        )
        val sent = engine.send(invitation)
        println("invitation with a PDF: ${word(sent.state)}")

        control(
            "mail",
            """{"mailbox": "adele@contoso.com", "conversation_of": "${sent.graphId}", "subject": "Re: Interview on Thursday", "text": "Gladly. Is there a place to park?",
                "from": {"name": "Megan Bowen", "address": "megan@contoso.com"}, "to": [{"name": "Adele Vance", "address": "adele@contoso.com"}]}""",
        )
        engine.sync(account.id)
        val question = engine.messages(accountId = account.id, folder = "inbox", limit = 1u).items.first()
        println("Megan wrote: ${question.subject}")
        println("reply in the thread: ${word(engine.send(ReplyDraft(account.id, question.id, "In the yard, place 7.")).state)}")
        val linked = engine.messages(owner = OWNER, link = "candidate-7")
        println("linked to candidate-7: ${linked.items.map { it.subject }.sorted().joinToString(", ")}")

        val panel = ChatDraft(
            account.id,
            members = listOf("alex@contoso.com", "nestor@contoso.com"),
            topic = "Panel for Megan Bowen",
            body = "Thursday at 3. Who asks about the last project?",
        )
        println("group chat with the interviewers: ${word(engine.send(panel).state)}")

        val channel = engine.allChannels(account.id).first { it.team.name == "Hiring" }.channels.first { it.name == "Candidates" }
        val card = """{"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "Megan Bowen", "weight": "Bolder"},
            {"type": "FactSet", "facts": [{"title": "When", "value": "Thursday at 3"}]}]}"""
        println("card in the channel: ${word(engine.send(ChannelPostDraft(account.id, channel.teamId, channel.id, cards = listOf(card))).state)}")

        campaign(engine, account.id)
    }
}

/** Forty mails of one template in one step; the last one waits until tomorrow, and is not wanted by then. */
private suspend fun campaign(engine: Engine, accountId: String) {
    val tomorrow = Instant.now().plus(1, ChronoUnit.DAYS)
    val mails = (1..40).map {
        MailDraft(
            accountId,
            to = listOf(Address("candidate$it@fabrikam.com")),
            subject = "We are hiring again",
            body = "Dear {{ candidate.name }}, would you like to hear more?",
            mergeFields = mapOf("candidate.name" to "Candidate $it"),
            addSignature = true,
            key = "campaign-3/$it",
            sendAt = tomorrow.takeIf { _ -> it == 40 },
        )
    }
    val receipts = engine.enqueueAll(mails)
    engine.cancel(receipts.last().id)
    val ids = receipts.map { it.id }.toSet()
    suspend fun count(state: SendState) = engine.outbox(accountId = accountId, state = state, limit = 1000u).count { it.id in ids }
    // The feed tells of every change, so that nobody has to ask again and again.
    val feed = engine.changes(owner = OWNER)
    while (count(SendState.SENT) < 39) feed.next(100u)
    println("campaign: ${count(SendState.SENT)} sent, ${count(SendState.CANCELLED)} cancelled")
}
