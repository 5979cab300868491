import dev.tidings.*
import kotlinx.coroutines.*
import kotlinx.coroutines.flow.*
import kotlin.test.*

class IdiomsTest {
    private fun config(dataDir: String, cloud: Cloud = Cloud.Public) = Config(dataDir = dataDir, clientId = "00000000-0000-0000-0000-000000000000", cloud = cloud)

    @Test
    fun `a root key has 32 bytes`() {
        assertEquals(32, generateRootKey().size)
        RootKey.raw(generateRootKey()).close()
        val e = assertFailsWith<TidingsException.InvalidInput> { RootKey.raw(ByteArray(31) { it.toByte() }) }
        assertEquals(Remedy.DEVELOPER, e.remedy)
        assertNull(e.accountId)
    }

    @Test
    fun `what cannot work is refused at open`() {
        val key = RootKey.raw(generateRootKey())
        assertFailsWith<TidingsException.InvalidInput> { Engine.open(config(""), key) }
        assertFailsWith<TidingsException.InvalidInput> { Engine.open(config("data", Cloud.custom("http://example.com", "http://example.com")), key) }
    }

    @Test
    fun `failures are a sealed class`() {
        val seen = try {
            RootKey.raw(ByteArray(0))
            "none"
        } catch (e: TidingsException) {
            when (e) {
                is TidingsException.InvalidInput -> e.reason
                is TidingsException.Throttled -> "after ${e.retryAfterMs}"
                else -> "other"
            }
        }
        assertContains(seen, "32 bytes")
    }

    @Test
    fun `a cancelled wait ends`() = runBlocking {
        TestClock(1000u).use { clock ->
            val waiting = launch { clock.nextWait() }
            delay(50)
            withTimeout(60_000) { waiting.cancelAndJoin() }
            assertNull(withTimeoutOrNull(50) { clock.nextWait() })
            clock.advance(5u)
            assertEquals(1005uL, clock.nowMs())
        }
    }

    @Test
    fun `a raw request is a path or a record, and a list a flow`() = runBlocking {
        val folder = kotlin.io.path.createTempDirectory("tidings").resolve("store").toString()
        Engine.open(config(folder, Cloud.custom("http://127.0.0.1:9", "http://127.0.0.1:9")), RootKey.raw(generateRootKey())).use { engine ->
            assertFailsWith<TidingsException.NotConnected> { engine.request("none", "/me") }
            assertFailsWith<TidingsException.NotConnected> { engine.batch("none", listOf(RawRequest("/me", query = mapOf("\$top" to "5")))) }
            assertFailsWith<TidingsException.LinkRejected> { engine.request("none", "https://example.com/") }
            assertFailsWith<TidingsException.NotConnected> { engine.pageFlow("none", "/me/events").toList() }
        }
        assertFalse("hush" in RawRequest("/me", headers = mapOf("X" to "hush")).toString())
    }

    @Test
    fun `a sign-in shows no secret`() {
        val shown = SignIn("https://example.com/?state=hidden", "hidden", java.time.Instant.EPOCH).toString()
        assertFalse("hidden" in shown, shown)
    }

    @Test
    fun `an approval shows no secret`() {
        val shown = Approval("account", "https://example.com/?state=hidden", "hidden", java.time.Instant.EPOCH, "why", "sheet").toString()
        assertFalse("hidden" in shown, shown)
        assertContains(shown, "account")
    }

    @Test
    fun `an engine opens with a file`() {
        val file = kotlin.io.path.createTempFile("tidings", ".toml")
        java.nio.file.Files.writeString(file, "page_sise = 50")
        val key = RootKey.raw(generateRootKey())
        for (refused in listOf<() -> Engine>({ Engine.open(file, key) }, { Engine.open(file.toString(), key) })) {
            assertContains(assertFailsWith<TidingsException.InvalidInput> { refused() }.reason, "page_sise")
        }
    }

    @Test
    fun `apps and keys are said shortly`() {
        val bot = App(name = "bot", clientId = "00000000-0000-0000-0000-000000000000", clientSecret = Secret("hidden"))
        assertFalse("hidden" in Config(dataDir = "data", clientId = "id", cloud = Cloud.Public, apps = listOf(bot)).toString())
        assertFailsWith<TidingsException.InvalidInput> { RootKey.passphrase("too short") }
    }

    @Test
    fun `records flow until collecting ends`() = runBlocking {
        val heard = async(Dispatchers.Default) { logFlow(LogLevel.TRACE).first() }
        while (heard.isActive) {
            val folder = temporaryFolder()
            Engine.open(config(folder, Cloud.custom("http://127.0.0.1:9", "http://127.0.0.1:9")), RootKey.raw(generateRootKey())).use { it.accounts() }
        }
        assertContains(heard.await().target, "tidings")
    }

    @Test
    fun `records are values with defaults`() {
        val draft = ChatDraft("account", "colleague@contoso.com", "Interview at 3?")
        assertEquals(draft, draft.copy(bodyType = BodyType.TEXT))
        assertEquals("application/octet-stream", FileAttachment("a", byteArrayOf()).contentType)
    }

    @Test
    fun `closing ends streams, and a closed engine says so`() = runBlocking {
        val folder = temporaryFolder()
        val cloud = Cloud.custom("http://127.0.0.1:9", "http://127.0.0.1:9")
        val engine = Engine.open(config(folder, cloud), RootKey.raw(generateRootKey()))
        assertEquals(emptyList(), engine.accounts(owner = "nobody").items)
        val events = async { engine.eventFlow().toList() }
        val changes = async { engine.changeFlow(owner = "nobody").toList() }
        delay(100)
        engine.shutdown()
        withTimeout(60_000) {
            assertEquals(emptyList(), events.await())
            assertEquals(emptyList(), changes.await())
        }
        assertFailsWith<TidingsException.Closed> { engine.accounts() }
        engine.use { }
    }
}
