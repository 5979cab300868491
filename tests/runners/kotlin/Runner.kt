/** Runs the scenarios through the Kotlin interface. `Runner [FILE…]`; `--child` is the second process of a scenario. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.node.ObjectNode
import com.fasterxml.jackson.dataformat.toml.TomlMapper
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import java.io.File
import kotlin.system.exitProcess

/** Longest a scenario may take, so that one that hangs does not stall the rest. */
private const val LIMIT_MS = 600_000L

fun main(args: Array<String>) {
    if ("--child" in args) {
        runBlocking { serve(JSON.readTree(System.`in`)) }
        exitProcess(0)
    }
    val sim = Sim.start("kotlin")
    val logs = Logs()
    val results = JSON.createArrayNode()
    for (file in files(args)) {
        val scenario = TomlMapper().readTree(file)
        val started = System.nanoTime()
        val reason = try {
            runBlocking { withTimeout(LIMIT_MS) { run(sim, logs, scenario) } }
            null
        } catch (e: TimeoutCancellationException) {
            "did not end within ${LIMIT_MS / 1000} s"
        } catch (e: Failed) {
            e.message
        } catch (e: Throwable) { // a defect of one scenario or of the engine must not stop the rest
            e.stackTraceToString()
        }
        val result = results.addObject()
        result.put("file", file.nameWithoutExtension)
        result.set<ObjectNode>("name", scenario["name"])
        result.set<ObjectNode>("proves", scenario["proves"])
        result.put("outcome", if (reason == null) "passed" else "failed")
        reason?.let { result.put("reason", it) }
        val ms = (System.nanoTime() - started) / 1_000_000
        result.put("ms", ms)
        println(if (reason == null) "passed  ${file.nameWithoutExtension}  ($ms ms)" else "FAILED  ${file.nameWithoutExtension}  ($ms ms)\n        $reason")
    }
    File(ROOT, "target").mkdirs()
    val report = JSON.createObjectNode().put("language", "kotlin")
    report.set<ObjectNode>("scenarios", results)
    JSON.writeValue(File(ROOT, "target/results-kotlin.json"), report)
    val failed = results.count { it["outcome"].asText() == "failed" }
    println("kotlin: ${results.size() - failed} passed, $failed failed")
    exitProcess(if (failed > 0) 1 else 0)
}

/** Those named on the command line (by path or by bare name), or all. */
private fun files(named: Array<String>): List<File> {
    val folder = File(ROOT, "tests/scenarios")
    if (named.isNotEmpty()) return named.map { if (it.endsWith(".toml")) File(it) else File(folder, "$it.toml") }
    return folder.listFiles { file -> file.extension == "toml" }.orEmpty().sorted()
}
