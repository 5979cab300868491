// What the stories share: where the engine's settings come from, and the simulator's control endpoints.

package dev.tidings.examples

import dev.tidings.*
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse

fun env(name: String): String = System.getenv(name) ?: error("$name is not set. Start this through examples/run.sh kotlin.")

/**
 * An engine on a store, set up by TIDINGS_DATA, TIDINGS_CLIENT_ID, TIDINGS_LOGIN and TIDINGS_GRAPH. The key that opens it is the same at each start, in a file
 * beside it.
 */
fun open(): Engine {
    val cloud = Cloud.Custom(login = env("TIDINGS_LOGIN"), graph = env("TIDINGS_GRAPH"))
    return Engine.open(Config(dataDir = env("TIDINGS_DATA"), clientId = env("TIDINGS_CLIENT_ID"), cloud = cloud), loadOrCreateKey(env("TIDINGS_DATA") + ".key"))
}

/** The name that all languages have for a value of an enum, as in `mail_send`. */
fun word(value: Enum<*>): String = value.name.lowercase()

/** The kind of an error, in the same way. */
fun word(error: TidingsException): String = error.javaClass.simpleName.replace(Regex("(?<=.)([A-Z])"), "_$1").lowercase()

/** Several of them, or `none`. */
fun words(values: List<Enum<*>>): String = if (values.isEmpty()) "none" else values.joinToString { word(it) }

private val http = HttpClient.newHttpClient()

/** POST /`path` on the simulator; gives the answer as it is, in JSON. */
fun control(path: String, body: String): String {
    val request = HttpRequest.newBuilder(URI("${env("TIDINGS_CONTROL")}/$path")).header("content-type", "application/json")
    val answer = http.send(request.POST(HttpRequest.BodyPublishers.ofString(body)).build(), HttpResponse.BodyHandlers.ofString())
    check(answer.statusCode() == 200) { "The simulator refused /$path: ${answer.body()}" }
    return answer.body()
}

/** A field of a flat JSON answer: enough here, and no library is needed for it. */
fun field(json: String, name: String): String = Regex("\"$name\":\\s*\"?([^\",}]*)").find(json)?.groupValues?.get(1) ?: error("no $name in $json")

/** Signs a person in on the page at `url` and gives the address the browser is sent back to. */
fun signInAs(url: String, address: String): String = field(control("signin", """{"url": "$url", "as": "$address"}"""), "location")
