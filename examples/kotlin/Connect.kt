// A person connects an account, and disconnects it again.

package dev.tidings.examples.connect

import dev.tidings.*
import dev.tidings.examples.open
import dev.tidings.examples.signInAs
import dev.tidings.examples.word
import dev.tidings.examples.words
import kotlinx.coroutines.runBlocking

fun main() = runBlocking<Unit> {
    open().use { engine ->
        // `owner` is your own key of the person. Send the browser to `url`, keep `binding` in that person's session.
        val features = listOf(Feature.CHAT, Feature.MAIL_SEND, Feature.MAIL_SYNC)
        val signIn = engine.connect(ConnectRequest(owner = "recruiter-42", features = features, redirectUri = "http://localhost/callback"))

        // Here the person signs in at Microsoft. The browser comes back to your redirect address with an answer in its query.
        val callback = signInAs(signIn.url, "adele@contoso.com")
        val account = engine.finishConnect(callback, signIn.binding)
        println("${account.owner} connected ${account.displayName} <${account.address}>")
        println("features: ${words(account.features)}")
        println("missing: ${words(account.missing)}")

        // An answer works once.
        try {
            engine.finishConnect(callback, signIn.binding)
        } catch (error: TidingsException.Conflict) {
            println("the same answer again: ${word(error)}")
        }

        for (each in engine.accounts(owner = "recruiter-42").items) {
            println("account of recruiter-42: ${each.address}, ${word(each.state)}")
        }

        // The tokens are destroyed at once; mail that was synced stays readable.
        println("disconnect: ${word(engine.disconnect(account.id).state)}")
        try {
            engine.sync(account.id)
        } catch (error: TidingsException.NotConnected) {
            println("sync after that: ${word(error)}")
        }
    }
}
