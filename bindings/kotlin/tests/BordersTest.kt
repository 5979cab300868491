import dev.tidings.*
import kotlinx.coroutines.*
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.NotSerializableException
import java.io.ObjectOutputStream
import java.net.URLClassLoader
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.test.*

private const val NOWHERE = "http://127.0.0.1:9"
private fun config(folder: String) = Config(dataDir = folder, clientId = "00000000-0000-0000-0000-000000000000", cloud = Cloud.custom(NOWHERE, NOWHERE))
private fun opened(folder: String = temporaryFolder()) = Engine.open(config(folder), RootKey.raw(generateRootKey()))

/** Run in class loaders and processes of their own. */
object Elsewhere {
    /** What became of opening this store. */
    @JvmStatic
    fun open(folder: String, key: ByteArray): String = try {
        Engine.open(config(folder), RootKey.raw(key)).use { engine -> runBlocking { "opened " + engine.accounts().items.size } }
    } catch (e: TidingsException) {
        e.javaClass.simpleName + " " + e.message
    }

    @JvmStatic
    fun main(how: Array<String>) {
        val engine = opened()
        repeat(3) { Thread { runBlocking { while (true) engine.accounts() } }.apply { isDaemon = true }.start() }
        Thread { runBlocking { engine.eventFlow().collect { } } }.apply { isDaemon = true }.start()
        GlobalScope.launch { engine.changeFlow(owner = "me").collect { } }
        runBlocking { repeat(20) { engine.accounts() } }
        println("end")
        when (how[0]) {
            "exit" -> System.exit(3)
            "halt" -> Runtime.getRuntime().halt(4)
            "hook" -> Runtime.getRuntime().addShutdownHook(Thread { engine.shutdownAndClose(); println("closed") })
            "throw" -> error("of the host")
        }
    }
}

class BordersTest {
    private fun places() = (System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")).split(File.pathSeparator)

    @Test
    fun `two class loaders work side by side and keep off each other's store`() {
        val (folder, key) = temporaryFolder() to generateRootKey()
        val loader = URLClassLoader(places().map { Path.of(it).toUri().toURL() }.toTypedArray(), ClassLoader.getPlatformClassLoader())
        val open = loader.loadClass("Elsewhere").getMethod("open", String::class.java, ByteArray::class.java)
        Engine.open(config(folder), RootKey.raw(key)).use { engine ->
            val refused = open.invoke(null, folder, key) as String
            assertTrue(refused.startsWith("StoreBusy") && "another copy of the Tidings library" in refused || refused == "opened 0", refused)
            assertEquals("opened 0", open.invoke(null, temporaryFolder(), key))
            assertEquals(emptyList(), runBlocking { engine.accounts().items })
        }
        assertEquals("opened 0", open.invoke(null, folder, key))
        loader.close()
    }

    @Test
    fun `nothing that is bound to its process or holds a secret is serialised`() {
        val engine = opened()
        val all = listOf(
            engine, engine.events(), engine.changes(ChangeQuery(owner = "me")), logs(LogLevel.ERROR), TestClock(1u), Secret("hidden"), RootKey.raw(generateRootKey()), config("data"),
            runBlocking { engine.connectHere(ConnectRequest(owner = "me", features = listOf(Feature.CHAT))) },
            runBlocking { engine.connect(ConnectRequest(owner = "me", features = listOf(Feature.CHAT), redirectUri = "http://localhost/callback")) },
            App(name = "bot", clientId = "id", clientSecret = Secret("hidden")), Cloud.custom(NOWHERE, NOWHERE), ConnectRequest(owner = "me", features = emptyList()),
        )
        for (it in all) assertFailsWith<NotSerializableException>(it.javaClass.name) { ObjectOutputStream(ByteArrayOutputStream()).writeObject(it) }
        engine.shutdownAndClose()
    }

    private fun run(how: String): Pair<Int, String> {
        val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
        val process = ProcessBuilder(java, "-cp", places().joinToString(File.pathSeparator), "Elsewhere", how).redirectErrorStream(how != "throw").start()
        val ended = process.waitFor(60, TimeUnit.SECONDS)
        if (!ended) process.destroyForcibly()
        assertTrue(ended, "$how: the process hangs")
        return process.exitValue() to String(process.inputStream.readAllBytes())
    }

    @Test
    fun `a process ends with its own code while calls are under way`() {
        for ((how, wanted) in listOf("return" to (0 to "end\n"), "exit" to (3 to "end\n"), "halt" to (4 to "end\n"), "throw" to (1 to "end\n"), "hook" to (0 to "end\nclosed\n"))) {
            val (code, out) = run(how)
            assertEquals(wanted.first, code, "$how: $out")
            assertTrue(out.startsWith("end\n"), "$how: $out")
            if (how == "hook") assertContains(out, "closed")
        }
    }

    @Test
    fun `a cancelled coroutine leaves the engine usable, and a closed one is refused`() = runBlocking {
        val engine = opened()
        val events = engine.events()
        val jobs = List(20) { launch(Dispatchers.Default) { while (true) engine.accounts() } } + launch { events.next() }
        delay(50)
        withTimeout(10_000) { jobs.forEach { it.cancelAndJoin() } }
        assertEquals(emptyList(), engine.accounts().items)
        engine.shutdown()
        assertFailsWith<TidingsException.Closed> { engine.accounts() }
        assertNull(events.next())
        engine.shutdownAndClose()
        assertFailsWith<IllegalStateException> { engine.metrics() }
        engine.shutdownAndClose()
    }
}
