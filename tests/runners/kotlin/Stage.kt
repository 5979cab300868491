/** What stands on the stage while a scenario runs: store, key, clock, engines, and the second process. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode
import com.fasterxml.jackson.databind.node.TextNode
import dev.tidings.ChangeQuery
import dev.tidings.Config
import dev.tidings.Draft
import dev.tidings.Engine
import dev.tidings.EventStream
import dev.tidings.RootKey
import dev.tidings.TestClock
import dev.tidings.TidingsException
import dev.tidings.attachmentFrom
import dev.tidings.changes
import dev.tidings.generateRootKey
import dev.tidings.open
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.lang.reflect.InvocationTargetException
import java.nio.file.Files
import kotlin.coroutines.cancellation.CancellationException
import kotlin.reflect.full.callSuspendBy
import kotlin.reflect.full.memberFunctions
import kotlin.reflect.full.valueParameters
import kotlin.reflect.typeOf

private val FINAL = setOf("sent", "unknown", "failed", "cancelled")

/** What went wrong, in words for the report. */
class Failed(message: String) : Exception(message)

/** A call failed; the error as a record. */
class Refused(val record: JsonNode) : Exception(record.toString())

class Stage private constructor(val sim: Sim, known: MutableMap<String, JsonNode>, scenario: JsonNode, val clock: TestClock?) {
    private val folder = Files.createTempDirectory("tidings-").toFile()
    private val store = File(folder, "store")
    val rightKey = generateRootKey()
    private var key = rightKey
    private val players = mutableMapOf<String, Player>()
    private var mover: Job? = null
    /** Texts that may stand nowhere: keys, passphrases, client secrets. */
    val secrets = mutableListOf(rightKey, rightKey.hex().toByteArray())
    private val settings = JSON.createObjectNode().put("data_dir", store.path).put("client_id", sim.urls!!["client_id"].asText())

    init {
        settings.putObject("cloud").putObject("custom").put("login", sim.urls!!["login"].asText()).put("graph", sim.urls["graph"].asText())
        known["data_dir"] = TextNode(store.path)
        scenario["engine"]?.let { settings.setAll<ObjectNode>(fill(it, known) as ObjectNode) }
        secrets += secretsOf(settings)
    }

    companion object {
        /** `known` are the values that the settings of the file may name; `data_dir` comes to them. */
        suspend fun set(sim: Sim, known: MutableMap<String, JsonNode>, scenario: JsonNode, scope: CoroutineScope): Stage {
            val time = scenario["clock"] ?: TextNode("2026-01-15T09:00:00Z")
            sim.ask("reset", JSON.createObjectNode().set("clock", time))
            sim.ask("record", JSON.createObjectNode().put("on", true)) // to know the tokens that may not be found on disk
            val clock = if (time.asText() == "wall") null else TestClock(sim.now().toULong())
            val stage = Stage(sim, known, scenario, clock)
            stage.mover = clock?.let { scope.launch(Dispatchers.Default) { sim.follow(it) } }
            return stage
        }
    }

    /** Opens an engine; `given` changes settings for this one time, the key among them. */
    fun open(name: String, given: JsonNode) {
        val merged = settings.deepCopy().setAll<ObjectNode>(given as ObjectNode)
        secrets += secretsOf(given)
        players[name] = Player.onStage(merged, key, clock)
    }

    /** Writes the file beside the store, sets the variables it names, and opens the first engine with it. */
    fun openFile(given: JsonNode) {
        val file = File(folder, "tidings.toml").also { it.writeText(given["toml"].asText()) }
        given["env"]?.properties()?.forEach { (name, value) -> setEnvironment(name, value.asText()) }
        players["first"] = Player(Engine.open(file.toPath(), RootKey.raw(key)))
    }

    fun wrappedRootKey(): JsonNode = canonical(dev.tidings.wrappedRootKey(store.path)?.let { String(it) })

    /** A rotation has replaced the root key: engines are opened with this one from here on. */
    fun useKey(text: String) {
        key = text.toByteArray()
        secrets += listOf(key, key.hex().toByteArray())
    }

    fun player(name: String): Player {
        if (name !in players && name != "first") open(name, JSON.createObjectNode())
        return players[name] ?: throw Failed("no engine is open")
    }

    fun damage(step: JsonNode) {
        val how = step.asText()
        val kept = File(folder, "kept")
        if (how == "root_key") key = generateRootKey()
        else if (how == "right_key") key = rightKey
        else if (how == "keep") copy(store, kept)
        else if (how == "restore") copy(kept, store)
        else if (step.has("restore")) File(kept, step["restore"].asText()).copyTo(File(store, step["restore"].asText()), overwrite = true)
        else {
            val main = files().filter { !it.name.endsWith("-wal") && !it.name.endsWith("-shm") }.maxBy { it.length() }
            val bytes = main.readBytes()
            val quarter = bytes.size / 4
            if (how == "flip_page") for (i in quarter until 3 * quarter) bytes[i] = bytes[i].toInt().inv().toByte()
            if (step.isObject) replace(bytes, step["replace"][0].asText().toByteArray(), step["replace"][1].asText().toByteArray())
            main.writeBytes(if (how == "truncate") bytes.copyOf(bytes.size / 2) else bytes)
        }
    }

    /** None of these may stand in any file of the store. */
    fun checkDisk(secrets: Collection<ByteArray>) {
        for (file in files()) {
            val bytes = String(file.readBytes(), Charsets.ISO_8859_1)
            val found = secrets.firstOrNull { it.isNotEmpty() && String(it, Charsets.ISO_8859_1) in bytes }
            if (found != null) throw Failed("${file.name} holds ${String(found)} in the clear")
        }
    }

    /** Every file of the store, a character for each byte. */
    fun texts() = files().map { String(it.readBytes(), Charsets.ISO_8859_1) }

    /** A second process of this language on the same store, killed when that fault is reached, or so long after it opened the store. [opened] is told when it has the store open, or has ended. */
    suspend fun child(verb: String, given: JsonNode, killAt: String?, killAfterMs: Long?, still: Boolean, opened: CompletableDeferred<Unit>): JsonNode {
        val order = JSON.createObjectNode().put("control", sim.control).put("key", key.hex()).put("verb", verb).put("stays", killAt != null).put("still", still)
        order.set<ObjectNode>("settings", settings)
        order.set<ObjectNode>("with", given)
        clock?.let { order.put("now_ms", it.nowMs().toLong()) }
        val java = File(System.getProperty("java.home"), "bin/java").path
        val properties = listOf("tidings.root", "jna.library.path").mapNotNull { name -> System.getProperty(name)?.let { "-D$name=$it" } }
        val command = listOf(java) + properties + listOf("-cp", System.getProperty("java.class.path"), "dev.tidings.scenarios.RunnerKt", "--child")
        val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        process.outputStream.use { JSON.writeValue(it, order) }
        try {
            val output = process.inputStream.bufferedReader()
            val first = withContext(Dispatchers.IO) { output.readLine() }
            opened.complete(Unit)
            if (killAt != null || killAfterMs != null) {
                if (killAt != null) sim.ask("faults/reached", JSON.createObjectNode().put("name", killAt)) else delay(killAfterMs!!)
                process.destroyForcibly() // SIGKILL
                withContext(Dispatchers.IO) { process.waitFor() }
                return canonical(null)
            }
            val said = JSON.readTree(withContext(Dispatchers.IO) { output.readLines().lastOrNull() ?: first })
            said["error"]?.let { throw Refused(it) }
            return said["ok"]
        } finally {
            clock?.let { sim.catchUp(it) }
        }
    }

    /** The engines off the stage, as a host would end them. The files stay until `remove`. */
    suspend fun clear() {
        players.values.forEach { it.engine.shutdown() }
        mover?.cancel()
    }

    fun remove() {
        // For the search of the whole run.
        System.getenv("TIDINGS_EVIDENCE")?.let { if (store.exists()) copy(store, File(it, "kotlin-${folder.name}")) }
        folder.deleteRecursively()
    }

    private fun files(): List<File> = store.listFiles().orEmpty().filter(File::isFile)
}

fun ByteArray.hex() = joinToString("") { "%02x".format(it) }

/** Everything of one folder to another, which holds nothing else afterwards. */
private fun copy(from: File, to: File) {
    to.deleteRecursively()
    from.copyRecursively(to)
}

/** In every place of the bytes. */
private fun replace(bytes: ByteArray, old: ByteArray, new: ByteArray) {
    val text = String(bytes, Charsets.ISO_8859_1)
    val places = generateSequence(text.indexOf(String(old, Charsets.ISO_8859_1))) { text.indexOf(String(old, Charsets.ISO_8859_1), it + 1) }.takeWhile { it >= 0 }.toList()
    if (places.isEmpty() || old.size != new.size) throw Failed("the main file does not hold that text, or the texts differ in length")
    places.forEach { new.copyInto(bytes, it) }
}

/** Java sees the environment it was started with; the library reads the process's own. */
private fun setEnvironment(name: String, value: String) {
    com.sun.jna.NativeLibrary.getInstance("c").getFunction("setenv").invokeInt(arrayOf<Any>(name, value, 1))
}

/** An engine, the stream of everybody's events that was opened with it, and those of the owners that a scenario names. */
class Player(val engine: Engine) {
    private val events = mutableMapOf<String?, EventStream>(null to engine.events())

    companion object {
        fun onStage(settings: JsonNode, key: ByteArray, clock: TestClock?): Player {
            val (config, root) = (record(Config::class, settings) as Config) to rootKey(settings, key)
            return Player(if (clock == null) Engine.open(config, root) else Engine.openWithClock(config, root, clock))
        }
    }

    suspend fun call(verb: String, given: JsonNode): JsonNode = canonical(
        when (verb) {
            "send" -> engine.send(draft(given))
            "enqueue" -> engine.enqueue(draft(given))
            "preview" -> engine.preview(draft(given))
            "attachment_from" -> return attachment(given)
            "edit" -> engine.edit(given["receipt_id"].asText(), draft(given["draft"]), given["owner"]?.asText())
            "edit_sent" -> engine.editSent(given["receipt_id"].asText(), draft(given["draft"]), given["owner"]?.asText())
            "enqueue_all" -> engine.enqueueAll(given["drafts"].map { draft(it) })
            "changes" -> {
                val query = ChangeQuery(given["owner"]?.asText(), given["account_id"]?.asText(), given["cursor"]?.asText())
                engine.changes(query).ready(given["limit"]?.asInt()?.toUInt() ?: 1000u)
            }
            "events" -> return eventsUntil(given["owner"]?.asText(), given["until"]?.asText())
            "settled" -> return settled(given["receipt_id"].asText())
            "receive" -> return receive(engine, given)
            "request" -> return rawRequest(engine, given)
            "attachment" -> return attachmentContent(engine, given)
            "mime" -> return mimeContent(engine, given)
            "batch" -> return rawBatch(engine, given)
            "pages" -> return rawPages(engine, given)
            "app_package" -> return appPackage(engine, given)
            "close" -> engine.shutdown()
            "audit" -> engine.audit(given["limit"]?.asInt()?.toUInt() ?: 1000u, given["cursor"]?.asText(), given["owner"]?.asText())
            "trim_audit" -> engine.trimAudit(build(typeOf<dev.tidings.AuditHead>(), given["exported"]) as dev.tidings.AuditHead)
            "verify_audit" -> engine.verifyAudit(given["expected"]?.let { build(typeOf<dev.tidings.AuditHead>(), it) as dev.tidings.AuditHead }, given["owner"]?.asText())
            "chats" -> engine.chats(given["account_id"].asText(), given["limit"]?.asInt()?.toUInt() ?: 50u, given["owner"]?.asText())
            "roster" -> engine.roster(given["account_id"].asText(), given["team_id"].asText(), given["limit"]?.asInt()?.toUInt() ?: 500u, given["cursor"]?.asText(), given["owner"]?.asText())
            "chat_messages" -> engine.chatMessages(given["account_id"].asText(), given["chat_id"].asText(), given["limit"]?.asInt()?.toUInt() ?: 50u, given["owner"]?.asText())
            "verify" -> engine.verify(given["account_id"].asText(), given["test_message"]?.asBoolean() ?: false, given["owner"]?.asText())
            else -> byName(verb, given)
        },
    )

    /** Calls the method of this name: its one record made of the fields, or its arguments by their names, null when not given. */
    private suspend fun byName(verb: String, given: JsonNode): Any? {
        val method = engine::class.memberFunctions.first { it.name == camel(verb) }
        val single = method.valueParameters.singleOrNull()?.takeIf { it.type.classifier !in setOf(String::class, UInt::class) }
        val arguments = method.valueParameters.associateWith {
            when {
                it == single -> build(it.type, given)
                given.has(snake(it.name!!)) -> build(it.type, given[snake(it.name!!)])
                it.type == typeOf<Boolean>() -> false // what may be left out
                it.type.classifier == List::class && !it.type.isMarkedNullable -> emptyList<Any>()
                else -> null
            }
        }
        try {
            return method.callSuspendBy(arguments + (method.parameters.first() to engine))
        } catch (e: InvocationTargetException) {
            throw e.targetException
        }
    }

    private fun draft(given: JsonNode): Draft {
        val tag = listOf("chat", "reply", "forward", "channel_post", "workflow", "bot", "to_endpoint", "mail").first { given.has(it) }
        return build(typeOf<Draft>(), JSON.createObjectNode().set(tag, given)) as Draft
    }

    /** An attachment of so many bytes, each its place modulo 251. The source `fails` or is given up, `stops`, after so many of them. */
    private suspend fun attachment(given: JsonNode): JsonNode = coroutineScope {
        val (account, bytes) = given["account_id"].asText() to given["bytes"].asInt()
        val (name, size) = (given["name"]?.asText() ?: "big.bin") to given["size"]?.asLong()?.toULong()
        val kind = given["content_type"]?.asText() ?: "application/octet-stream"
        var job: Job? = null
        fun piece(at: Int) = ByteArray(minOf(1_000_000, bytes - at)) { ((at + it) % 251).toByte() }
        fun starts() = generateSequence(0) { it + 1_000_000 }.takeWhile { it < bytes }.onEach {
            if (given["fails"]?.asInt()?.let { after -> it >= after } == true) throw IOException("the source failed")
            if (given["stops"]?.asInt()?.let { after -> it >= after } == true) job!!.cancel()
        }
        fun whole() = starts().map { piece(it) }.fold(ByteArrayOutputStream()) { all, piece -> all.apply { write(piece) } }.toByteArray()
        val made = async(SupervisorJob()) {
            when (given["source"]?.asText() ?: "async") {
                "path" -> {
                    val folder = Files.createTempDirectory("attachment-")
                    val file = Files.write(folder.resolve(name), whole())
                    try {
                        engine.attachmentFrom(account, file, contentType = kind)
                    } finally {
                        folder.toFile().deleteRecursively()
                    }
                }
                "bytes" -> engine.attachmentFrom(account, whole(), name, kind)
                "file" -> engine.attachmentFrom(account, whole().inputStream(), name, kind, size)
                else -> engine.attachmentFrom(account, flow { starts().forEach { emit(piece(it)) } }, name, kind, size)
            }
        }
        job = made
        try {
            canonical(made.await())
        } catch (_: IOException) {
            JSON.createObjectNode().put("stream", "failed")
        } catch (_: CancellationException) {
            JSON.createObjectNode().put("stream", "cancelled")
        }
    }

    /** Types of the events up to the one named; none when none is named. */
    private suspend fun eventsUntil(owner: String?, until: String?): JsonNode {
        val types = JSON.createArrayNode()
        val stream = events.getOrPut(owner) { engine.events(owner) }
        while (until != null && types.lastOrNull()?.asText() != until) {
            val event = stream.next() ?: throw Failed("the stream ended before $until; saw $types")
            types.add(canonical(event).fieldNames().next())
        }
        return types
    }

    /** Waits for the receipt's end along the change feed, which rings for every change of it. */
    private suspend fun settled(receiptId: String): JsonNode {
        val feed = engine.changes(accountId = engine.receipt(receiptId).accountId)
        while (true) {
            val receipt = canonical(engine.receipt(receiptId))
            if (receipt["state"].asText() in FINAL) return receipt
            feed.next(1000u)
        }
    }
}

/** The second process of a scenario: one verb on the store it is told, then the end. */
suspend fun CoroutineScope.serve(order: JsonNode) {
    val sim = Sim(order["control"].asText(), null)
    val clock = order["now_ms"]?.let { TestClock(it.asLong().toULong()) }
    val mover = clock?.takeUnless { order["still"].asBoolean() }?.let { launch(Dispatchers.Default) { sim.follow(it) } }
    val said = JSON.createObjectNode()
    try {
        val key = order["key"].asText().chunked(2).map { it.toInt(16).toByte() }.toByteArray()
        val player = Player.onStage(order["settings"], key, clock)
        println("opened")
        said.set<ObjectNode>("ok", player.call(order["verb"].asText(), order["with"]))
        // What goes on in the background is what it is killed in. Long enough for whoever kills it; not for ever, should that one be gone.
        if (order["stays"].asBoolean()) delay(150_000)
        player.engine.shutdown()
    } catch (e: TidingsException) {
        said.set<ObjectNode>("error", refusal(e))
    }
    mover?.cancel()
    println(said)
}
