// What both bots share: their settings, and the organisation they work in.

package dev.tidings.examples.bots

import dev.tidings.*
import dev.tidings.examples.env
import dev.tidings.examples.signInAs

const val OWNER = "recruiting"
private val redirectUri = System.getenv("TIDINGS_REDIRECT") ?: "http://localhost/callback"

/** Of the manifest of the bot's app. */
fun appId(): String = System.getenv("TIDINGS_APP_ID") ?: env("TIDINGS_CLIENT_ID")

/** From the environment, as README.md of this folder explains it. */
fun settings(): Config = Config(
    dataDir = env("TIDINGS_DATA"),
    clientId = env("TIDINGS_CLIENT_ID"),
    clientSecret = Secret(env("TIDINGS_CLIENT_SECRET")),
    cloud = System.getenv("TIDINGS_LOGIN")?.let { Cloud.Custom(login = it, graph = env("TIDINGS_GRAPH")) } ?: Cloud.Public,
    botApp = "default",
    botTenant = System.getenv("TIDINGS_BOT_TENANT"),
    botServiceUrl = System.getenv("TIDINGS_BOT_SERVICE"),
    botExternalId = appId(),
)

/** It opens the store, so it is the same at each start: 64 hexadecimal digits. */
@OptIn(ExperimentalStdlibApi::class)
fun rootKey(): RootKey = RootKey.raw(env("TIDINGS_KEY").hexToByteArray())

/** The organisation that is connected already, or that its administrator connects now: who that is, then the approval. */
suspend fun organisation(engine: Engine): Account {
    engine.accounts(owner = OWNER, state = AccountState.CONNECTED).items.firstOrNull()?.let { return it }
    val started = engine.connectTenant(TenantRequest(owner = OWNER, redirectUri = redirectUri, tenant = System.getenv("TIDINGS_TENANT")))
    val account = engine.finishConnect(visit(started.url), started.binding)
    if (account.state == AccountState.CONNECTED) return account
    val approval = engine.approval(account.id, redirectUri)
    return engine.finishConnect(visit(approval.url), approval.binding)
}

/** Where the administrator's browser ends. A web application gets that at its callback; see `connectTenant`. */
private fun visit(url: String): String {
    if (System.getenv("TIDINGS_CONTROL") != null) return signInAs(url, "nestor@contoso.com")
    println("Open $url")
    print("and paste the address at which the browser ends: ")
    return readln()
}
