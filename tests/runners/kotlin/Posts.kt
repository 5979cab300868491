/** What Microsoft posts: handed to `receive` as a host's route would hand it on. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode
import dev.tidings.Engine
import dev.tidings.HttpRequest

/** A request as a scenario writes it, its body as text. */
suspend fun receive(engine: Engine, given: JsonNode): JsonNode {
    val headers = given["headers"]?.properties()?.associate { (name, value) -> name to value.asText() } ?: emptyMap()
    fun text(name: String, usual: String) = given[name]?.asText() ?: usual
    val answer = engine.receive(HttpRequest(text("method", "POST"), text("path", "/"), text("query", ""), headers, text("body", "").toByteArray()))
    val shown = JSON.createObjectNode().put("status", answer.status.toLong()).put("body", String(answer.body))
    return shown.set<ObjectNode>("headers", canonical(answer.headers))
}

/** Every post that waits at the simulator, the question to a new subscription among them; `wait = false`: also when there is none. */
suspend fun deliver(engine: Engine, sim: Sim, given: JsonNode): JsonNode {
    val taken = sim.ask("notifications/take", JSON.createObjectNode().put("wait", given["wait"]?.asBoolean() ?: true))
    val statuses = JSON.createArrayNode()
    for (post in taken["posts"]) {
        val answer = receive(engine, post)
        val told = JSON.createObjectNode().put("content_type", answer["headers"]["content-type"]?.asText() ?: "").put("body", answer["body"].asText())
        told.set<ObjectNode>("id", post["id"])
        told.set<ObjectNode>("status", answer["status"])
        sim.ask("notifications/answer", told)
        statuses.add(answer["status"])
    }
    return JSON.createObjectNode().put("posts", statuses.size()).set("statuses", statuses)
}
