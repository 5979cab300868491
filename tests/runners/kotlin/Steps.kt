/** One scenario, step by step. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.NullNode
import com.fasterxml.jackson.databind.node.ObjectNode
import dev.tidings.ConnectRequest
import dev.tidings.TidingsException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay

private val ACTIONS = listOf("sim", "do", "sign_in", "let", "cut", "join", "child", "browse", "check_disk", "damage")
private val TOKEN = Regex("""(?:access_token|refresh_token|id_token)\\?":\s*\\?"([^"\\]{16,})""")

/** What came of one call: a value, or a failure of the engine. */
private typealias Outcome = Result<JsonNode>

/** Verbs that change the stage, or that the engine need not be open for. */
private val ONCE = setOf("open", "open_file", "wrapped_root_key", "deliver")

suspend fun run(sim: Sim, logs: Logs, scenario: JsonNode): Unit = coroutineScope {
    logs.begin()
    val known = listOf("login", "graph", "stranger", "bot", "client_id").associateWith { sim.urls!![it] }.toMutableMap()
    for (group in listOf("tls", "tls12")) sim.urls!![group]?.properties()?.forEach { (name, value) -> known["${group}_$name"] = value }
    val stage = Stage.set(sim, known, scenario, this)
    val waiting = mutableMapOf<String, Deferred<List<Outcome>>>()
    val shown = mutableListOf<String>()
    try {
        play(stage, logs, known, waiting, shown, scenario)
    } finally {
        waiting.values.forEach { it.cancel() }
        sim.clearFaults() // nothing held may keep an engine from closing
        stage.clear()
    }
    val allowed = scenario["accusations"]?.map(JsonNode::asText).orEmpty()
    sim.ask("ledger", JSON.createObjectNode())["accusations"].firstOrNull { it["kind"].asText() !in allowed }?.let { throw Failed("the simulator accuses: ${short(it)}") }
    val exchanges = sim.ask("exchanges").let { if (it.isTextual) it.asText() else it.toString() }
    val tokens = TOKEN.findAll(exchanges).map { it.groupValues[1].toByteArray() }.toList()
    val secrets = tokens + stage.secrets + listOfNotNull(known["canary"]?.asText()?.toByteArray())
    stage.checkDisk(secrets)
    if (scenario["never_shown"]?.asBoolean() == true) {
        // Nothing that came out, was logged or is stored repeats a secret that the simulator knows, in any encoding.
        val ask = JSON.createObjectNode()
        (shown + logs.all().toString() + stage.texts()).forEach(ask.putArray("text")::add)
        val found = sim.ask("secrets/find", ask)["found"]
        if (!found.isEmpty) throw Failed("shown or stored of a secret: ${short(found)}")
    }
    logs.check(secrets)
    stage.remove()
}

private suspend fun CoroutineScope.play(stage: Stage, logs: Logs, known: MutableMap<String, JsonNode>, waiting: MutableMap<String, Deferred<List<Outcome>>>, shown: MutableList<String>, scenario: JsonNode) {
    if (scenario["open"]?.asBoolean() != false) caught { stage.open("first", JSON.createObjectNode()) }.onFailure { throw Failed("the engine did not open: ${it.message}") }
    for ((number, step) in scenario["steps"].withIndex()) {
        val what = try {
            // `expect` and `error` are filled in after the step, so that they may name what it saved.
            val action = fill((step.deepCopy<JsonNode>() as ObjectNode).without(listOf("expect", "error")), known)
            val outcomes = settled(step, known) { act(stage, logs, waiting, action) }
            if (listOf("do", "sign_in", "child", "join").any(step::has)) shown += outcomes.map { o -> o.fold({ it.toString() }, { (it as Refused).record.toString() }) }
            if ("rotate_keys" in listOf(step["do"]?.asText(), step["child"]?.asText()) && !step.has("kill_at") && !step.has("kill_after_ms") && !step.has("background")) {
                action["with"]?.get("new_root_key")?.takeIf { outcomes.first().isSuccess }?.let { stage.useKey(it.asText()) }
            }
            step["save"]?.let { name ->
                val saved = outcomes.map { it.getOrElse { NullNode.instance } }
                known[name.asText()] = saved.singleOrNull() ?: JSON.createArrayNode().addAll(saved)
            }
            val (expect, error) = listOf("expect", "error").map { part -> step[part]?.let { fill(it, known) } }
            outcomes.firstNotNullOfOrNull { judge(it, expect, error) }
        } catch (e: Failed) {
            e.message
        }
        val name = ACTIONS.first(step::has)
        if (what != null) throw Failed("step ${number + 1} ($name ${short(step[name])}): $what ${step["why"]?.asText().orEmpty()}")
    }
}

/** The outcomes of a step; with `eventually` those that meet what is expected, or the last ones after 30 s. */
private suspend fun settled(step: JsonNode, known: Map<String, JsonNode>, call: suspend () -> List<Outcome>): List<Outcome> {
    val until = System.nanoTime() + 30_000_000_000
    while (true) {
        val outcomes = call()
        if (step["eventually"]?.asBoolean() != true || System.nanoTime() > until) return outcomes
        val (expect, error) = listOf("expect", "error").map { part -> step[part]?.let { fill(it, known) } }
        if (outcomes.all { judge(it, expect, error) == null }) return outcomes
        delay(20)
    }
}

/** The one thing a step does: its outcome, or one for each of `times` calls. */
private suspend fun CoroutineScope.act(stage: Stage, logs: Logs, waiting: MutableMap<String, Deferred<List<Outcome>>>, step: JsonNode): List<Outcome> {
    val given = step["with"] ?: JSON.createObjectNode()
    val on = step["on"]?.asText() ?: "first"
    val verb = step["do"]?.asText()
    step["join"]?.let { return waiting.getValue(it.asText()).await() }
    val opened = CompletableDeferred<Unit>()
    val calls: List<suspend () -> JsonNode> = when {
        step.has("child") -> listOf { stage.child(step["child"].asText(), given, step["kill_at"]?.asText(), step["kill_after_ms"]?.asLong(), step["still"]?.asBoolean() ?: false, opened) }
        verb == "connect_here" -> {
            val signIn = caught { stage.player(on).engine.connectHere(record(ConnectRequest::class, given) as ConnectRequest) }.getOrElse { return listOf(Result.failure(it)) }
            waiting[step["background"].asText()] = async(Dispatchers.Default) { listOf(caught { canonical(signIn.wait()) }) }
            return listOf(Result.success(JSON.createObjectNode().put("url", signIn.url())))
        }
        verb == "connect_device" -> {
            val signIn = caught { stage.player(on).engine.connectDevice(record(ConnectRequest::class, given) as ConnectRequest) }.getOrElse { return listOf(Result.failure(it)) }
            waiting[step["background"].asText()] = async(Dispatchers.Default) { listOf(caught { canonical(signIn.wait()) }) }
            val shown = JSON.createObjectNode().put("user_code", signIn.userCode()).put("verification_uri", signIn.verificationUri()).put("message", signIn.message())
            return listOf(Result.success(shown.set("expires_at", canonical(signIn.expiresAt()))))
        }
        verb == "logs" -> listOf { logs.all() }
        verb != null && verb !in ONCE -> stage.player(on).let { player -> List(step["times"]?.asInt() ?: 1) { { player.call(verb, given) } } }
        else -> listOf { simple(stage, step, given, on) }
    }
    val running = async(Dispatchers.Default) { calls.map { call -> async { caught { call() } } }.awaitAll() }
    val name = step["background"]?.asText() ?: return running.await()
    waiting[name] = running
    if (step.has("child")) opened.await()
    return listOf(Result.success(NullNode.instance))
}

/** The outcome, a failure of the engine as a value. */
private suspend fun <T> caught(call: suspend () -> T): Result<T> = try {
    Result.success(call())
} catch (e: TidingsException) {
    Result.failure(Refused(refusal(e)))
} catch (e: Refused) {
    Result.failure(e)
}

/** Whatever is done once and at once. */
private suspend fun simple(stage: Stage, step: JsonNode, given: JsonNode, on: String): JsonNode {
    val sim = stage.sim
    when (ACTIONS.first(step::has)) {
        "sim" -> {
            val path = step["sim"].asText()
            if (path == "faults" && !step.has("with")) return sim.clearFaults()
            val answer = sim.ask(path, step["with"])
            if (path == "clock") stage.clock?.let { sim.catchUp(it) }
            return answer
        }
        "browse" -> return sim.browse(step["browse"].asText())
        "let" -> return step["let"]
        "cut" -> return canonical(Regex(step["by"].asText()).find(step["cut"].asText())?.groupValues?.get(1) ?: throw Failed("nothing to cut out"))
        "damage" -> stage.damage(step["damage"])
        "check_disk" -> stage.checkDisk(step["check_disk"].map { it.asText().toByteArray() })
        "sign_in" -> return signIn(stage, step["sign_in"])
        else -> when (step["do"].asText()) {
            "open_file" -> stage.openFile(given)
            "wrapped_root_key" -> return stage.wrappedRootKey()
            "deliver" -> return deliver(stage.player(on).engine, stage.sim, given)
            else -> stage.open(on, given)
        }
    }
    return NullNode.instance
}

/** connect, the simulator's sign-in page, finish_connect. */
private suspend fun signIn(stage: Stage, request: JsonNode): JsonNode {
    val player = stage.player("first")
    if (request["organisation"]?.asBoolean() == true) return connectOrganisation(stage, player, request)
    val asked = JSON.createObjectNode().put("owner", "owner-1").put("redirect_uri", "http://localhost/callback")
    asked.putArray("features").add("chat").add("mail_send").add("mail_sync")
    asked.setAll<ObjectNode>((request.deepCopy<JsonNode>() as ObjectNode).without("as") as ObjectNode)
    val started = player.call("connect", asked)
    val page = stage.sim.ask("signin", JSON.createObjectNode().put("url", started["url"].asText()).put("as", request["as"].asText()))
    return player.call("finish_connect", JSON.createObjectNode().put("callback_url", page["location"].asText()).put("binding", started["binding"].asText()))
}

/** connect_tenant, the sign-in page, approval, the page for administrators. */
private suspend fun connectOrganisation(stage: Stage, player: Player, request: JsonNode): JsonNode {
    val redirect = "http://localhost/callback"
    val asked = JSON.createObjectNode().put("owner", "owner-1").put("redirect_uri", redirect)
    asked.setAll<ObjectNode>((request.deepCopy<JsonNode>() as ObjectNode).without(listOf("as", "organisation")) as ObjectNode)
    var started = player.call("connect_tenant", asked)
    var account: JsonNode = NullNode.instance
    for (part in listOf("who", "approval")) {
        val page = stage.sim.ask("signin", JSON.createObjectNode().put("url", started["url"].asText()).put("as", request["as"].asText()))
        account = player.call("finish_connect", JSON.createObjectNode().put("callback_url", page["location"].asText()).put("binding", started["binding"].asText()))
        if (part == "approval" || account["state"].asText() == "connected") break
        started = player.call("approval", JSON.createObjectNode().put("account_id", account["id"].asText()).put("redirect_uri", redirect))
    }
    return account
}

/** What is wrong with an outcome. */
private fun judge(outcome: Outcome, expect: JsonNode?, error: JsonNode?): String? {
    val refused = outcome.exceptionOrNull() as Refused?
    return when {
        refused != null && error != null -> mismatch(error, refused.record, "error")
        refused != null -> "failed: ${short(refused.record)}"
        error != null -> "expected error ${short(error)}, saw ${short(outcome.getOrThrow())}"
        else -> expect?.let { mismatch(it, outcome.getOrThrow()) }
    }
}
