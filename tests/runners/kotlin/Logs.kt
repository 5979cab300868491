/** What the engines log while the scenarios run. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import dev.tidings.LogLevel
import dev.tidings.TidingsException
import dev.tidings.logs
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import java.io.File
import java.util.concurrent.CopyOnWriteArrayList

/** Records come through a stream of their own, a moment after the call that caused them; this long a silence means that all are there. */
private const val SILENCE_MS = 20L

/** The records since the scenario began; or why there are none to be had. */
class Logs {
    private val records = CopyOnWriteArrayList<JsonNode>()
    private var refused: TidingsException? = null

    init {
        try {
            val stream = logs(LogLevel.TRACE)
            CoroutineScope(Dispatchers.Default).launch {
                try {
                    while (true) records.add(canonical(stream.next() ?: break))
                } catch (e: TidingsException) {
                    refused = e
                }
            }
        } catch (e: TidingsException) {
            refused = e
        }
    }

    /** A new scenario begins. */
    suspend fun begin() {
        if (refused == null) all()
        records.clear()
    }

    suspend fun all(): JsonNode {
        refused?.let { throw it }
        do {
            val before = records.size
            delay(SILENCE_MS)
        } while (before != records.size)
        return JSON.createArrayNode().addAll(records)
    }

    /** None of these may stand in any record. */
    suspend fun check(secrets: Collection<ByteArray>) {
        if (refused != null) return
        val records = all()
        // For the search of the whole run.
        System.getenv("TIDINGS_EVIDENCE")?.let { File(it, "logs-kotlin.jsonl").appendText(records.joinToString("") { record -> "$record\n" }) }
        for (record in records) {
            val texts = listOf(record["message"], record["target"]) + record["fields"].flatMap { listOf(it["name"], it["value"]) }
            val bytes = texts.map { String(it.asText().toByteArray(), Charsets.ISO_8859_1) }
            val found = secrets.firstOrNull { secret -> secret.isNotEmpty() && bytes.any { String(secret, Charsets.ISO_8859_1) in it } }
            if (found != null) throw Failed("a log record holds ${String(found)}: ${short(record)}")
        }
    }
}
