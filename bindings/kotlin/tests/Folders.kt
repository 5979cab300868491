import kotlin.io.path.createTempDirectory

/** A folder of its own, which goes with this process. */
fun temporaryFolder(): String {
    val folder = createTempDirectory("tidings-").toFile()
    Runtime.getRuntime().addShutdownHook(Thread { folder.deleteRecursively() })
    return folder.path
}
