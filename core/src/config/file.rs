//! `tidings.toml`: the fields of [`Config`] by their names, with environment variables in their texts.

use super::section::{Env, Section, TomlText};
use super::{App, Cloud, Config, Content, CopiedStore};
use crate::error::{Error, Result};
use crate::secret::{ClientCertificate, Secret};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

const LARGEST: u64 = 1 << 20;

/// Every key that may stand at the top.
const KEYS: &[&str] = &[
    "data_dir",
    "client_id",
    "cloud",
    "client_secret",
    "certificate",
    "tenant",
    "apps",
    "content",
    "on_copied_store",
    "send_timeout_ms",
    "sign_in_seconds",
    "page_size",
    "folders",
    "allow_tls12",
    "proxy",
    "ca_certificates",
    "ca_file",
    "max_tenant_requests",
    "max_requests",
    "keep_changes_days",
    "keep_sends_days",
    "workflow_hosts",
    "mails_per_minute",
    "recipients_per_day",
    "notification_url",
    "calendar_days_before",
    "calendar_days_after",
    "encrypted_notifications",
    "attachment_cache_mb",
    "bot_app",
    "bot_tenant",
    "bot_service_url",
    "bot_external_id",
];
const APP_KEYS: &[&str] = &["client_id", "client_secret", "certificate", "tenant"];
const CERTIFICATE_KEYS: &[&str] = &["certificate", "private_key", "certificate_file", "private_key_file"];
const CLOUD_KEYS: &[&str] = &["login", "graph"];

/// Reads the file and what it names. Nothing but files is touched.
pub fn read(path: &Path) -> Result<Config> {
    let text = whole(path, "The configuration file", "Pass the path of a tidings.toml.")?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (config, holds) = parse(&text, folder, &environment)?;
    for exposed in exposed(path, folder, &holds) {
        tracing::warn!(target: "tidings::config", file = %exposed.display(), "this file holds a secret, and other users of this machine may read it; take that right away from them (chmod 600)");
    }
    Ok(config)
}

/// What of the files holds secrets: the configuration file itself, and private keys that it names.
pub(super) struct Holds {
    pub itself: bool,
    pub keys: Vec<String>,
}

/// The files that hold a secret and may be read by others than their owner.
pub(super) fn exposed(path: &Path, folder: &Path, holds: &Holds) -> Vec<PathBuf> {
    let itself = holds.itself.then(|| path.to_owned());
    let files = itself.into_iter().chain(holds.keys.iter().map(|key| folder.join(key)));
    files.filter(|file| is_open_to_others(file)).collect()
}

#[cfg(unix)]
fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

/// The only place that asks the environment.
#[allow(clippy::disallowed_methods)]
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// `folder`: where relative paths begin.
pub(super) fn parse(text: &str, folder: &Path, env: Env<'_>) -> Result<(Config, Holds)> {
    let file = TomlText::new(text, env);
    let mut keys = Vec::new();
    let config = settings(&mut file.top(KEYS)?, folder, &mut keys)?;
    Ok((config, Holds { itself: file.holds_secret(), keys }))
}

fn settings(top: &mut Section<'_, '_>, folder: &Path, keys: &mut Vec<String>) -> Result<Config> {
    let data_dir = top.text("data_dir")?.ok_or_else(|| missing("data_dir", "the folder of the store"))?;
    if data_dir.trim().is_empty() {
        return Err(Error::invalid("data_dir is empty. Name a folder for the store."));
    }
    let data_dir = folder.join(data_dir.as_str());
    let data_dir = data_dir.to_str().ok_or_else(|| Error::invalid("data_dir is not UTF-8 together with the folder of the configuration file."))?;
    let client_id = top.text("client_id")?.ok_or_else(|| missing("client_id", "the application id of your registration in Entra"))?;
    let mut config = Config::new(data_dir, client_id.as_str());
    config.client_secret = secret(top)?;
    config.certificate = certificate(top, folder, keys)?;
    if let Some(cloud) = cloud(top)? {
        config.cloud = cloud;
    }
    if let Some(tenant) = top.text("tenant")? {
        config.tenant = tenant.to_string();
    }
    if let Some(content) = top.text("content")? {
        config.content = match content.as_str() {
            "sealed" => Content::Sealed,
            "clear" => Content::Clear,
            _ => return Err(Error::invalid("content must be \"sealed\" or \"clear\".")),
        };
    }
    if let Some(policy) = top.text("on_copied_store")? {
        config.on_copied_store = match policy.as_str() {
            "park" => CopiedStore::Park,
            "go" => CopiedStore::Go,
            _ => return Err(Error::invalid("on_copied_store must be \"park\" or \"go\".")),
        };
    }
    if let Some(ms) = top.number("send_timeout_ms")? {
        config.send_timeout_ms = ms;
    }
    if let Some(seconds) = top.number("sign_in_seconds")? {
        config.sign_in_seconds = seconds;
    }
    if let Some(size) = top.number("page_size")? {
        config.page_size = size;
    }
    if let Some(most) = top.number("max_tenant_requests")? {
        config.max_tenant_requests = most;
    }
    if let Some(most) = top.number("max_requests")? {
        config.max_requests = most;
    }
    if let Some(days) = top.number("keep_changes_days")? {
        config.keep_changes_days = days;
    }
    if let Some(days) = top.number("keep_sends_days")? {
        config.keep_sends_days = days;
    }
    if let Some(folders) = top.texts("folders")? {
        config.folders = folders;
    }
    if let Some(mails) = top.number("mails_per_minute")? {
        config.mails_per_minute = mails;
    }
    if let Some(days) = top.number("calendar_days_before")? {
        config.calendar_days_before = days;
    }
    if let Some(days) = top.number("calendar_days_after")? {
        config.calendar_days_after = days;
    }
    if let Some(recipients) = top.number("recipients_per_day")? {
        config.recipients_per_day = recipients;
    }
    if let Some(url) = top.text("notification_url")? {
        config.notification_url = Some(url.to_string());
    }
    if let Some(encrypted) = top.flag("encrypted_notifications")? {
        config.encrypted_notifications = encrypted;
    }
    if let Some(megabytes) = top.number("attachment_cache_mb")? {
        config.attachment_cache_mb = megabytes;
    }
    for (name, setting) in [("bot_app", &mut config.bot_app), ("bot_tenant", &mut config.bot_tenant), ("bot_service_url", &mut config.bot_service_url), ("bot_external_id", &mut config.bot_external_id)] {
        if let Some(text) = top.text(name)? {
            *setting = Some(text.to_string());
        }
    }
    if let Some(hosts) = top.texts("workflow_hosts")? {
        config.workflow_hosts = hosts;
    }
    if let Some(allow) = top.flag("allow_tls12")? {
        config.allow_tls12 = allow;
    }
    config.proxy = top.secret("proxy", password)?.map(|proxy| Arc::new(Secret::new(proxy.to_string())));
    config.ca_certificates = match (top.text("ca_certificates")?, top.text("ca_file")?) {
        (Some(_), Some(_)) => return Err(Error::invalid("ca_certificates and ca_file stand beside each other. Give one of them.")),
        (Some(pem), None) => Some(pem.to_string()),
        (None, Some(file)) => Some(named(folder, "ca_file", &file)?.to_string()),
        (None, None) => None,
    };
    config.apps = apps(top, folder, keys)?;
    Ok(config)
}

fn apps(top: &mut Section<'_, '_>, folder: &Path, keys: &mut Vec<String>) -> Result<Vec<App>> {
    let mut apps = Vec::new();
    for (name, mut table) in top.sections("apps", APP_KEYS)? {
        let client_id = table.text("client_id")?.ok_or_else(|| missing(&table.path("client_id"), "the application id of that registration in Entra"))?;
        apps.push(App {
            name,
            client_id: client_id.to_string(),
            client_secret: secret(&mut table)?,
            certificate: certificate(&mut table, folder, keys)?,
            tenant: table.text("tenant")?.map_or_else(|| "common".to_owned(), |tenant| tenant.to_string()),
        });
    }
    Ok(apps)
}

fn secret(table: &mut Section<'_, '_>) -> Result<Option<Arc<Secret>>> {
    let Some(text) = table.secret("client_secret", |raw| raw)? else { return Ok(None) };
    // An empty variable would make a public client of a confidential one, and Microsoft's refusal would not say why.
    if text.is_empty() {
        return Err(Error::invalid(format!("{} is empty. Leave the key out for a public client.", table.path("client_secret"))));
    }
    Ok(Some(Arc::new(Secret::new(text.to_string()))))
}

fn certificate(table: &mut Section<'_, '_>, folder: &Path, keys: &mut Vec<String>) -> Result<Option<Arc<ClientCertificate>>> {
    let name = table.path("certificate");
    let Some(mut part) = table.section("certificate", CERTIFICATE_KEYS)? else { return Ok(None) };
    let mut half = |inline: &str, file: &str| match (if inline == "private_key" { part.secret(inline, |raw| raw)? } else { part.text(inline)? }, part.text(file)?) {
        (Some(pem), None) => Ok(pem),
        (None, Some(path)) => {
            if inline == "private_key" {
                keys.push(path.to_string());
            }
            named(folder, &format!("{name}.{file}"), &path)
        }
        _ => Err(Error::invalid(format!("{name} needs {inline} (PEM) or {file} (a path), one of them."))),
    };
    let (public, private) = (half("certificate", "certificate_file")?, half("private_key", "private_key_file")?);
    Ok(Some(Arc::new(ClientCertificate::from_pem(public.to_string(), private.to_string())?)))
}

/// The password of `http://user:password@host`, as it is written down.
fn password(proxy: &str) -> &str {
    proxy.rsplit_once('@').map_or("", |(login, _)| login.split_once("://").map_or(login, |(_, login)| login)).split_once(':').map_or("", |(_, password)| password)
}

fn cloud(top: &mut Section<'_, '_>) -> Result<Option<Cloud>> {
    const WANTED: &str = "\"public\", \"us_gov\", \"us_gov_dod\", \"china\" or { login = \"https://…\", graph = \"https://…\" }";
    if !top.is_table("cloud") {
        let Some(name) = top.text_or("cloud", WANTED)? else { return Ok(None) };
        return match name.as_str() {
            "public" => Ok(Some(Cloud::Public)),
            "us_gov" => Ok(Some(Cloud::UsGov)),
            "us_gov_dod" => Ok(Some(Cloud::UsGovDod)),
            "china" => Ok(Some(Cloud::China)),
            _ => Err(Error::invalid(format!("cloud must be {WANTED}."))),
        };
    }
    let Some(mut part) = top.section("cloud", CLOUD_KEYS)? else { return Ok(None) };
    let login = part.text("login")?.ok_or_else(|| missing("cloud.login", "the origin of Entra"))?;
    let graph = part.text("graph")?.ok_or_else(|| missing("cloud.graph", "the origin of Graph"))?;
    Ok(Some(Cloud::custom(login.as_str(), graph.as_str())))
}

fn missing(key: &str, what: &str) -> Error {
    Error::invalid(format!("{key} is missing in the configuration file; it is {what}."))
}

/// A file that the configuration names under `key`.
fn named(folder: &Path, key: &str, path: &str) -> Result<Zeroizing<String>> {
    whole(&folder.join(path), &format!("The file that {key} names"), "Relative paths begin at the folder of the configuration file.")
}

/// A whole text file of a sane size. It may hold secrets, so it is wiped after use.
fn whole(path: &Path, what: &str, hint: &str) -> Result<Zeroizing<String>> {
    let failed = |e: std::io::Error| {
        let why = match e.kind() {
            std::io::ErrorKind::NotFound => "does not exist",
            std::io::ErrorKind::PermissionDenied => "may not be read by this user",
            _ => "cannot be read",
        };
        Error::invalid(format!("{what} {why}. {hint}")).with_source(e)
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::invalid(format!("{what} is not a plain file. {hint}")));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
    std::fs::File::open(path).map_err(failed)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::invalid(format!("{what} is larger than 1 MB. {hint}")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::invalid(format!("{what} is not UTF-8 text. Save it as UTF-8.")))?;
    Ok(Zeroizing::new(text.to_owned()))
}
