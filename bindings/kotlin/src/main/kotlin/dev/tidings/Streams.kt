package dev.tidings

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

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
