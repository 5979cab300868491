//! Rows of several accounts that are read together.

use super::{DataKey, Vault};
use crate::error::{ErrorKind, Result};
use crate::store::{Entry, Scope};
use std::collections::HashMap;

impl Vault {
    /// Each row with the content key of its account. Those of an account that is being purged are left out: it has nothing any more.
    pub async fn open_rows<R, T>(&self, rows: Vec<R>, account_of: impl Fn(&R) -> &String, open: impl Fn(&DataKey, R) -> Result<T>) -> Result<Vec<T>> {
        let (mut keys, mut items) = (HashMap::new(), Vec::with_capacity(rows.len()));
        for row in rows {
            let account_id = account_of(&row);
            if !keys.contains_key(account_id) {
                let key = match self.content(account_id).await {
                    Ok(key) => Some(key),
                    Err(e) if e.kind() == ErrorKind::NotConnected => None,
                    Err(e) => return Err(e),
                };
                keys.insert(account_id.clone(), key);
            }
            let Some(Some(key)) = keys.get(account_id) else { continue };
            items.push(open(key, row)?);
        }
        Ok(items)
    }

    /// A record about what a query is about.
    pub fn about(&self, entry: Entry, scope: &Scope) -> Result<Entry> {
        Ok(match scope {
            Scope::Account(id) => entry.on(id),
            Scope::Owner { owner, .. } => entry.of(self.audit_signer().owner(owner)?),
        })
    }
}
