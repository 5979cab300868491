// What the agent thinks with. Put a model in its place: text in, text out.

package dev.tidings.examples.bots

private val candidates = mapOf(
    "Ann" to mapOf("when" to "on Thursday at 3", "where" to "to room 12"),
    "Bob" to mapOf("when" to "on Friday at 10", "where" to "to room 7"),
)

/** The answer to [text]; [history] is what people said there before, the oldest first. Whom it is about may stand in either. */
fun brain(text: String, history: List<String>): String {
    val ask = if ("where" in text.lowercase()) "where" else "when"
    for (said in listOf(text) + history.reversed()) {
        for ((name, facts) in candidates) if (name in said) return "$name comes ${facts[ask]}."
    }
    return "Whom do you mean, Ann or Bob?"
}
