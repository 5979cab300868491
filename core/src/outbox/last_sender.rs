//! Who an owner writes as in a context: remembered with the send, in the transaction that stores it.

use super::check::check_context;
use super::deliver::Outbox;
use super::job::Tools;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::model::{Address, RouteDraft, LastSender};
use crate::seal::AadContext;
use crate::store::LastSenderRow;
use crate::vault::{DataKey, Vault};
use std::collections::HashMap;

/// Of these drafts, in their order. None: the draft names no context, or its account is not known, which the write refuses.
pub async fn contexts(tools: &Tools, drafts: &[RouteDraft]) -> Result<Vec<Option<[u8; 32]>>> {
    let (mut owners, mut all) = (HashMap::new(), Vec::with_capacity(drafts.len()));
    for draft in drafts {
        let Some(context) = draft.context() else {
            all.push(None);
            continue;
        };
        let account_id = draft.account_id();
        if !owners.contains_key(account_id) {
            owners.insert(account_id, tools.store.account(account_id).await?.map(|row| row.owner));
        }
        let owner = owners.get(account_id).and_then(Option::as_deref);
        all.push(owner.map(|owner| hash(&tools.vault, owner, context)).transpose()?);
    }
    Ok(all)
}

/// What is remembered with this send, which is stored or replaced at this time.
pub fn remembered(key: &DataKey, context: [u8; 32], draft: &RouteDraft, used_at: i64) -> Result<LastSenderRow> {
    let account_id = draft.account_id();
    let seal = |address: &Address| {
        let text = serde_json::to_vec(address).map_err(|_| Error::internal("The sender of a mail cannot be written."))?;
        key.seal(place(account_id, &hex(context), used_at), &text)
    };
    let from_address = draft.named_sender().map(seal).transpose()?;
    Ok(LastSenderRow { context, account_id: account_id.to_owned(), from_address, used_at })
}

impl Outbox {
    /// The caller has checked the owner. Errors: InvalidInput, Corrupt.
    pub async fn last_sender(&self, owner: &str, context: &str) -> Result<Option<LastSender>> {
        check_context(context)?;
        let (store, vault) = (&self.tools.store, &self.tools.vault);
        let context = hash(vault, owner, context)?;
        let read = async || {
            let Some(row) = store.last_sender(&context).await? else { return Ok(None) };
            let from_address = match &row.from_address {
                Some(sealed) => {
                    let plain = vault.content(&row.account_id).await?.open(place(&row.account_id, &hex(context), row.used_at), sealed)?;
                    Some(serde_json::from_slice(&plain).map_err(|_| Error::new(ErrorKind::Corrupt, "The stored sender of a context cannot be read.").on_account(&row.account_id))?)
                }
                None => None,
            };
            Ok(Some(LastSender { account_id: row.account_id, from_address }))
        };
        match vault.with_current_keys(read).await {
            // Purged at this moment.
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(None),
            outcome => outcome,
        }
    }
}

/// Keyed, so that the row tells neither whose it is nor what it is about.
fn hash(vault: &Vault, owner: &str, context: &str) -> Result<[u8; 32]> {
    vault.store_hash("last sender", &[owner.as_bytes(), context.as_bytes()])
}

fn place<'a>(account_id: &'a str, row: &'a str, used_at: i64) -> AadContext<'a> {
    AadContext { table: "last_senders", column: "from_address", account_id, row, version: used_at }
}
