/** Packages of Teams apps: what is in one, and what the catalogue says of it. */
package dev.tidings.scenarios

import com.fasterxml.jackson.databind.JsonNode
import dev.tidings.AppDeveloper
import dev.tidings.AppLocalization
import dev.tidings.AppPackage
import dev.tidings.AppScope
import dev.tidings.AppTexts
import dev.tidings.Engine
import dev.tidings.RawRequest
import java.security.MessageDigest
import java.util.Base64
import java.util.zip.ZipInputStream
import kotlin.reflect.typeOf

/** `publish_as`: an account that puts it into the catalogue of its organisation. */
suspend fun appPackage(engine: Engine, given: JsonNode): JsonNode {
    val zip = engine.appPackage(asked(given))
    val files = mutableListOf<Pair<String, ByteArray>>()
    ZipInputStream(zip.inputStream()).use { archive ->
        while (true) {
            val entry = archive.nextEntry ?: break
            files += entry.name to archive.readAllBytes()
        }
    }
    val documents = files.filter { it.first.endsWith(".json") }.map { JSON.readTree(it.second) }
    val shown = JSON.createObjectNode().put("sha256", MessageDigest.getInstance("SHA-256").digest(zip).hex())
    shown.set<JsonNode>("files", canonical(files.map { it.first }))
    shown.set<JsonNode>("manifest", documents.first())
    shown.set<JsonNode>("languages", JSON.createArrayNode().addAll(documents.drop(1)))
    given["publish_as"]?.let { account ->
        val request = RawRequest("/appCatalogs/teamsApps", method = "POST", headers = mapOf("Content-Type" to "application/zip"), body = zip)
        engine.request(account.asText(), request).use { response ->
            val published = JSON.createObjectNode().put("status", response.status().toLong())
            published.set<JsonNode>("json", JSON.readTree(response.body()))
            shown.set<JsonNode>("published", published)
        }
    }
    return shown
}

/** A scenario writes icons in base64; what it leaves out is as by default. */
private fun asked(given: JsonNode): AppPackage {
    val text = { name: String -> given[name]?.asText() }
    val icon = { name: String -> Base64.getDecoder().decode(given[name].asText()) }
    val usual = AppPackage(
        appId = given["app_id"].asText(),
        version = given["version"].asText(),
        developer = build(typeOf<AppDeveloper>(), given["developer"]) as AppDeveloper,
        texts = build(typeOf<AppTexts>(), given["texts"]) as AppTexts,
        colorIcon = icon("color_icon"),
        outlineIcon = icon("outline_icon"),
        scopes = given["scopes"].map { AppScope.valueOf(it.asText().uppercase()) },
        botId = text("bot_id"),
        clientId = text("client_id"),
        resource = text("resource"),
        isNotificationOnly = given["is_notification_only"]?.asBoolean() ?: false,
        supportsFiles = given["supports_files"]?.asBoolean() ?: false,
        validDomains = given["valid_domains"]?.map { it.asText() } ?: emptyList(),
        localizations = given["localizations"]?.map { build(typeOf<AppLocalization>(), it) as AppLocalization } ?: emptyList(),
    )
    return usual.copy(accentColor = text("accent_color") ?: usual.accentColor, language = text("language") ?: usual.language)
}
