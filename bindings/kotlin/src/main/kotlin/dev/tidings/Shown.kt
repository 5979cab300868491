package dev.tidings

/**
 * [text] without what in it may be a secret, if it is an address: the user and password in front of the host, the query and the fragment. The text
 * forms of records use it; the rule is that of the engine.
 */
internal fun shown(text: String): String {
    if (text.any { it.isWhitespace() }) return text
    if ("://" !in text) {
        val login = text.substringBeforeLast("@", "")
        return if (':' in login) "…" + text.substring(login.length) else text
    }
    val (scheme, rest) = text.split("://", limit = 2)
    val end = rest.indexOfAny(charArrayOf('/', '\\', '?', '#')).let { if (it < 0) rest.length else it }
    // A password with one of these characters ends the host early; then nothing is sure.
    if ('@' in rest.substring(end)) return "$scheme://…"
    val host = rest.substring(0, end).let { if ('@' in it) "…@" + it.substringAfterLast("@") else it }
    val path = rest.substring(end).split('?', '#', limit = 2)
    return scheme + "://" + host + path[0] + if (path.size > 1) "?…" else ""
}
