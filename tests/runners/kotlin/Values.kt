/** Scenario values: `$name.path` filled in, `repeat` unrolled; records of the Kotlin interface to and from JSON. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.IntNode
import com.fasterxml.jackson.databind.node.NullNode
import com.fasterxml.jackson.databind.node.ObjectNode
import com.fasterxml.jackson.databind.node.TextNode
import dev.tidings.ClientCertificate
import dev.tidings.RootKey
import dev.tidings.Secret
import dev.tidings.TidingsException
import dev.tidings.loadOrCreateKey
import java.time.Instant
import kotlin.reflect.KClass
import kotlin.reflect.KType
import kotlin.reflect.full.memberProperties
import kotlin.reflect.full.primaryConstructor

private val NAME = Regex("""\$([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)*)""")

/**
 * The value with every `$name` replaced. A text that is nothing but a name becomes the value itself, and the name must be known; inside a
 * longer text an unknown name stays as it is (it may be a `$filter`).
 */
fun fill(value: JsonNode, known: Map<String, JsonNode>): JsonNode = when {
    value.isTextual -> {
        val whole = NAME.matchEntire(value.asText())
        if (whole != null) lookup(known, whole.groupValues[1]) ?: throw Failed("${value.asText()} is not known")
        else TextNode(NAME.replace(value.asText()) { lookup(known, it.groupValues[1])?.let { found -> if (found.isTextual) found.asText() else found.toString() } ?: it.value })
    }
    value.isArray -> JSON.createArrayNode().addAll(value.map { fill(it, known) })
    value.has("repeat") && value.has("text") -> TextNode(value["text"].asText().repeat(value["repeat"].asInt()))
    value.has("repeat") && value.has("of") -> JSON.createArrayNode().addAll((1..value["repeat"].asInt()).map { fill(value["of"], known + ("i" to IntNode(it))) })
    value.isObject -> JSON.createObjectNode().also { copy -> value.properties().forEach { (key, item) -> copy.set<JsonNode>(key, fill(item, known)) } }
    else -> value
}

private fun lookup(known: Map<String, JsonNode>, path: String): JsonNode? {
    val parts = path.split(".")
    return parts.drop(1).fold(known[parts[0]]) { value, part -> part.toIntOrNull()?.let { value?.get(it) } ?: value?.get(part) }
}

fun camel(name: String) = name.split("_").joinToString("") { it.replaceFirstChar(Char::uppercase) }.replaceFirstChar(Char::lowercase)

fun snake(name: String) = name.replace(Regex("(?<!^)([A-Z])"), "_$1").lowercase()

/** A value of this type: a record by its constructor, so that its defaults hold. */
fun build(type: KType, json: JsonNode): Any? {
    if (json.isNull) return null
    val kind = type.classifier as KClass<*>
    return when (kind) {
        String::class -> json.asText()
        Boolean::class -> json.asBoolean()
        UInt::class -> json.asLong().toUInt()
        ULong::class -> json.asLong().toULong()
        ByteArray::class -> json.asText().toByteArray() // a scenario writes the content of a file as text
        Instant::class -> Instant.parse(json.asText())
        Secret::class -> Secret(json.asText())
        RootKey::class -> RootKey.raw(json.asText().toByteArray())
        ClientCertificate::class -> ClientCertificate.fromPem(json["certificate"].asText(), json["private_key"].asText())
        Map::class -> json.properties().associate { (key, value) -> key to build(type.arguments[1].type!!, value) }
        List::class -> json.map { build(type.arguments.single().type!!, it) }
        else -> when {
            kind.java.isEnum -> kind.java.enumConstants.first { (it as Enum<*>).name == json.asText().uppercase() }
            kind.isSealed -> variant(kind, json)
            else -> record(kind, json)
        }
    }
}

/** The key that the settings name; without one, the scenario's own. */
fun rootKey(settings: JsonNode, usual: ByteArray): RootKey {
    settings["passphrase"]?.let { return RootKey.passphrase(it.asText()) }
    settings["kms"]?.let { return RootKey.unwrapped(it["key"].asText().toByteArray(), it["wrapped"].asText().toByteArray()) }
    settings["keyring"]?.let { return RootKey.fromKeyring(it["service"].asText(), it["user"].asText()) }
    settings["key_file"]?.let { return loadOrCreateKey(it.asText()) }
    return RootKey.raw(settings["root_key"]?.asText()?.toByteArray() ?: usual)
}

/** Texts of the settings that may stand nowhere: not on disk, not in a record. */
fun secretsOf(settings: JsonNode): List<ByteArray> {
    val apps = listOf(settings) + settings["apps"]?.toList().orEmpty()
    val own = listOf(settings["root_key"], settings["passphrase"], settings["kms"]?.get("key"))
    return (own + apps.flatMap { listOf(it["client_secret"], it["certificate"]?.get("private_key")) }).filterNotNull().map { it.asText().toByteArray() }
}

/** `"us_gov"` or `{ custom: { fields } }`. */
private fun variant(kind: KClass<*>, json: JsonNode): Any {
    val tag = if (json.isTextual) json.asText() else json.fieldNames().next()
    val found = kind.sealedSubclasses.first { snake(it.simpleName!!) == tag }
    return found.objectInstance ?: record(found, json[tag])
}

fun record(kind: KClass<*>, json: JsonNode): Any {
    val make = kind.primaryConstructor!!
    // What is not given is as by default, or null where there is no default.
    val given = make.parameters.filter { json.has(snake(it.name!!)) || (!it.isOptional && it.type.isMarkedNullable) }
    return make.callBy(given.associateWith { parameter -> json[snake(parameter.name!!)]?.let { build(parameter.type, it) } })
}

/** As JSON: snake_case names, enums as text, times as RFC 3339, data enums as `{variant: {fields}}`. */
fun canonical(value: Any?): JsonNode = when (value) {
    null, Unit -> NullNode.instance
    is String -> TextNode(value)
    is Boolean -> JSON.nodeFactory.booleanNode(value)
    is UInt -> JSON.nodeFactory.numberNode(value.toLong())
    is ULong -> JSON.nodeFactory.numberNode(value.toLong())
    is Enum<*> -> TextNode(value.name.lowercase())
    is Instant -> TextNode(value.toString().replace(Regex("""(\.\d*?)0+Z$"""), "$1Z").replace(".Z", "Z"))
    is Map<*, *> -> JSON.createObjectNode().also { node -> value.forEach { (key, item) -> node.set<JsonNode>(key as String, canonical(item)) } }
    is ByteArray -> JSON.createArrayNode().addAll(value.map { IntNode(it.toInt() and 255) })
    is List<*> -> JSON.createArrayNode().addAll(value.map(::canonical))
    else -> {
        val fields = fields(value)
        val isVariant = value::class.java.superclass?.kotlin?.isSealed == true
        if (isVariant) JSON.createObjectNode().set(snake(value::class.simpleName!!), fields) else fields
    }
}

private fun fields(value: Any): ObjectNode {
    val node = JSON.createObjectNode()
    value::class.memberProperties.forEach { node.set<JsonNode>(snake(it.name), canonical(it.getter.call(value))) }
    return node
}

/** The error as a record. */
fun refusal(e: TidingsException): ObjectNode {
    val node = JSON.createObjectNode().put("kind", snake(e::class.simpleName!!))
    for (property in e::class.memberProperties) {
        if (property.name in listOf("reason", "accountId", "requestId", "retryAfterMs", "remedy")) node.set<JsonNode>(snake(property.name), canonical(property.getter.call(e)))
    }
    return node
}
