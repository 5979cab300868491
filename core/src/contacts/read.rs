//! The contacts that are here. Touches no network.

use super::{Contacts, address_hash, unreadable};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AuditKind, Contact, ContactPage, ContactQuery};
use crate::vault::DataKey;
use crate::store::{ContactRow, ContactWindow, Entry, Scope, contact_place};
use std::collections::HashMap;

/// Characters of an address.
const LONGEST_ADDRESS: usize = 320;

impl Contacts {
    /// Errors: InvalidInput (the address, or the cursor is another query's).
    pub async fn list(&self, scope: Scope, query: ContactQuery) -> Result<ContactPage> {
        if query.address.as_ref().is_some_and(|address| !(1..=LONGEST_ADDRESS).contains(&address.trim().len())) {
            return Err(Error::invalid("address must have 1 to 320 characters."));
        }
        let [kind, whose] = scope.parts();
        let list: [&[u8]; 4] = [b"contacts", kind, whose, query.address.as_deref().unwrap_or_default().as_bytes()];
        let after = query.cursor.as_deref().map(|cursor| self.vault.position::<1>(&list, cursor)).transpose()?;
        let window = ContactWindow {
            account_ids: scope.account_ids().to_vec(),
            address: self.address(&scope, query.address.as_deref()).await?,
            after: after.map_or(0, |[row]| row),
            limit: query.limit,
        };
        let read = async || {
            let mut rows = self.store.contacts(&window).await?;
            let has_more = rows.len() > query.limit as usize;
            rows.truncate(query.limit as usize);
            let next = rows.last().filter(|_| has_more).map(|row| self.vault.cursor(&list, &[row.row_id])).transpose()?;
            Ok(ContactPage { items: self.open(rows).await?, next })
        };
        let page = self.vault.with_current_keys(read).await?;
        let entry = Entry::new(AuditKind::ContentRead, format!("A list of contacts was read, {} of them.", page.items.len()));
        let entry = self.vault.about(entry, &scope)?;
        self.store.record(&[entry], to_ms(self.clock.now())).await?;
        Ok(page)
    }

    /// Hashes of an address by account.
    async fn address(&self, scope: &Scope, address: Option<&str>) -> Result<Option<HashMap<String, [u8; 32]>>> {
        let Some(address) = address else { return Ok(None) };
        let mut hashes = HashMap::new();
        for account_id in scope.account_ids() {
            match self.vault.hashes(account_id).await {
                Ok(of_account) => hashes.insert(account_id.clone(), address_hash(&of_account, address)?),
                // It is being purged, and has nothing any more.
                Err(e) if e.kind() == ErrorKind::NotConnected => continue,
                Err(e) => return Err(e),
            };
        }
        Ok(Some(hashes))
    }

    async fn open(&self, rows: Vec<ContactRow>) -> Result<Vec<Contact>> {
        let open = |key: &DataKey, row: ContactRow| {
            let plain = key.open(contact_place(&row.account_id, &row.graph_id, row.version), &row.sealed)?;
            let contact: Contact = serde_json::from_slice(&plain).map_err(unreadable)?;
            Ok(Contact { id: row.public_id, account_id: row.account_id, graph_id: row.graph_id, folder_id: row.folder_id, ..contact })
        };
        self.vault.open_rows(rows, |row| &row.account_id, open).await
    }
}
