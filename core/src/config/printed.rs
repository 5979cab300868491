//! Settings as `Debug` prints them: they end up in logs before anybody has checked them.

use super::{App, Cloud, Config};
use crate::secret::shown;
use std::fmt;

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data_dir, client_id, cloud, client_secret, certificate, tenant, apps, content, on_copied_store, send_timeout_ms, sign_in_seconds, page_size, folders, allow_tls12, proxy, ca_certificates, max_tenant_requests, max_requests, keep_changes_days, keep_sends_days, workflow_hosts, mails_per_minute, recipients_per_day, notification_url, calendar_days_before, calendar_days_after, encrypted_notifications, attachment_cache_mb, bot_app, bot_tenant, bot_service_url, bot_external_id } = self;
        f.debug_struct("Config")
            .field("data_dir", &shown(data_dir))
            .field("client_id", &shown(client_id))
            .field("cloud", cloud)
            .field("client_secret", client_secret)
            .field("certificate", certificate)
            .field("tenant", &shown(tenant))
            .field("apps", apps)
            .field("content", content)
            .field("on_copied_store", on_copied_store)
            .field("send_timeout_ms", send_timeout_ms)
            .field("sign_in_seconds", sign_in_seconds)
            .field("page_size", page_size)
            .field("folders", &folders.iter().map(|folder| shown(folder)).collect::<Vec<_>>())
            .field("allow_tls12", allow_tls12)
            .field("proxy", proxy)
            // Whoever puts a private key there by mistake does not find it in a log.
            .field("ca_certificates", &ca_certificates.as_ref().map(|_| "…"))
            .field("max_tenant_requests", max_tenant_requests)
            .field("max_requests", max_requests)
            .field("keep_changes_days", keep_changes_days)
            .field("keep_sends_days", keep_sends_days)
            .field("mails_per_minute", mails_per_minute)
            .field("recipients_per_day", recipients_per_day)
            // Its query may hold what only the host's own route knows.
            .field("notification_url", &notification_url.as_ref().map(|_| "…"))
            .field("calendar_days_before", calendar_days_before)
            .field("calendar_days_after", calendar_days_after)
            .field("encrypted_notifications", encrypted_notifications)
            .field("attachment_cache_mb", attachment_cache_mb)
            .field("bot_app", bot_app)
            .field("bot_tenant", bot_tenant)
            .field("bot_service_url", bot_service_url)
            .field("bot_external_id", bot_external_id)
            .field("workflow_hosts", &workflow_hosts.iter().map(|host| shown(host)).collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, client_id, client_secret, certificate, tenant } = self;
        f.debug_struct("App")
            .field("name", &shown(name))
            .field("client_id", &shown(client_id))
            .field("client_secret", client_secret)
            .field("certificate", certificate)
            .field("tenant", &shown(tenant))
            .finish()
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("Public"),
            Self::UsGov => f.write_str("UsGov"),
            Self::UsGovDod => f.write_str("UsGovDod"),
            Self::China => f.write_str("China"),
            Self::Custom { login, graph } => f.debug_struct("Custom").field("login", &shown(login)).field("graph", &shown(graph)).finish(),
        }
    }
}
