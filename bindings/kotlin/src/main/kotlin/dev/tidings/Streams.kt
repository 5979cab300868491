package dev.tidings

import java.io.InputStream
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.runBlocking

private const val BATCH = 100u

/** Live events from the moment of collecting, of one [owner]'s accounts or of everybody's; ends with the engine. */
public fun Engine.eventFlow(owner: String? = null): Flow<Event> = flow {
    events(owner).use { stream ->
        while (true) emit(stream.next() ?: break)
    }
}

/** What the engines of this process log from the moment of collecting, at this [level] and above; ends when collecting is cancelled. */
public fun logFlow(level: LogLevel = LogLevel.INFO): Flow<LogRecord> = flow {
    logs(level).use { stream ->
        while (true) emit(stream.next() ?: break)
    }
}

/** A list of Graph, page by page; each collecting begins at the first one. */
public fun Engine.pageFlow(accountId: String, request: RawRequest, owner: String? = null): Flow<RawPage> = flow {
    pages(accountId, request, owner).use { pages ->
        while (true) emit(pages.next() ?: break)
    }
}

/** What is left of the body, piece by piece. */
public fun RawResponse.bodyFlow(): Flow<ByteArray> = flow {
    while (true) emit(next() ?: break)
}

/** What is left of the content, piece by piece. After an error a new collecting goes on where it broke off. */
public fun AttachmentContent.contentFlow(): Flow<ByteArray> = flow {
    while (true) emit(next() ?: break)
}

/** What is left of the content, for whoever reads streams; its reads block. Closing it lets go of the content. */
public fun AttachmentContent.inputStream(): InputStream = ContentStream(this)

private class ContentStream(private val content: AttachmentContent) : InputStream() {
    private var piece = ByteArray(0)
    private var at = 0

    override fun read(): Int = if (isOver()) -1 else piece[at++].toInt() and 0xff

    override fun read(bytes: ByteArray, offset: Int, length: Int): Int {
        if (length == 0) return 0
        if (isOver()) return -1
        val size = minOf(length, piece.size - at)
        piece.copyInto(bytes, offset, at, at + size)
        at += size
        return size
    }

    override fun available(): Int = piece.size - at

    override fun close(): Unit = content.close()

    private fun isOver(): Boolean {
        if (at < piece.size) return false
        piece = runBlocking { content.next() } ?: return true
        at = 0
        return false
    }
}

/**
 * The change feed of an owner or an account after [cursor], from the beginning when none is given; ends with the engine. Store [Change.cursor] when you have
 * dealt with a change.
 */
public fun Engine.changeFlow(owner: String? = null, accountId: String? = null, cursor: String? = null): Flow<Change> = flow {
    changes(ChangeQuery(owner, accountId, cursor)).use { stream ->
        while (true) {
            val changes = stream.next(BATCH)
            if (changes.isEmpty()) break
            changes.forEach { emit(it) }
        }
    }
}
