package dev.tidings

import kotlinx.coroutines.runBlocking

/**
 * Runs [block] and then shuts the engine down: durable steps end, the store is closed. It works in a coroutine and outside of one; the
 * thread waits for the shutdown. Takes the place of the `use` that would only let go of the engine.
 */
public inline fun <R> Engine.use(block: (Engine) -> R): R {
    try {
        return block(this)
    } finally {
        shutdownAndClose()
    }
}

/** Shuts the engine down, waits for that, and lets go of it. May be called twice. */
public fun Engine.shutdownAndClose() {
    try {
        runBlocking { shutdown() }
    } catch (_: IllegalStateException) {
        // It was closed before.
    }
    close()
}

/** The engine as a resource of a framework: closing it is a [shutdownAndClose]. */
public fun Engine.asCloseable(): AutoCloseable = AutoCloseable { shutdownAndClose() }
