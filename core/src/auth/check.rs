//! What a host may ask for, checked before any disk or network.

use super::{Application, Auth, scopes};
use crate::config::{DEFAULT_APP, is_personal};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Feature;
use std::collections::BTreeSet;
use url::{Host, Url};

const LONGEST_REDIRECT: usize = 256;
const LONGEST_CONTEXT: usize = 1000;

impl Auth {
    /// The application of this name; without one, that of the configuration itself.
    pub(super) fn choose_app(&self, name: Option<&str>) -> Result<&Application> {
        let name = name.unwrap_or(DEFAULT_APP);
        self.app(name).ok_or_else(|| {
            let known: Vec<String> = self.apps.iter().map(|app| format!("“{}”", app.name)).collect();
            Error::invalid(format!("app names no application of the configuration. Known are {}.", known.join(", ")))
        })
    }

    /// The tenant to sign in at, as it is kept with the account: empty for the application's own.
    pub(super) fn choose_tenant(&self, tenant: Option<&str>) -> Result<String> {
        let Some(tenant) = tenant else { return Ok(String::new()) };
        self.config.endpoints.check_tenant(tenant)?;
        Ok(tenant.to_ascii_lowercase())
    }
}

pub(super) fn check_owner(owner: &str) -> Result<()> {
    if !(1..=200).contains(&owner.chars().count()) || owner.chars().any(char::is_control) {
        return Err(Error::invalid("owner must be 1 to 200 characters, none of them a control character."));
    }
    Ok(())
}

pub(super) fn check_context(context: Option<&str>) -> Result<()> {
    if context.is_some_and(|text| text.chars().count() > LONGEST_CONTEXT) {
        return Err(Error::invalid("context is longer than 1000 characters."));
    }
    Ok(())
}

pub(super) fn check_hint(hint: Option<&str>) -> Result<()> {
    if hint.is_some_and(|hint| hint.len() > 320 || hint.chars().any(char::is_control)) {
        return Err(Error::invalid("login_hint is not an address."));
    }
    Ok(())
}

pub(super) fn check_extra(extra: &[String], prefix: &str) -> Result<()> {
    if extra.len() > 50 || !extra.iter().all(|s| scopes::is_scope(s, prefix)) {
        return Err(Error::invalid("extra_scopes must be names of Graph permissions, such as Calendars.Read."));
    }
    Ok(())
}

/// Answers the features sorted and each once. `tenant`: where the person will sign in.
pub(super) fn check_features(features: &[Feature], tenant: &str) -> Result<Vec<Feature>> {
    if features.is_empty() {
        return Err(Error::invalid("features is empty. Name at least one, such as mail_sync."));
    }
    if is_personal(tenant)
        && let Some(why) = features.iter().find_map(|feature| scopes::not_for_personal(*feature))
    {
        return Err(Error::invalid(format!("{why} Leave that feature out, or let people of organisations sign in (tenant).")));
    }
    Ok(features.iter().copied().collect::<BTreeSet<_>>().into_iter().collect())
}

pub(super) fn refuse_personal(tenant: &str, what: &str) -> Result<()> {
    if is_personal(tenant) {
        return Err(Error::new(ErrorKind::Forbidden, format!("A personal Microsoft account belongs to no organisation and has no administrator; {what}. Use an account of the organisation.")));
    }
    Ok(())
}

pub(super) fn check_redirect(text: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid(format!("redirect_uri {why}.")));
    if text.trim().is_empty() {
        return refuse("is missing. Pass the address of your route that calls finish_connect, as it stands in the registration in Entra");
    }
    let Ok(url) = Url::parse(text) else { return refuse("is not a URL") };
    if text.len() > LONGEST_REDIRECT {
        return refuse("is longer than 256 characters, which Entra does not accept");
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("must hold no fragment, user name or white space");
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        _ => refuse("must be https, or http on localhost"),
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
