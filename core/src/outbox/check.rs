//! What cannot be sent is refused here, before any disk or network.

use super::channel::{Channel, Sender, Terms, by_draft, sender_for};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Address, RouteDraft};
use std::time::{Duration, SystemTime};

/// Errors: InvalidInput or LimitExceeded, naming the field and the remedy.
pub fn check_draft(draft: &RouteDraft, now: SystemTime) -> Result<()> {
    sender(draft)?;
    by_draft!(draft, C, one => C::check(one))?;
    let Terms { key, deadline, send_at } = by_draft!(draft, C, one => C::terms(one));
    check_key(key)?;
    if deadline.is_some_and(|at| at <= now) {
        return Err(Error::invalid("The deadline has passed already. Give a later one, or none."));
    }
    let Some(send_at) = send_at else { return Ok(()) };
    if send_at <= now {
        return Err(Error::invalid("send_at has passed already. Give a later time, or none to send it at once."));
    }
    if send_at.duration_since(now).is_ok_and(|ahead| ahead > FURTHEST) {
        return Err(Error::invalid("send_at lies more than a year ahead. Hand it in closer to its time."));
    }
    if deadline.is_some_and(|at| at <= send_at) {
        return Err(Error::invalid("The deadline is not after send_at, so it could never be sent. Give a later deadline, or none."));
    }
    Ok(())
}

/// How far ahead a message may be scheduled: a year and a day.
const FURTHEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Drafts handed in together.
pub const MOST_DRAFTS: usize = 1_000;
pub const DRAFTS_TOTAL: usize = 64 << 20;

/// The same for drafts that are handed in together; the error says which one is wrong.
pub fn check_drafts(drafts: &[RouteDraft], now: SystemTime) -> Result<()> {
    if drafts.is_empty() {
        return Err(Error::invalid("There is no draft. Pass 1 to 1000 of them."));
    }
    if drafts.len() > MOST_DRAFTS {
        return Err(too_many());
    }
    let mut total = 0_usize;
    for (number, draft) in drafts.iter().enumerate() {
        check_draft(draft, now).map_err(|e| of_draft(number, e))?;
        total += by_draft!(draft, C, one => C::weight(one));
    }
    if total > DRAFTS_TOTAL {
        return Err(too_much());
    }
    Ok(())
}

pub fn too_many() -> Error {
    Error::new(ErrorKind::LimitExceeded, "There are more than 1000 drafts. Hand them in in several calls.")
}

pub fn too_much() -> Error {
    Error::new(ErrorKind::LimitExceeded, "The drafts hold more than 64 MB together. Hand them in in several calls.")
}

/// Says which of several drafts an error is about, counted from 0.
pub fn of_draft(number: usize, error: Error) -> Error {
    let reason = format!("drafts[{number}]: {}", error.reason());
    error.with_reason(reason)
}

fn sender(draft: &RouteDraft) -> Result<()> {
    match (draft.account_id(), sender_for(draft)) {
        ("", Sender::Account(_) | Sender::Bot) => Err(Error::invalid("account_id is empty. Pass the id of a connected account.")),
        ("", Sender::Workflow) => Err(Error::invalid("workflow_id is empty. Pass the id that add_workflow gave.")),
        _ => Ok(()),
    }
}

pub fn recipient(field: &str, one: &Address) -> Result<()> {
    address(field, &one.address)?;
    header(&format!("name in {field}"), &one.name, 320)
}

/// One bare mail address: local part, `@`, domain. What RFC 5322 allows beyond that (comments, quotes) no mailbox of Microsoft 365 has.
pub fn address(field: &str, text: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid(format!("An address in {field} {why}. Write it as name@example.com.")));
    if text.is_empty() {
        return refuse("is empty");
    }
    if text.len() > 320 {
        return refuse("is longer than 320 characters");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || is_separator(c) || "<>()[],;:\\\"".contains(c)) {
        return refuse("holds a space, a control character or punctuation that does not belong there");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return refuse("has no @") };
    if local.is_empty() || local.len() > 64 || local.contains('@') || local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return refuse("has a malformed part before the @");
    }
    let good = |label: &str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    if !domain.contains('.') || !domain.split('.').all(good) {
        return refuse("has a malformed domain");
    }
    Ok(())
}

/// A line break in a header field would start a header of the sender's making: an error, not something to strip.
pub fn header(field: &str, text: &str, longest: usize) -> Result<()> {
    if text.chars().any(|c| c.is_control() || is_separator(c)) {
        return Err(Error::invalid(format!("The {field} holds a line break or another control character. Remove it.")));
    }
    if text.chars().count() > longest {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("The {field} is longer than {longest} characters. Shorten it.")));
    }
    Ok(())
}

/// An id of Microsoft's that becomes part of an address.
pub fn id(field: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(format!("{field} is empty. Pass the id as Microsoft shows it.")));
    }
    if text.len() > 1024 || matches!(text, "." | "..") || text.chars().any(|c| c.is_control() || c.is_whitespace() || "/\\?#".contains(c)) {
        return Err(Error::invalid(format!("{field} is no id of Microsoft's. Pass it as Microsoft shows it.")));
    }
    Ok(())
}

fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}')
}

fn check_key(key: Option<&str>) -> Result<()> {
    match key {
        Some(key) if !is_key(key) => Err(Error::invalid("The idempotency key must have 1 to 200 characters without control characters.")),
        _ => Ok(()),
    }
}

/// In which an owner's choice of sender is remembered.
pub fn check_context(context: &str) -> Result<()> {
    if is_key(context) { Ok(()) } else { Err(Error::invalid("The context must have 1 to 200 characters without control characters.")) }
}

pub fn is_key(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control)
}
