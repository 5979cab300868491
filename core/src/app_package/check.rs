//! The rules of the manifest's schema. Where Teams is stricter than the schema, its rule counts: a package is refused here or nowhere.

use super::Ids;
use crate::error::{Error, Result};
use crate::model::{AppPackage, AppTexts};
use url::Url;

const LONGEST_URL: usize = 2048;
const MOST_DOMAINS: usize = 16;
const MOST_LANGUAGES: usize = 100;
/// Of a host name. Source: RFC 1035.
const LONGEST_HOST: usize = 253;
const LONGEST_LABEL: usize = 63;

pub fn check(package: &AppPackage, ids: Ids<'_>) -> Result<()> {
    check_guid("app_id", &package.app_id)?;
    check_guid("client_id", ids.client)?;
    check_guid("bot_id", ids.bot)?;
    check_version(&package.version)?;
    check_developer(package)?;
    check_texts("texts", &package.texts)?;
    if package.scopes.is_empty() {
        return Err(Error::invalid("scopes must name one at least of personal, team and group_chat."));
    }
    check_color(&package.accent_color)?;
    package.resource.as_deref().map_or(Ok(()), check_resource)?;
    check_domains(&package.valid_domains)?;
    check_languages(package)
}

fn check_guid(field: &str, id: &str) -> Result<()> {
    let groups: Vec<&str> = id.split('-').collect();
    let is_guid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_guid { Ok(()) } else { Err(Error::invalid(format!("{field} must be a GUID, as in 00000000-0000-0000-0000-000000000000."))) }
}

/// Three numbers without leading zeros; the schema takes no suffix.
fn check_version(version: &str) -> Result<()> {
    let is_number = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    let parts: Vec<&str> = version.split('.').collect();
    if parts.len() == 3 && parts.iter().all(|part| is_number(part)) { Ok(()) } else { Err(Error::invalid("version must be three numbers, as in 1.0.0.")) }
}

fn check_developer(package: &AppPackage) -> Result<()> {
    let developer = &package.developer;
    check_text("developer.name", &developer.name, 32, false)?;
    check_url("developer.website_url", &developer.website_url)?;
    check_url("developer.privacy_url", &developer.privacy_url)?;
    check_url("developer.terms_url", &developer.terms_url)
}

fn check_texts(field: &str, texts: &AppTexts) -> Result<()> {
    check_text(&format!("{field}.name"), &texts.name, 30, false)?;
    texts.full_name.as_deref().map_or(Ok(()), |name| check_text(&format!("{field}.full_name"), name, 100, false))?;
    check_text(&format!("{field}.description"), &texts.description, 80, false)?;
    check_text(&format!("{field}.full_description"), &texts.full_description, 4000, true)
}

/// Microsoft's own validators count UTF-16 units, some of them characters, of which there are never more.
fn check_text(field: &str, text: &str, most: usize, has_lines: bool) -> Result<()> {
    let length = text.encode_utf16().count();
    let is_allowed = |c: char| !c.is_control() || (has_lines && matches!(c, '\n' | '\r' | '\t'));
    if text.trim().is_empty() || length > most {
        return Err(Error::invalid(format!("{field} must have 1 to {most} characters; it has {length}.")));
    }
    if text.chars().all(is_allowed) { Ok(()) } else { Err(Error::invalid(format!("{field} holds control characters."))) }
}

fn check_url(field: &str, text: &str) -> Result<()> {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '\\';
    let is_https = |url: Url| url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none();
    // As it is written: a parser forgives what Teams does not.
    let begins = text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    let is_good = text.encode_utf16().count() <= LONGEST_URL && begins && text.chars().all(is_plain) && Url::parse(text).is_ok_and(is_https);
    if is_good { Ok(()) } else { Err(Error::invalid(format!("{field} must be an https address of at most {LONGEST_URL} characters."))) }
}

fn check_color(color: &str) -> Result<()> {
    let is_color = color.strip_prefix('#').is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_color { Ok(()) } else { Err(Error::invalid("accent_color must be a colour as in #4464EE.")) }
}

/// Any text that names something: where no single sign-on is meant, Teams only asks that there is one.
fn check_resource(resource: &str) -> Result<()> {
    let length = resource.encode_utf16().count();
    if (1..=LONGEST_URL).contains(&length) && !resource.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    Err(Error::invalid(format!("resource must have 1 to {LONGEST_URL} characters without spaces, as in api://contoso.com/00000000-0000-0000-0000-000000000000.")))
}

fn check_domains(domains: &[String]) -> Result<()> {
    if domains.len() > MOST_DOMAINS {
        return Err(Error::invalid(format!("valid_domains may name {MOST_DOMAINS} hosts; there are {}.", domains.len())));
    }
    for (n, domain) in domains.iter().enumerate() {
        check_domain(domain).map_err(|why| Error::invalid(format!("valid_domains[{n}] {why}")))?;
        if domains.iter().take(n).any(|other| other.eq_ignore_ascii_case(domain)) {
            return Err(Error::invalid(format!("valid_domains[{n}] stands there twice.")));
        }
    }
    Ok(())
}

/// A host, with a port if need be. A wildcard stands for one whole part, and for none of the last two: it would let in hosts of others.
fn check_domain(domain: &str) -> std::result::Result<(), &'static str> {
    if domain.contains("://") || domain.contains('/') {
        return Err("must be a host alone, without https:// and without a path.");
    }
    let (host, port) = domain.split_once(':').map_or((domain, None), |(host, port)| (host, Some(port)));
    if port.is_some_and(|port| port.starts_with('0') || !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().is_err()) {
        return Err("has a port that is no number from 1 to 65535.");
    }
    let labels: Vec<&str> = host.split('.').collect();
    let own = labels.len().saturating_sub(2);
    let is_wild = |label: &&str| **label == *"*";
    if labels.iter().skip(own).any(|label| label.contains('*')) {
        return Err("may have * for parts in front of the domain alone, as in *.contoso.com.");
    }
    let is_label = |label: &&str| {
        is_wild(label) || ((1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') && !label.starts_with('-') && !label.ends_with('-'))
    };
    let is_host = host.len() <= LONGEST_HOST && (labels.len() > 1 || host.eq_ignore_ascii_case("localhost")) && labels.iter().all(is_label);
    if is_host { Ok(()) } else { Err("must be the name of a host, as in bot.contoso.com; letters beyond ASCII are written as xn--….") }
}

fn check_languages(package: &AppPackage) -> Result<()> {
    check_language("language", &package.language)?;
    if package.localizations.len() > MOST_LANGUAGES {
        return Err(Error::invalid(format!("localizations may name {MOST_LANGUAGES} languages; there are {}.", package.localizations.len())));
    }
    for (n, one) in package.localizations.iter().enumerate() {
        check_language(&format!("localizations[{n}].language"), &one.language)?;
        let mut others = package.localizations.iter().take(n).map(|other| &other.language).chain([&package.language]);
        if others.any(|other| other.eq_ignore_ascii_case(&one.language)) {
            return Err(Error::invalid(format!("localizations[{n}].language is there already. Each language is given once.")));
        }
        check_texts(&format!("localizations[{n}].texts"), &one.texts)?;
    }
    Ok(())
}

fn check_language(field: &str, tag: &str) -> Result<()> {
    let parts: Vec<&str> = tag.split('-').collect();
    let is_part = |part: &&str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if parts.len() <= 3 && parts.iter().all(is_part) { Ok(()) } else { Err(Error::invalid(format!("{field} must be a language tag, as in fr or fr-ca."))) }
}
