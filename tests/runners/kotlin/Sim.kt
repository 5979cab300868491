/** The simulator: one process for the whole run, and its control endpoints. */
package dev.tidings.scenarios

import com.fasterxml.jackson.core.JsonProcessingException
import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.ObjectMapper
import dev.tidings.TestClock
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeoutOrNull
import java.io.File
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers

val JSON = ObjectMapper()

/** The repository; the build says where it is. */
val ROOT = File(System.getProperty("tidings.root") ?: ".").canonicalFile

/** So long, in real time, nobody waits for the clock before a second passes on it. */
private const val QUIET_MS = 3000L

/** How often is looked whether another process has moved the simulator's clock. */
private const val TICK_MS = 100L

/**
 * A wait up to this is a look at what others do, and that takes real time: a tenth of it passes. Without that, a lease would run out under a process that
 * works as fast as a busy machine lets it.
 */
private const val LOOK_MS = 1000L

class Sim(val control: String, val urls: JsonNode?) {
    private val http = HttpClient.newHttpClient()

    companion object {
        fun start(language: String): Sim {
            val target = System.getenv("CARGO_TARGET_DIR") ?: File(ROOT, "target").path
            val command = mutableListOf(System.getenv("TIDINGS_SIM") ?: "$target/debug/m365-sim", "--with-parent")
            if (System.getenv("RECORD") != null) command += listOf("--record", File(ROOT, "target/exchanges-$language.jsonl").path)
            // It ends when our end of its standard input closes.
            val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
            val urls = JSON.readTree(process.inputStream.bufferedReader().readLine())
            return Sim(urls["control"].asText(), urls)
        }
    }

    /** POST with a body, GET without. */
    suspend fun ask(path: String, body: JsonNode? = null, method: String = if (body == null) "GET" else "POST"): JsonNode {
        val publisher = if (body == null) BodyPublishers.noBody() else BodyPublishers.ofString(body.toString())
        val request = HttpRequest.newBuilder(URI("$control/$path")).header("content-type", "application/json").method(method, publisher).build()
        val answer = withContext(Dispatchers.IO) { http.send(request, BodyHandlers.ofString()) }
        if (answer.statusCode() !in 200..299) throw Failed("simulator, $path: ${answer.statusCode()} ${answer.body()}")
        return try {
            JSON.readerFor(JsonNode::class.java).with(com.fasterxml.jackson.databind.DeserializationFeature.FAIL_ON_TRAILING_TOKENS).readTree(answer.body())
        } catch (e: JsonProcessingException) {
            JSON.nodeFactory.textNode(answer.body())
        }
    }

    suspend fun clearFaults(): JsonNode = ask("faults", method = "DELETE")

    /** Fetches an address as a browser would. */
    suspend fun browse(url: String): JsonNode {
        val answer = withContext(Dispatchers.IO) { http.send(HttpRequest.newBuilder(URI(url)).build(), BodyHandlers.ofString()) }
        return JSON.createObjectNode().put("status", answer.statusCode())
    }

    suspend fun now(advanceMs: Long = 0): Long = ask("clock", JSON.createObjectNode().put("advance_ms", advanceMs))["now_ms"].asLong()

    /** The simulator's clock is the truth; the engine's follows it, whoever moved it. */
    suspend fun catchUp(clock: TestClock) {
        val now = now()
        // Two at once would both move it by what is missing.
        synchronized(clock) {
            val ahead = now - clock.nowMs().toLong()
            if (ahead > 0) clock.advance(ahead.toULong())
        }
    }

    /**
     * Whenever the engine waits, moves both clocks to where it waits for. Where nobody does for long, a second passes: an engine that waits for what
     * another process does looks again after a while.
     */
    suspend fun follow(clock: TestClock) {
        var quiet = 0L
        while (true) {
            val waits = withTimeoutOrNull(TICK_MS) { clock.nextWait().toLong() }
            if (waits == null && quiet < QUIET_MS) {
                quiet += TICK_MS
                catchUp(clock)
                continue
            }
            quiet = 0
            val wait = waits ?: 1000L
            val wake = clock.nowMs().toLong() + wait
            if (wait <= LOOK_MS) delay(wait / 10)
            val now = now()
            if (wake > now) now(wake - now)
            catchUp(clock)
        }
    }
}
