//! Whether messages have attachments, told of rows that an older version stored: their sealed part says it, their row does not.

use super::read::Reader;
use super::record::MessageMetadata;
use crate::error::{ErrorKind, Result};
use crate::runtime::blocking;
use crate::store::{FilesKnown, Scope};

/// Rows of one transaction.
const AT_ONCE: u32 = 500;

impl Reader {
    /// Fills in what is missing, before the first list that asks for it. Each step is durable; a call that was cut off is taken up by the next one.
    pub(super) async fn know_files(&self, scope: &Scope) -> Result<()> {
        for account_id in scope.account_ids() {
            loop {
                let step = async || {
                    let rows = self.store.files_unknown(account_id, AT_ONCE).await?;
                    if rows.is_empty() {
                        return Ok(true);
                    }
                    let key = match self.vault.content(account_id).await {
                        Ok(key) => key,
                        // It is being purged.
                        Err(e) if e.kind() == ErrorKind::NotConnected => return Ok(true),
                        Err(e) => return Err(e),
                    };
                    let read = move || {
                        let known = |row| Ok(FilesKnown { has_attachments: MessageMetadata::open(&key, row)?.has_attachments, row_id: row.row_id, version: row.version });
                        rows.iter().map(known).collect::<Result<Vec<_>>>()
                    };
                    self.store.note_files(&blocking(read).await?).await?;
                    Ok(false)
                };
                if self.vault.with_current_keys(step).await? {
                    break;
                }
            }
        }
        Ok(())
    }
}
