//! The host's own keys that messages carry.

use super::edits::Edits;
use super::read::Reader;
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::hex::hex;
use crate::store::{LinkedMessage, MessageRow, Scope, link_place};
use crate::vault::host_link;
use std::collections::HashMap;

/// Characters of a key.
const LONGEST: usize = 200;

/// Errors: InvalidInput, for what is no key.
pub fn check(link: &str) -> Result<()> {
    if link.is_empty() || link.len() > LONGEST || link.chars().any(char::is_control) {
        return Err(Error::invalid("link must have 1 to 200 characters without control characters, as in a draft."));
    }
    Ok(())
}

impl Edits {
    /// Gives these messages a key, or takes it from them. Errors: InvalidInput, NotFound.
    pub async fn link(&self, ids: &[String], owner: Option<&str>, link: &str, is_given: bool) -> Result<()> {
        check(link)?;
        let Reader { store, vault, clock, news, .. } = self.reader();
        let write = async || {
            let (mut messages, mut keys) = (Vec::new(), HashMap::new());
            for row in self.rows(ids, owner).await? {
                if !keys.contains_key(&row.account_id) {
                    let hash = host_link(&vault.hashes(&row.account_id).await?, link)?;
                    keys.insert(row.account_id.clone(), (vault.content(&row.account_id).await?, hash));
                }
                let Some((key, hash)) = keys.get(&row.account_id) else { continue };
                let sealed = is_given.then(|| key.seal(link_place(&row.account_id, &hex(hash)), link.as_bytes())).transpose()?;
                messages.push(LinkedMessage { account_id: row.account_id, graph_id: row.graph_id, hash: *hash, sealed });
            }
            store.link_messages(messages, to_ms(clock.now())).await
        };
        vault.with_current_keys(write).await?;
        failpoint!("links.stored");
        news.send_modify(|n| *n = n.wrapping_add(1));
        Ok(())
    }
}

impl Reader {
    /// Hashes of a key by account. Errors: InvalidInput, for what is no key.
    pub(super) async fn link_hashes(&self, scope: &Scope, link: Option<&str>) -> Result<Option<HashMap<String, [u8; 32]>>> {
        let Some(link) = link else { return Ok(None) };
        check(link)?;
        let mut hashes = HashMap::new();
        for account_id in scope.account_ids() {
            match self.vault.hashes(account_id).await {
                Ok(of_account) => hashes.insert(account_id.clone(), host_link(&of_account, link)?),
                // It is being purged, and has nothing any more.
                Err(e) if e.kind() == ErrorKind::NotConnected => continue,
                Err(e) => return Err(e),
            };
        }
        Ok(Some(hashes))
    }

    /// The keys of these messages, by their rows; each once, in the order in which they were noted. Call it within `with_current_keys`.
    pub(super) async fn links_of(&self, rows: &[MessageRow]) -> Result<HashMap<i64, Vec<String>>> {
        let row_ids: Vec<i64> = rows.iter().map(|row| row.row_id).collect();
        let accounts: HashMap<i64, &str> = rows.iter().map(|row| (row.row_id, row.account_id.as_str())).collect();
        let (mut found, mut keys) = (HashMap::<i64, Vec<String>>::new(), HashMap::new());
        for one in self.store.links(&row_ids).await? {
            let Some(account_id) = accounts.get(&one.row_id).copied() else { continue };
            if !keys.contains_key(account_id) {
                let key = match self.vault.content(account_id).await {
                    Ok(key) => Some(key),
                    Err(e) if e.kind() == ErrorKind::NotConnected => None,
                    Err(e) => return Err(e),
                };
                keys.insert(account_id, key);
            }
            let Some(Some(key)) = keys.get(account_id) else { continue };
            let link = String::from_utf8_lossy(&key.open(link_place(account_id, &one.row), &one.sealed)?).into_owned();
            let links = found.entry(one.row_id).or_default();
            if !links.contains(&link) {
                links.push(link);
            }
        }
        Ok(found)
    }
}
