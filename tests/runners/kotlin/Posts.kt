/** What Microsoft posts: handed to `receive` as a host's route would hand it on. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode
import dev.tidings.BotAnswer
import dev.tidings.BotInvoke
import dev.tidings.Engine
import dev.tidings.HttpRequest
import dev.tidings.HttpResponse
import dev.tidings.receive
import kotlin.reflect.typeOf
import kotlin.time.Duration.Companion.milliseconds
import kotlinx.coroutines.awaitCancellation

/** A request as a scenario writes it, its body as text. */
suspend fun receive(engine: Engine, given: JsonNode): JsonNode = shown(engine.receive(request(given)))

private fun request(given: JsonNode): HttpRequest {
    val headers = given["headers"]?.properties()?.associate { (name, value) -> name to value.asText() } ?: emptyMap()
    fun text(name: String, usual: String) = given[name]?.asText() ?: usual
    return HttpRequest(text("method", "POST"), text("path", "/"), text("query", ""), headers, text("body", "").toByteArray())
}

private fun shown(answer: HttpResponse): JsonNode {
    val shown = JSON.createObjectNode().put("status", answer.status.toLong()).put("body", String(answer.body))
    return shown.set<ObjectNode>("headers", canonical(answer.headers))
}

/** What the host of a scenario answers. */
private suspend fun handled(handler: JsonNode): BotAnswer? = when {
    handler.asText() == "throws" -> throw IllegalStateException("the handler failed on purpose")
    handler.asText() == "held" -> awaitCancellation()
    handler.isTextual -> null
    else -> build(typeOf<BotAnswer>(), handler) as BotAnswer
}

/** Every post that waits at the simulator, the question to a new subscription among them; `wait = false`: also when there is none. */
suspend fun deliver(engine: Engine, sim: Sim, given: JsonNode): JsonNode {
    val taken = sim.ask("notifications/take", JSON.createObjectNode().put("wait", given["wait"]?.asBoolean() ?: true))
    val (statuses, asked) = JSON.createArrayNode() to JSON.createArrayNode()
    var failures = 0
    val handler = given["handler"]
    val onInvoke: suspend (BotInvoke) -> BotAnswer? = { invoke ->
        asked.add(canonical(invoke))
        handled(handler)
    }
    val limit = (given["limit_ms"]?.asLong() ?: 10_000L).milliseconds
    for (post in taken["posts"]) {
        val answer = if (handler == null) receive(engine, post) else shown(engine.receive(request(post), limit, { _, _ -> failures++ }, onInvoke))
        val told = JSON.createObjectNode().put("content_type", answer["headers"]["content-type"]?.asText() ?: "").put("body", answer["body"].asText())
        told.set<ObjectNode>("id", post["id"])
        told.set<ObjectNode>("status", answer["status"])
        sim.ask("notifications/answer", told)
        statuses.add(answer["status"])
    }
    val outcome = JSON.createObjectNode().put("posts", statuses.size())
    outcome.set<ObjectNode>("statuses", statuses)
    return if (handler == null) outcome else outcome.put("failures", failures).set("asked", asked)
}
