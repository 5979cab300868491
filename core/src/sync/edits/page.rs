//! What is here of changes to messages that a page shows.

use super::rule::Edit;
use super::wish::Wish;
use crate::error::Result;
use crate::store::{EditRow, Known};
use crate::sync::record::body_place;
use crate::sync::run::SyncContext;
use bytes::Bytes;
use std::collections::HashMap;

/// Of one message.
#[derive(Debug, Default)]
pub struct Edited {
    pub edits: Vec<Edit>,
    /// Packed, as it is kept: so that what comes back of our own change is known from other news.
    pub body: Option<Bytes>,
}

/// By graph id; only messages with edits. Call it within `with_current_keys`.
pub async fn of_page(context: &SyncContext, ids: &[&str], known: &[Known]) -> Result<HashMap<String, Edited>> {
    let account_id = context.account.id.as_str();
    let rows = context.store.edits_of(account_id, ids).await?;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let key = context.vault.content(account_id).await?;
    let mut found: HashMap<String, Edited> = HashMap::new();
    for row in rows {
        let wish = Wish::open(&key, &row)?;
        found.entry(row.graph_id.clone()).or_default().edits.push(Edit { row, wish });
    }
    for row in known.iter().filter(|row| !row.is_removed) {
        if let Some(edited) = found.get_mut(&row.graph_id)
            && let Some((sealed, version)) = context.store.body(row.row_id).await?
        {
            edited.body = Some(Bytes::from(key.open(body_place(account_id, &row.graph_id, version), &sealed)?.to_vec()));
        }
    }
    found.values_mut().for_each(|edited| edited.edits.sort_by_key(|edit: &Edit| edit.row.property));
    Ok(found)
}

/// Of edits, opened.
pub fn opened(key: &crate::vault::DataKey, rows: Vec<EditRow>) -> Result<Vec<Edit>> {
    rows.into_iter().map(|row| Ok(Edit { wish: Wish::open(key, &row)?, row })).collect()
}
