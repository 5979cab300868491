/** Requests of a host's own: answers as a status, headers and text, lists as the pages that a loop over them gives. */
package dev.tidings.scenarios

import com.fasterxml.jackson.core.JsonProcessingException
import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.NullNode
import com.fasterxml.jackson.databind.node.ObjectNode
import dev.tidings.Engine
import dev.tidings.RawRequest
import dev.tidings.bodyFlow
import dev.tidings.pageFlow
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlin.reflect.typeOf

suspend fun rawRequest(engine: Engine, given: JsonNode): JsonNode = engine.request(given["account_id"].asText(), asked(given["request"]), owner(given)).use { response ->
    val head = JSON.createObjectNode().put("status", response.status().toLong()).put("request_id", response.requestId())
    head.set<JsonNode>("headers", canonical(response.headers()))
    if (given["pieces"]?.asBoolean() != true) return bodyOf(head, response.body())
    val sizes = response.bodyFlow().toList().map { it.size }
    head.put("pieces", sizes.size).put("bytes", sizes.sum()).put("longest", sizes.maxOrNull() ?: 0)
}

suspend fun rawBatch(engine: Engine, given: JsonNode): JsonNode {
    val outcomes = engine.batch(given["account_id"].asText(), given["requests"].map(::asked), owner(given))
    return JSON.createArrayNode().addAll(
        outcomes.map {
            val head = JSON.createObjectNode().put("request_id", it.requestId).put("error", it.error)
            head.set<JsonNode>("status", canonical(it.status))
            head.set<JsonNode>("headers", canonical(it.headers))
            head.set<JsonNode>("error_kind", canonical(it.errorKind))
            head.set<JsonNode>("retry_after_ms", canonical(it.retryAfterMs))
            bodyOf(head, it.body)
        },
    )
}

suspend fun rawPages(engine: Engine, given: JsonNode): JsonNode {
    val pages = engine.pageFlow(given["account_id"].asText(), asked(given["request"]), owner(given)).take(given["most"]?.asInt() ?: Int.MAX_VALUE).toList()
    return JSON.createArrayNode().addAll(
        pages.map { page ->
            val shown = JSON.createObjectNode().put("next_link", page.nextLink).put("delta_link", page.deltaLink)
            shown.set<JsonNode>("envelope", JSON.readTree(page.envelope))
            shown.set<JsonNode>("items", JSON.createArrayNode().addAll(page.items.map(JSON::readTree)))
            shown
        },
    )
}

private fun asked(given: JsonNode) = build(typeOf<RawRequest>(), given) as RawRequest

private fun owner(given: JsonNode) = given["owner"]?.asText()

/** As text, and as JSON where it is some. */
private fun bodyOf(head: ObjectNode, body: ByteArray): ObjectNode {
    val text = String(body)
    val json = try {
        if (text.isBlank()) null else JSON.readTree(text)
    } catch (_: JsonProcessingException) {
        null
    }
    head.put("body", text).set<JsonNode>("json", json ?: NullNode.instance)
    return head
}
