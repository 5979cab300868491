import dev.tidings.*
import kotlinx.coroutines.runBlocking
import java.io.File
import java.nio.file.Files
import java.nio.file.attribute.PosixFilePermissions
import kotlin.test.*

/** A root key that is kept in a file: the same at every start. */
class KeysTest {
    private fun config(folder: String) = Config(dataDir = folder, clientId = "00000000-0000-0000-0000-000000000000", cloud = Cloud.custom("http://127.0.0.1:9", "http://127.0.0.1:9"))

    @Test
    fun `the second start has the same key`() = runBlocking<Unit> {
        val folder = temporaryFolder()
        val file = File(folder, "keys/tidings.key")
        for (key in listOf(loadOrCreateKey(file.path), loadOrCreateKey(file.toPath()))) {
            Engine.open(config("$folder/store"), key).use { assertEquals(0, it.accounts().items.size) }
        }
        assertFailsWith<TidingsException.WrongKey> { Engine.open(config("$folder/store"), loadOrCreateKey("$folder/other.key")) }
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file.toPath())))
    }

    @Test
    fun `what is no key or others could know is refused and left alone`() {
        val file = File(temporaryFolder(), "tidings.key")
        loadOrCreateKey(file.path).close()
        Files.setPosixFilePermissions(file.toPath(), PosixFilePermissions.fromString("rw-r--r--"))
        assertContains(assertFailsWith<TidingsException.VaultLocked> { loadOrCreateKey(file.path) }.reason, "chmod 600")
        Files.setPosixFilePermissions(file.toPath(), PosixFilePermissions.fromString("rw-------"))
        file.writeText("a password\n")
        assertFailsWith<TidingsException.VaultLocked> { loadOrCreateKey(file.path) }
        assertEquals("a password\n", file.readText())
        for (bad in listOf("", file.parent)) assertFailsWith<TidingsException.InvalidInput> { loadOrCreateKey(bad) }
    }
}
