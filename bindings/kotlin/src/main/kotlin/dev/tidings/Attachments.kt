package dev.tidings

import java.io.InputStream
import java.net.URLConnection
import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.name
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.withContext

/** Bytes handed over at a time. */
private const val PIECE = 1 shl 20

/**
 * An attachment of up to 150 MB for drafts of this account, from a flow of bytes. It is collected piece by piece, and sealed and durable when this returns;
 * [Engine.stageAttachment] says how long. With [size], another count of bytes is an error. When the flow fails or the call is cancelled, that is thrown as it is
 * and nothing of the content is left. Errors: as [Engine.stageAttachment] and the methods of [AttachmentWriter].
 */
public suspend fun Engine.attachmentFrom(
    accountId: String,
    source: Flow<ByteArray>,
    name: String,
    contentType: String = typeOf(name),
    size: ULong? = null,
    contentId: String? = null,
): FileAttachment =
    stageAttachment(accountId, name, contentType, size, contentId).use { writer ->
        try {
            source.collect { bytes ->
                for (start in bytes.indices step PIECE) {
                    writer.write(if (bytes.size <= PIECE) bytes else bytes.copyOfRange(start, minOf(start + PIECE, bytes.size)))
                }
            }
            writer.finish()
        } catch (e: Throwable) {
            withContext(NonCancellable) { writer.abort() }
            throw e
        }
    }

/** The same from a stream, which is read to its end and not closed. */
public suspend fun Engine.attachmentFrom(
    accountId: String,
    source: InputStream,
    name: String,
    contentType: String = typeOf(name),
    size: ULong? = null,
    contentId: String? = null,
): FileAttachment = attachmentFrom(accountId, pieces(source), name, contentType, size, contentId)

/** The same from bytes. */
public suspend fun Engine.attachmentFrom(
    accountId: String,
    source: ByteArray,
    name: String,
    contentType: String = typeOf(name),
    contentId: String? = null,
): FileAttachment = attachmentFrom(accountId, flowOf(source), name, contentType, source.size.toULong(), contentId)

/** The same from a file. */
public suspend fun Engine.attachmentFrom(
    accountId: String,
    source: Path,
    name: String = source.name,
    contentType: String = typeOf(name),
    contentId: String? = null,
): FileAttachment = withContext(Dispatchers.IO) { Files.newInputStream(source) }.use { stream ->
    attachmentFrom(accountId, stream, name, contentType, Files.size(source).toULong(), contentId)
}

private fun pieces(source: InputStream): Flow<ByteArray> = flow {
    while (true) {
        val piece = withContext(Dispatchers.IO) { source.readNBytes(PIECE) }
        if (piece.isEmpty()) break
        emit(piece)
    }
}

private fun typeOf(name: String): String = URLConnection.guessContentTypeFromName(name) ?: "application/octet-stream"
