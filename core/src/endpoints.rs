//! Endpoints of subscribers: from what a host says to a row, and back. Whose they are and where they are is found by keyed hashes; context and target are sealed.

use crate::error::{Error, ErrorKind, Result};
use crate::clock::from_ms;
use crate::model::{Endpoint, EndpointKind, EndpointState, EndpointTarget};
use crate::random;
use crate::seal::Sealed;
use crate::store::{EndpointRow, endpoint_place};
use crate::vault::{DataKey, Vault};
use serde::{Deserialize, Serialize};

/// What is kept of an endpoint, under the content key.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    target: EndpointTarget,
}

/// What an endpoint is to be.
pub struct Wanted<'a> {
    pub subscriber: &'a str,
    pub context: Option<&'a str>,
    /// The account it goes through, or the workflow.
    pub account_id: &'a str,
    pub target: &'a EndpointTarget,
}

/// Errors: InvalidInput.
pub fn check_subscriber(subscriber: &str) -> Result<()> {
    if is_word(subscriber) { Ok(()) } else { Err(Error::invalid("subscriber must be 1 to 200 characters, none of them a control character.")) }
}

/// Errors: InvalidInput.
pub fn check_context(context: &str) -> Result<()> {
    if is_word(context) { Ok(()) } else { Err(Error::invalid("The context of an endpoint must be 1 to 200 characters, none of them a control character. Leave it out for none.")) }
}

fn is_word(text: &str) -> bool {
    (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn new_id() -> Result<String> {
    Ok(format!("ept_{}", random::token::<16>()?))
}

/// What those of a subscriber in a context are found by.
pub fn context_hash(vault: &Vault, subscriber: &str, context: Option<&str>) -> Result<[u8; 32]> {
    vault.store_hash("endpoint context", &[subscriber.as_bytes(), context.unwrap_or_default().as_bytes()])
}

/// What an installation of the app for this person or team is about.
pub fn place_hash(vault: &Vault, account_id: &str, kind: EndpointKind, place: &str) -> Result<[u8; 32]> {
    let kind: &[u8] = if kind == EndpointKind::TeamsUser { b"person" } else { b"place" };
    vault.store_hash("endpoint place", &[account_id.as_bytes(), kind, place.to_lowercase().as_bytes()])
}

/// What the target is about, and what tells it from others of its kind.
fn names(target: &EndpointTarget) -> [&str; 2] {
    match target {
        EndpointTarget::TeamsChannel { team_id, channel_id } => [team_id, channel_id],
        EndpointTarget::TeamsUser { user } => [user, ""],
        EndpointTarget::Workflow { workflow_id } => [workflow_id, ""],
        EndpointTarget::Chat { to, chat_id } => [to.as_deref().unwrap_or_default(), chat_id.as_deref().unwrap_or_default()],
        EndpointTarget::Mail { address } => [&address.address, ""],
    }
}

/// Of this subscriber alone. Letter case tells no people, addresses or teams apart.
fn target_hash(vault: &Vault, subscriber: &str, target: &EndpointTarget) -> Result<[u8; 32]> {
    let [place, rest] = names(target);
    let place = if matches!(target, EndpointTarget::Workflow { .. }) { place.to_owned() } else { place.to_lowercase() };
    vault.store_hash("endpoint target", &[subscriber.as_bytes(), place.as_bytes(), rest.as_bytes()])
}

/// For this version of the row with this id.
fn sealed(key: &DataKey, id: &str, version: i64, wanted: &Wanted<'_>) -> Result<Sealed> {
    let kept = Kept { context: wanted.context.map(str::to_owned), target: wanted.target.clone() };
    let text = serde_json::to_vec(&kept).map_err(|_| Error::internal("An endpoint cannot be written."))?;
    key.seal(endpoint_place(wanted.account_id, id, version), &text)
}

/// A new one; `key` is the content key of its account.
pub fn new_row(vault: &Vault, key: &DataKey, wanted: &Wanted<'_>, now: i64) -> Result<EndpointRow> {
    let id = new_id()?;
    let row = EndpointRow {
        row_id: 0,
        account_id: wanted.account_id.to_owned(),
        subscriber: wanted.subscriber.to_owned(),
        context_hash: context_hash(vault, wanted.subscriber, wanted.context)?,
        target_hash: target_hash(vault, wanted.subscriber, wanted.target)?,
        place_hash: place_hash(vault, wanted.account_id, wanted.target.kind(), names(wanted.target)[0])?,
        kind: wanted.target.kind(),
        state: EndpointState::Active,
        reason: None,
        version: 1,
        created_at: now,
        changed_at: now,
        sealed: sealed(key, &id, 1, wanted)?,
        id,
    };
    Ok(row)
}

/// The next version of one; it keeps its id.
pub fn changed_row(vault: &Vault, key: &DataKey, seen: &EndpointRow, wanted: &Wanted<'_>, now: i64) -> Result<EndpointRow> {
    let version = seen.version + 1;
    let row = new_row(vault, key, wanted, now)?;
    Ok(EndpointRow { sealed: sealed(key, &seen.id, version, wanted)?, id: seen.id.clone(), version, created_at: seen.created_at, state: seen.state, reason: seen.reason.clone(), ..row })
}

pub fn shown(key: &DataKey, row: EndpointRow) -> Result<Endpoint> {
    let plain = key.open(endpoint_place(&row.account_id, &row.id, row.version), &row.sealed)?;
    let kept: Kept = serde_json::from_slice(&plain).map_err(|e| Error::new(ErrorKind::Corrupt, "A stored endpoint cannot be read.").with_source(e))?;
    Ok(Endpoint {
        id: row.id,
        subscriber: row.subscriber,
        context: kept.context,
        account_id: row.account_id,
        kind: row.kind,
        target: kept.target,
        state: row.state,
        reason: row.reason,
        created_at: from_ms(row.created_at),
        changed_at: from_ms(row.changed_at),
    })
}
