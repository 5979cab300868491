//! Reading the audit log, of everybody or of one owner, and records of what is no step of the store.

use super::{Retention, check_owner};
use super::verify::{expected_ends, verify};
use crate::clock::from_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::model::{AuditHead, AuditKind, AuditPage, AuditRecord, AuditVerdict};
use crate::store::{AuditRow, AuditStore, Entry, STORE_CHAIN};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as Unknown, StrDeserializer};

/// Records erased in one transaction: others wait for the writer no longer than that takes.
const CHUNK: u32 = 500;

impl Retention {
    pub async fn audit(&self, limit: u32, cursor: Option<String>, owner: Option<String>) -> Result<AuditPage> {
        page(&*self.store, limit, cursor, self.mark_of(owner)?.as_deref()).await
    }

    pub async fn verify_audit(&self, expected: Option<AuditHead>, owner: Option<String>) -> Result<AuditVerdict> {
        verify(&*self.store, &*self.audit_signer, self.mark_of(owner)?.as_deref(), expected).await
    }

    /// Every piece is whole by itself, so it may end after any of them.
    pub async fn trim_audit(&self, exported: AuditHead) -> Result<u64> {
        let ends = expected_ends(&exported, None)?;
        let now = self.now();
        let owner = exported.owner.clone();
        let verdict = verify(&*self.store, &*self.audit_signer, owner.as_deref(), Some(exported)).await?;
        if !verdict.intact {
            return Err(Error::new(ErrorKind::Corrupt, format!("Nothing was erased, since the audit log is not as it was written. {}", verdict.reason)));
        }
        let entry = Entry::new(AuditKind::AuditTrimmed, "Records that were exported are erased.");
        self.store.record(&[owner.into_iter().fold(entry, Entry::about)], now).await?;
        let mut erased = 0;
        for (owner, end) in ends {
            loop {
                let some = self.store.trim_chain(&owner, end, CHUNK).await?;
                erased += u64::from(some);
                if some < CHUNK {
                    break;
                }
            }
        }
        Ok(erased)
    }

    /// Records that somebody is about to be asked for an administrator's approval.
    pub async fn approval_asked(&self, account_id: &str) -> Result<()> {
        let entry = Entry::new(AuditKind::ApprovalAsked, "The approval of an administrator was asked for.").on(account_id);
        self.store.record(&[entry], self.now()).await
    }

    /// Records that a sign-in was refused. What was refused stays refused when the record cannot be written.
    pub async fn sign_in_refused(&self, error: &Error) {
        let detail = match error.kind() {
            ErrorKind::TokenRejected => "A sign-in was refused: the callback or its token failed the checks.",
            ErrorKind::Cancelled => "A sign-in was declined or had expired.",
            ErrorKind::ConsentMissing => "A sign-in was refused: an administrator must approve first.",
            ErrorKind::Conflict => "A sign-in was refused: it was used before, or another person signed in.",
            ErrorKind::Forbidden => "A sign-in was refused: it is not allowed.",
            // Nothing was decided about anybody.
            _ => return,
        };
        let mut entry = Entry::new(AuditKind::SignInRefused, detail);
        entry.account_id = error.account_id().map(str::to_owned);
        if let Err(failed) = self.store.record(&[entry], self.now()).await {
            tracing::warn!(target: "tidings::keeping", kind = ?failed.kind(), "a refused sign-in could not be recorded");
        }
    }

    /// What the owner is called in the log.
    fn mark_of(&self, owner: Option<String>) -> Result<Option<String>> {
        let Some(owner) = owner else { return Ok(None) };
        check_owner(&owner)?;
        self.audit_signer.owner(&owner).map(Some)
    }
}

/// `owner`: the mark of the one whose chain is read. A cursor is the position of the record seen last; of an owner's chain the mark and the number in it.
pub(super) async fn page(store: &(impl AuditStore + Sync + ?Sized), limit: u32, cursor: Option<String>, owner: Option<&str>) -> Result<AuditPage> {
    if !(1..=1000).contains(&limit) {
        return Err(Error::invalid("limit must be from 1 to 1000."));
    }
    let after = match cursor.as_deref() {
        None => 0,
        Some(text) => place(text, owner).ok_or_else(|| Error::invalid("cursor is not one that audit gave for this list. Pass `next` of the page before, or none."))?,
    };
    let rows = store.audit_rows(owner, after, limit).await?;
    let last = rows.last().map(|row| match owner {
        Some(owner) => format!("{owner}/{}", row.number),
        None => row.position.to_string(),
    });
    Ok(AuditPage { items: rows.into_iter().map(record).collect::<Result<_>>()?, next: last.or(cursor) })
}

fn place(cursor: &str, owner: Option<&str>) -> Option<i64> {
    let digits = match owner {
        Some(owner) => cursor.strip_prefix(owner)?.strip_prefix('/')?,
        None => cursor,
    };
    digits.parse().ok().filter(|place: &i64| *place >= 0)
}

/// None: it is no word of ours.
pub(super) fn kind_of(row: &AuditRow) -> Option<AuditKind> {
    let word: StrDeserializer<'_, Unknown> = row.kind.as_str().into_deserializer();
    AuditKind::deserialize(word).ok()
}

fn record(row: AuditRow) -> Result<AuditRecord> {
    let kind = kind_of(&row).ok_or_else(|| Error::new(ErrorKind::Corrupt, "A record of the audit log is damaged or was altered. Call verify_audit."))?;
    Ok(AuditRecord {
        number: row.number.unsigned_abs(),
        owner: Some(row.owner).filter(|owner| owner != STORE_CHAIN),
        at: from_ms(row.at),
        kind,
        account_id: row.account_id,
        subject: row.subject,
        detail: row.detail,
        hash: hex(&row.hash),
    })
}
