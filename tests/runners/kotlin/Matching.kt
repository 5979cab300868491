/** Holds an outcome against what a scenario expects. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.IntNode
import com.fasterxml.jackson.databind.node.NullNode

private val OPERATORS = setOf("len", "contains", "items", "at_least", "at_most", "matches", "not", "missing")

/** What differs, or null. Records compare by the fields named, lists in full. */
fun mismatch(expected: JsonNode, actual: JsonNode, at: String = ""): String? = when {
    isOperator(expected, actual) -> expected.properties().firstNotNullOfOrNull { (op, arg) -> operator(op, arg, actual, at) }
    expected.isObject && actual.isObject ->
        expected.properties().firstNotNullOfOrNull { (key, value) -> mismatch(value, actual[key] ?: NullNode.instance, "$at.$key") }
    expected.isArray && actual.isArray ->
        if (expected.size() != actual.size()) "$at: expected ${expected.size()} items, saw ${actual.size()}: ${short(actual)}"
        else expected.indices().firstNotNullOfOrNull { mismatch(expected[it], actual[it], "$at.$it") }
    same(expected, actual) -> null
    else -> "$at: expected ${short(expected)}, saw ${short(actual)}"
}

/** A table is an operator when all its keys are, and the outcome is no record that might have such a field. */
private fun isOperator(table: JsonNode, actual: JsonNode): Boolean {
    if (!table.isObject || table.isEmpty || !table.fieldNames().asSequence().all(OPERATORS::contains)) return false
    return !actual.isObject || table.has("not") || table["missing"]?.isBoolean == true
}

private fun operator(op: String, arg: JsonNode, actual: JsonNode, at: String): String? {
    val good = when (op) {
        "len" -> when {
            actual.isArray -> return mismatch(arg, IntNode(actual.size()), "$at.len")
            actual.isTextual -> return mismatch(arg, IntNode(actual.asText().let { it.codePointCount(0, it.length) }), "$at.len")
            else -> false
        }
        "items" -> if (actual.isArray) return actual.indices().firstNotNullOfOrNull { mismatch(arg, actual[it], "$at.$it") } else false
        "contains" -> if (actual.isTextual) actual.asText().contains(arg.asText()) else actual.isArray && actual.any { mismatch(arg, it) == null }
        "at_least" -> actual.isNumber && actual.asDouble() >= arg.asDouble()
        "at_most" -> actual.isNumber && actual.asDouble() <= arg.asDouble()
        "matches" -> actual.isTextual && Regex(arg.asText()).containsMatchIn(actual.asText())
        "not" -> mismatch(arg, actual) != null
        else -> actual.isNull == arg.asBoolean()
    }
    return if (good) null else "$at: expected $op ${short(arg)}, saw ${short(actual)}"
}

private fun JsonNode.indices() = 0 until size()

private fun same(a: JsonNode, b: JsonNode) = a == b || (a.isNumber && b.isNumber && a.asDouble() == b.asDouble())

/** A value for a message: whole, unless it is long. */
fun short(value: JsonNode): String = value.toString().let { if (it.length > 600) it.take(600) + "…" else it }
