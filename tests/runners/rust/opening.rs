//! Engines as a scenario wants them: settings and keys as JSON, `Engine::open` and its sisters.

use crate::verbs::{Player, defect, error, record};
use serde_json::{Value, json};
use std::sync::Arc;
use tidings::{App, ClientCertificate, Cloud, Config, Engine, RootKey, Secret, TestClock};

/// Settings that are about the key, not about Config.
const KEYS: [&str; 5] = ["root_key", "passphrase", "kms", "keyring", "key_file"];

pub fn open(settings: &Value, key: Vec<u8>, clock: Option<Arc<TestClock>>) -> Result<Player, Value> {
    let (config, key) = (config(settings)?, root_key(settings, key)?);
    let engine = match clock {
        Some(clock) => Engine::open_with_clock(config, key, clock),
        None => Engine::open(config, key),
    };
    player(engine)
}

pub fn open_file(path: &str, key: Vec<u8>) -> Result<Player, Value> {
    player(Engine::open_file(path.to_owned(), root_key(&json!({}), key)?))
}

fn player(engine: tidings::Result<Engine>) -> Result<Player, Value> {
    Ok(Player::new(Arc::new(engine.map_err(error)?)))
}

/// The key that the settings name; without one, the scenario's own.
fn root_key(settings: &Value, usual: Vec<u8>) -> Result<Arc<RootKey>, Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(file) = settings.get("key_file") {
        return tidings::load_or_create_key(text(file)).map_err(error);
    }
    let made = if let Some(passphrase) = settings.get("passphrase") {
        RootKey::passphrase(text(passphrase))
    } else if let Some(kms) = settings.get("kms") {
        RootKey::unwrapped(text(&kms["key"]).into_bytes(), text(&kms["wrapped"]).into_bytes())
    } else if let Some(ring) = settings.get("keyring") {
        RootKey::from_keyring(text(&ring["service"]), text(&ring["user"]))
    } else {
        RootKey::raw(settings["root_key"].as_str().map_or(usual, |key| key.as_bytes().to_vec()))
    };
    made.map(Arc::new).map_err(error)
}

/// Texts of the settings that may stand nowhere: not on disk, not in a record.
pub fn secrets(settings: &Value) -> Vec<Vec<u8>> {
    let own = [&settings["root_key"], &settings["passphrase"], &settings["kms"]["key"], &settings["client_secret"], &settings["certificate"]["private_key"]];
    let apps = settings["apps"].as_array().into_iter().flatten().flat_map(|app| [&app["client_secret"], &app["certificate"]["private_key"]]);
    own.into_iter().chain(apps).filter_map(Value::as_str).map(|text| text.as_bytes().to_vec()).collect()
}

/// The usual settings, changed by what a scenario names.
fn config(with: &Value) -> Result<Config, Value> {
    let known = with.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| !KEYS.contains(key));
    if let Some(stray) = known.into_iter().find(|key| !SETTINGS.contains(key)) {
        return Err(defect(format!("Config has no {stray}")));
    }
    let text = |name: &str| with[name].as_str().map(str::to_owned);
    let number = |name: &str, usual: u32| with[name].as_u64().map_or(usual, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let usual = Config::new(text("data_dir").unwrap_or_default(), text("client_id").unwrap_or_default());
    Ok(Config {
        cloud: with.get("cloud").map_or(Ok(Cloud::Public), record)?,
        client_secret: secret(with),
        certificate: certificate(with)?,
        tenant: text("tenant").unwrap_or(usual.tenant),
        apps: with["apps"].as_array().into_iter().flatten().map(app).collect::<Result<_, _>>()?,
        content: with.get("content").map_or(Ok(usual.content), record)?,
        on_copied_store: with.get("on_copied_store").map_or(Ok(usual.on_copied_store), record)?,
        send_timeout_ms: number("send_timeout_ms", usual.send_timeout_ms),
        sign_in_seconds: number("sign_in_seconds", usual.sign_in_seconds),
        page_size: number("page_size", usual.page_size),
        folders: with.get("folders").map_or(Ok(usual.folders), record)?,
        allow_tls12: with["allow_tls12"].as_bool().unwrap_or_default(),
        proxy: text("proxy").map(|proxy| Arc::new(Secret::new(proxy))),
        ca_certificates: text("ca_certificates"),
        max_tenant_requests: number("max_tenant_requests", usual.max_tenant_requests),
        max_requests: number("max_requests", usual.max_requests),
        keep_changes_days: number("keep_changes_days", usual.keep_changes_days),
        keep_sends_days: number("keep_sends_days", usual.keep_sends_days),
        mails_per_minute: number("mails_per_minute", usual.mails_per_minute),
        recipients_per_day: number("recipients_per_day", usual.recipients_per_day),
        notification_url: text("notification_url"),
        calendar_days_before: number("calendar_days_before", usual.calendar_days_before),
        calendar_days_after: number("calendar_days_after", usual.calendar_days_after),
        encrypted_notifications: with["encrypted_notifications"].as_bool().unwrap_or_default(),
        attachment_cache_mb: number("attachment_cache_mb", usual.attachment_cache_mb),
        bot_app: text("bot_app"),
        bot_tenant: text("bot_tenant"),
        bot_service_url: text("bot_service_url"),
        bot_external_id: text("bot_external_id"),
        workflow_hosts: with.get("workflow_hosts").map_or(Ok(usual.workflow_hosts), record)?,
        ..usual
    })
}

const SETTINGS: [&str; 32] = [
    "data_dir", "client_id", "cloud", "client_secret", "certificate", "tenant", "apps", "content", "on_copied_store", "send_timeout_ms", "sign_in_seconds", "page_size",
    "folders", "allow_tls12", "proxy", "ca_certificates", "max_tenant_requests", "max_requests", "keep_changes_days", "keep_sends_days", "workflow_hosts", "mails_per_minute", "recipients_per_day", "notification_url", "calendar_days_before", "calendar_days_after", "encrypted_notifications", "attachment_cache_mb", "bot_app", "bot_tenant", "bot_service_url", "bot_external_id",
];

fn app(with: &Value) -> Result<App, Value> {
    let text = |name: &str| with[name].as_str().map(str::to_owned);
    Ok(App {
        name: text("name").unwrap_or_default(),
        client_id: text("client_id").unwrap_or_default(),
        client_secret: secret(with),
        certificate: certificate(with)?,
        tenant: text("tenant").unwrap_or_else(|| "common".to_owned()),
    })
}

fn secret(with: &Value) -> Option<Arc<Secret>> {
    with["client_secret"].as_str().map(|text| Arc::new(Secret::new(text.to_owned())))
}

fn certificate(with: &Value) -> Result<Option<Arc<ClientCertificate>>, Value> {
    let Some(pair) = with.get("certificate") else { return Ok(None) };
    let text = |name: &str| pair[name].as_str().unwrap_or_default().to_owned();
    ClientCertificate::from_pem(text("certificate"), text("private_key")).map(|c| Some(Arc::new(c))).map_err(error)
}
