//! Messages by an address: who takes part in each is noted as keyed hashes before the first list that asks, and for what came or changed since before each later one.

use super::read::Reader;
use super::record::MessageMetadata;
use crate::error::{Error, ErrorKind, Result};
use crate::model::is_mail_address;
use crate::runtime::blocking;
use crate::store::{MessageAddresses, Scope};
use crate::vault::Hashes;
use std::collections::{BTreeSet, HashMap};

/// Rows that are read at a time.
const AT_ONCE: u32 = 500;
/// Addresses of one transaction, unless one message has more.
const MOST_AT_ONCE: usize = 5_000;

fn hash_of(hashes: &Hashes, address: &str) -> Result<[u8; 32]> {
    hashes.of("message address", &[address.trim().to_lowercase().as_bytes()])
}

fn people(head: &MessageMetadata) -> BTreeSet<&str> {
    let all = head.from.iter().chain(&head.sender).chain(&head.to).chain(&head.cc).chain(&head.bcc);
    all.map(|one| one.address.as_str()).filter(|address| !address.is_empty()).collect()
}

impl Reader {
    /// Hashes of an address by account; what is missing of the accounts' mail is noted before. Errors: InvalidInput, for what is no address.
    pub(super) async fn address_hashes(&self, scope: &Scope, address: Option<&str>) -> Result<Option<HashMap<String, [u8; 32]>>> {
        let Some(address) = address else { return Ok(None) };
        if !is_mail_address(address) {
            return Err(Error::invalid("address is no mail address, as in ann@contoso.com."));
        }
        let mut found = HashMap::new();
        for account_id in scope.account_ids() {
            self.know_addresses(account_id).await?;
            match self.vault.hashes(account_id).await {
                Ok(hashes) => found.insert(account_id.clone(), hash_of(&hashes, address)?),
                // It is being purged, and has nothing any more.
                Err(e) if e.kind() == ErrorKind::NotConnected => continue,
                Err(e) => return Err(e),
            };
        }
        Ok(Some(found))
    }

    /// Each step is durable; a call that was cut off is taken up by the next one.
    async fn know_addresses(&self, account_id: &str) -> Result<()> {
        let step = async || {
            let rows = self.store.addresses_unknown(account_id, AT_ONCE).await?;
            let keys = match (self.vault.content(account_id).await, self.vault.hashes(account_id).await) {
                (Ok(key), Ok(hashes)) if !rows.is_empty() => (key, hashes),
                (Ok(_), Ok(_)) => return Ok(true),
                // It is being purged.
                (Err(e), _) | (_, Err(e)) if e.kind() == ErrorKind::NotConnected => return Ok(true),
                (Err(e), _) | (_, Err(e)) => return Err(e),
            };
            let id = account_id.to_owned();
            let read = move || {
                let (key, hashes) = keys;
                let one = |row| {
                    let head = MessageMetadata::open(&key, row)?;
                    let hashes = people(&head).into_iter().map(|address| hash_of(&hashes, address)).collect::<Result<_>>()?;
                    Ok(MessageAddresses { account_id: id.clone(), row_id: row.row_id, version: row.version, hashes })
                };
                rows.iter().map(one).collect::<Result<Vec<_>>>()
            };
            for part in parts(blocking(read).await?) {
                self.store.note_addresses(part).await?;
            }
            Ok(false)
        };
        while !self.vault.with_current_keys(step).await? {}
        Ok(())
    }
}

/// In their order, none with more than [`MOST_AT_ONCE`] addresses but for a single message.
fn parts(found: Vec<MessageAddresses>) -> Vec<Vec<MessageAddresses>> {
    let (mut parts, mut part, mut count) = (Vec::new(), Vec::new(), 0_usize);
    for one in found {
        if !part.is_empty() && count + one.hashes.len() > MOST_AT_ONCE {
            parts.push(std::mem::take(&mut part));
            count = 0;
        }
        count += one.hashes.len();
        part.push(one);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}
