// Push in Ktor: one route that hands each request to `receive`, and a mail that arrives.

package dev.tidings.examples.ktorapp

import dev.tidings.*
import dev.tidings.examples.control
import dev.tidings.examples.env
import dev.tidings.examples.signInAs
import io.ktor.http.ContentType
import io.ktor.http.HttpStatusCode
import io.ktor.server.cio.CIO
import io.ktor.server.engine.embeddedServer
import io.ktor.server.request.queryString
import io.ktor.server.request.receive
import io.ktor.server.response.respondBytes
import io.ktor.server.routing.Route
import io.ktor.server.routing.post
import io.ktor.server.routing.routing
import java.net.ServerSocket
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

/** The route: `routing { tidings(engine) }`. */
fun Route.tidings(engine: Engine) = post("/tidings") {
    val headers = call.request.headers.entries().associate { (name, values) -> name to values.joinToString() }
    val answer = engine.receive(HttpRequest(query = call.request.queryString(), headers = headers, body = call.receive<ByteArray>()))
    call.respondBytes(answer.body, ContentType.parse(answer.headers["content-type"] ?: "text/plain"), HttpStatusCode.fromValue(answer.status.toInt()))
}

suspend fun until(what: suspend () -> Boolean) = withTimeout(60_000) {
    while (!what()) delay(50)
}

fun main() = runBlocking<Unit> {
    val port = ServerSocket(0).use { it.localPort }
    val cloud = Cloud.Custom(login = env("TIDINGS_LOGIN"), graph = env("TIDINGS_GRAPH"))
    val config = Config(dataDir = env("TIDINGS_DATA"), clientId = env("TIDINGS_CLIENT_ID"), cloud = cloud, notificationUrl = "http://127.0.0.1:$port/tidings")
    Engine.open(config, loadOrCreateKey(env("TIDINGS_DATA") + ".key")).use { engine ->
        val server = embeddedServer(CIO, port = port, host = "127.0.0.1") { routing { tidings(engine) } }.start()
        val signIn = engine.connect(ConnectRequest(owner = "recruiter-42", features = listOf(Feature.MAIL_SYNC), redirectUri = "http://localhost/callback"))
        val account = engine.finishConnect(signInAs(signIn.url, "adele@contoso.com"), signIn.binding)
        until { engine.health("recruiter-42").accounts.first().transport == Transport.PUSH }
        println("watched by push")
        until { engine.messages(accountId = account.id).items.size == 7 }
        control("mail", """{"mailbox": "adele@contoso.com", "subject": "It came by itself"}""")
        until { engine.messages(accountId = account.id).items.any { it.subject == "It came by itself" } }
        println("arrived: It came by itself")
        server.stop(0, 1_000)
    }
}
