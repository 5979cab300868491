import dev.tidings.*
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.test.*
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.runBlocking

class InvokeTest {
    private val card = """{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"Accepted"}]}"""

    @Test
    fun `an answer is made for the question it belongs to`() {
        val made = invokeResponse("adaptiveCard/action", BotAnswer.Card(card))
        assertEquals(200u, made.status)
        assertContains(String(made.body), "application/vnd.microsoft.card.adaptive")
        assertEquals(0, invokeResponse("signin/verifyState", BotAnswer.Done).body.size)
        assertEquals(412u, invokeResponse("signin/verifyState", BotAnswer.Failure(412u, "No")).status)
        assertFailsWith<TidingsException.InvalidInput> { invokeResponse("signin/verifyState", BotAnswer.Card(card)) }
        assertFailsWith<TidingsException.InvalidInput> { invokeResponse("adaptiveCard/action", BotAnswer.Card("{}")) }
    }

    @Test
    fun `the code of a sign-in and what proves a request are not printed`() {
        val invoke = BotInvoke("acc", "a:1", "f:1", null, null, "Ann", "signin/verifyState", null, null, null, false, "hush", null, null)
        assertFalse("hush" in invoke.toString())
        assertFalse("hush" in HttpRequest(headers = mapOf("authorization" to "Bearer hush")).toString())
    }

    /** In place of an engine: every request is a question of Teams. */
    private class Asked : Engine(NoHandle) {
        override suspend fun receiveInvoke(request: HttpRequest): BotReceived {
            val invoke = BotInvoke("acc", "a:1", "f:1", null, null, "Ann", "adaptiveCard/action", null, "accept", null, false, null, null, null)
            return BotReceived(HttpResponse(501u, emptyMap(), ByteArray(0)), invoke)
        }
    }

    @Test
    fun `what the host gives is sent, and what fails is told to both`() = runBlocking {
        val heard = mutableListOf<Throwable>()
        suspend fun answer(onInvoke: suspend (BotInvoke) -> BotAnswer?) = String(Asked().receive(HttpRequest(), 10.seconds, { _, error -> heard += error }, onInvoke).body)
        assertContains(answer { BotAnswer.Message(it.verb!!) }, "accept")
        assertEquals("""{"statusCode":200}""", answer { null })
        assertEquals(0, heard.size)
        val failed = answer { throw IllegalStateException("private words") }
        assertContains(failed, "500")
        assertFalse("private" in failed)
        assertContains(answer { BotAnswer.Card("{}") }, "500")
        assertEquals(listOf<Any>(IllegalStateException::class, TidingsException.InvalidInput::class), heard.map { it::class })
        assertContains(String(Asked().receive(HttpRequest(), onError = { _, error -> throw error }) { throw IllegalStateException("twice") }.body), "500")
    }

    @Test
    fun `a function that blocks too long is not waited for`() = runBlocking {
        val free = CountDownLatch(1)
        val heard = mutableListOf<Throwable>()
        val made = Asked().receive(HttpRequest(), 100.milliseconds, { _, error -> heard += error }) {
            free.await(60, TimeUnit.SECONDS)
            null
        }
        free.countDown()
        assertContains(String(made.body), "too long")
        assertIs<java.util.concurrent.TimeoutException>(heard.single())
        Unit
    }
}
