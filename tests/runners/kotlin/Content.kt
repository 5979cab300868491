/** Contents of a mailbox: what is attached, and mails as MIME. `pieces`: read in a loop; `again`: so often after it broke off. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import dev.tidings.AttachmentContent
import dev.tidings.Engine
import dev.tidings.TidingsException
import dev.tidings.contentFlow
import java.io.ByteArrayOutputStream

suspend fun attachmentContent(engine: Engine, given: JsonNode): JsonNode =
    engine.attachment(given["message_id"].asText(), given["attachment_id"].asText(), given["owner"]?.asText()).use { shown(it, given) }

suspend fun mimeContent(engine: Engine, given: JsonNode): JsonNode = engine.mime(given["message_id"].asText(), given["owner"]?.asText()).use { shown(it, given) }

private suspend fun shown(content: AttachmentContent, given: JsonNode): JsonNode {
    val (whole, sizes) = ByteArrayOutputStream() to mutableListOf<Int>()
    fun take(piece: ByteArray) {
        sizes += piece.size
        whole.write(piece)
    }
    if (given["pieces"]?.asBoolean() == true) inPieces(content, given["again"]?.asInt() ?: 0, ::take) else take(content.body())
    val bytes = whole.toByteArray()
    val shown = JSON.createObjectNode().put("name", content.name()).put("content_type", content.contentType()).put("bytes", bytes.size).put("pieces", sizes.size)
    shown.set<JsonNode>("kind", canonical(content.kind()))
    shown.set<JsonNode>("size", canonical(content.size()))
    return shown.put("longest", sizes.maxOrNull() ?: 0)
        .put("is_pattern", bytes.indices.all { (bytes[it].toInt() and 255) == it % 251 })
        .put("text", if (bytes.size <= 100_000) String(bytes) else "")
}

private suspend fun inPieces(content: AttachmentContent, often: Int, take: (ByteArray) -> Unit) {
    var again = often
    while (true) {
        try {
            content.contentFlow().collect { take(it) }
            return
        } catch (e: TidingsException.Upstream) {
            if (again-- == 0) throw e
        }
    }
}
