import dev.tidings.*
import kotlin.reflect.KClass
import kotlin.reflect.full.primaryConstructor
import kotlin.reflect.typeOf
import kotlin.test.*

/** Settings, requests and answers that hold secrets: no text form shows them. The fields come from the classes, so that new ones are tried. */
class SecretsTest {
    private val hush = "hush-hush-hush"
    private val address = "https://user:$hush@host.example:8080/path?token=$hush#$hush"
    private val hidden = setOf("url", "binding", "context", "caCertificates")

    /** With an address in every field that takes a text. */
    private fun made(kind: KClass<*>): Any {
        val constructor = kind.primaryConstructor!!
        val values = constructor.parameters.associateWith { parameter ->
            when (parameter.type) {
                typeOf<String>(), typeOf<String?>() -> if (parameter.name in hidden) hush else address
                typeOf<List<String>>() -> listOf(address, "user:$hush@host.example")
                typeOf<Secret?>() -> Secret(hush)
                typeOf<RootKey?>() -> RootKey.passphrase(hush)
                typeOf<Cloud>() -> Cloud.custom(address, "user:$hush@host.example")
                typeOf<List<App>>() -> listOf(App(name = address, clientId = address, clientSecret = Secret(hush), tenant = address))
                typeOf<List<Feature>>() -> listOf(Feature.CHAT)
                typeOf<java.time.Instant>() -> java.time.Instant.EPOCH
                typeOf<AccountKind>() -> AccountKind.PERSON
                typeOf<AccountState>() -> AccountState.CONNECTED
                else -> null
            }
        }
        return constructor.callBy(values.filter { (parameter, value) -> value != null || !parameter.isOptional })
    }

    private val kinds = listOf(
        Config::class, App::class, ConnectRequest::class, TenantRequest::class, LinkRequest::class, PermissionQuery::class, KeyRotation::class,
        Account::class, SignIn::class, Approval::class,
    )

    @Test
    fun `no text form shows a secret`() {
        for (kind in kinds) {
            val it = made(kind)
            for (shown in listOf(it.toString(), "$it", listOf(it).toString(), mapOf("it" to it).toString(), Pair(it, it).toString(), String.format("%s", it))) {
                assertFalse(hush in shown, shown)
                assertContains(shown, kind.simpleName!!)
            }
        }
        assertContains(Config(dataDir = "data", clientId = "id", cloud = Cloud.Public, tenant = "contoso.com").toString(), "tenant=contoso.com")
    }

    @Test
    fun `copies hide and keep what they hold`() {
        val (url, binding) = SignIn(address, hush, java.time.Instant.EPOCH)
        assertEquals(address to hush, url to binding)
        assertFalse(hush in SignIn(address, hush, java.time.Instant.EPOCH).copy(url = address).toString())
        val cloud = Cloud.custom(address, address) as Cloud.Custom
        assertFalse(hush in cloud.copy(graph = address).toString())
        assertEquals(address, cloud.login)
    }

    @Test
    fun `what holds a secret shows nothing of it`() {
        val key = generateRootKey()
        for (it in listOf(Secret(hush), RootKey.raw(key), RootKey.passphrase(hush), RootKey.unwrapped(key, hush.encodeToByteArray()))) assertFalse(hush in it.toString())
    }

    @Test
    fun `refusals repeat nothing`() {
        val key = RootKey.raw(generateRootKey())
        val folder = temporaryFolder()
        val good = Config(dataDir = folder, clientId = "00000000-0000-0000-0000-000000000000", cloud = Cloud.Public)
        val wrong = listOf(
            good.copy(clientId = address), good.copy(tenant = address), good.copy(cloud = Cloud.custom(address, address)), good.copy(proxy = Secret("ftp://user:$hush@host")),
            good.copy(proxy = Secret(hush)), good.copy(caCertificates = "-----BEGIN PRIVATE KEY-----\n$hush"), good.copy(apps = listOf(App(name = address, clientId = address))),
        )
        for (config in wrong) {
            val e = assertFailsWith<TidingsException.InvalidInput> { Engine.open(config, key) }
            assertFalse(hush in e.toString() + e.reason + e.stackTraceToString(), e.reason)
        }
    }
}
