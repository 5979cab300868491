package dev.tidings

import java.util.concurrent.TimeoutException
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.withTimeoutOrNull

private const val FAILED = "Something went wrong. Try again later."
private const val TOO_LONG = "The answer took too long. Try again later."

/**
 * [Engine.receive], and the host's answer to what Teams asks the bot and waits for: [onInvoke] gives it, or null when it is done and there is nothing to show. It may
 * suspend or block. When it takes longer than [timeout] (Teams waits for about 15 seconds at the most), throws, or gives what cannot be sent, the person is told so
 * in words, and [onError] hears of it; by default the logger `tidings.bots` of the platform does. What takes longer is cancelled; what blocks goes on, and nobody hears its answer.
 * Errors: as [Engine.receive].
 */
public suspend fun Engine.receive(
    request: HttpRequest,
    timeout: Duration = 10.seconds,
    onError: (BotInvoke, Throwable) -> Unit = ::logged,
    onInvoke: suspend (BotInvoke) -> BotAnswer?,
): HttpResponse {
    val received = receiveInvoke(request)
    val invoke = received.invoke ?: return received.response
    // Not a child of the caller: what blocks would be waited for.
    val work = CoroutineScope(Dispatchers.IO).async { runCatching { onInvoke(invoke) } }
    val answer = try {
        withTimeoutOrNull(timeout) { work.await() }
    } finally {
        work.cancel()
    }
    val response = answer?.mapCatching { invokeResponse(invoke.name, it ?: BotAnswer.Done) }
    response?.onSuccess { return it }
    val error = response?.exceptionOrNull() ?: TimeoutException("onInvoke took longer than $timeout.")
    runCatching { onError(invoke, error) }.onFailure { logged(invoke, it) }
    return invokeResponse(invoke.name, BotAnswer.Failure(500u, if (response == null) TOO_LONG else FAILED))
}

@Suppress("UNUSED_PARAMETER")
private fun logged(invoke: BotInvoke, error: Throwable) {
    System.getLogger("tidings.bots").log(System.Logger.Level.ERROR, "What Teams asked was not answered by onInvoke.", error)
}
