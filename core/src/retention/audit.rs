//! Reading the audit log and proving that it is as it was written: every record's hash is computed anew from what stands there and the hash before.

use super::Retention;
use crate::clock::from_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AuditFault, AuditHead, AuditKind, AuditPage, AuditRecord, AuditVerdict};
use crate::store::{AuditEnd, AuditRow, AuditSigner, AuditStore, BEGINNING, Entry};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as Unknown, StrDeserializer};

/// Records read at a time.
const PAGE: u32 = 1_000;

impl Retention {
    pub async fn audit(&self, limit: u32, cursor: Option<String>) -> Result<AuditPage> {
        self.step(move |store| page(store, limit, cursor)).await
    }

    pub async fn verify_audit(&self, expected: Option<AuditHead>) -> Result<AuditVerdict> {
        self.step(move |store| verify(store, expected)).await
    }

    /// Records that somebody is about to be asked for an administrator's approval.
    pub async fn approval_asked(&self, account_id: &str) -> Result<()> {
        let entry = Entry::new(AuditKind::ApprovalAsked, "The approval of an administrator was asked for.").on(account_id);
        let now = self.now();
        self.step(move |store| store.record(&[entry], now)).await
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
        let now = self.now();
        if let Err(failed) = self.step(move |store| store.record(&[entry], now)).await {
            tracing::warn!(target: "tidings::keeping", kind = ?failed.kind(), "a refused sign-in could not be recorded");
        }
    }
}

pub(super) fn page(store: &dyn AuditStore, limit: u32, cursor: Option<String>) -> Result<AuditPage> {
    if !(1..=1000).contains(&limit) {
        return Err(Error::invalid("limit must be from 1 to 1000."));
    }
    let after = match cursor.as_deref() {
        None => 0,
        Some(text) => text.parse().ok().filter(|n: &i64| *n >= 0).ok_or_else(|| Error::invalid("cursor is not one that audit gave. Pass `next` of the page before, or none."))?,
    };
    let rows = store.audit_rows(after, limit)?;
    let next = rows.last().map(|row| row.number.to_string()).or(cursor);
    Ok(AuditPage { items: rows.into_iter().map(record).collect::<Result<_>>()?, next })
}

fn record(row: AuditRow) -> Result<AuditRecord> {
    let word: StrDeserializer<'_, Unknown> = row.kind.as_str().into_deserializer();
    let kind = AuditKind::deserialize(word).map_err(|_| Error::new(ErrorKind::Corrupt, "A record of the audit log is damaged or was altered. Call verify_audit."))?;
    Ok(AuditRecord {
        number: row.number.unsigned_abs(),
        at: from_ms(row.at),
        kind,
        account_id: row.account_id,
        subject: row.subject,
        detail: row.detail,
        hash: hex(&row.hash),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn end_of(head: &AuditHead) -> Result<AuditEnd> {
    let bad = || Error::invalid("expected is not the end of an audit log. Pass the head that verify_audit gave.");
    let nibble = |c: char| c.to_digit(16).and_then(|d| u8::try_from(d).ok());
    let digits: Vec<u8> = head.hash.chars().map(nibble).collect::<Option<_>>().ok_or_else(bad)?;
    let bytes: Vec<u8> = digits.chunks(2).filter_map(|pair| if let [high, low] = pair { Some(high << 4 | low) } else { None }).collect();
    let hash = bytes.try_into().ok().filter(|_| digits.len() == 64).ok_or_else(bad)?;
    let number = i64::try_from(head.number).ok().filter(|n| *n > 0).ok_or_else(bad)?;
    Ok(AuditEnd { number, hash })
}

/// What is wrong first.
struct Wrong {
    fault: AuditFault,
    at: i64,
    reason: String,
}

fn wrong(fault: AuditFault, at: i64, reason: impl Into<String>) -> Wrong {
    Wrong { fault, at, reason: reason.into() }
}

/// Walks the log as it was at one moment; what is appended meanwhile is not looked at.
pub(super) fn verify(store: &dyn AuditStore, expected: Option<AuditHead>) -> Result<AuditVerdict> {
    let expected = expected.map(|head| end_of(&head)).transpose()?;
    let audit_signer = store.audit_signer()?;
    let extent = store.audit_extent()?;
    let end = match &extent.end {
        Some(bytes) => AuditEnd::read(&*audit_signer, bytes)?,
        None => None,
    };
    // Without a signed end the chain is walked all the same: an earlier fault says more.
    let upto = end.map_or(extent.last.unwrap_or(0), |end| end.number);
    let walk = Walk { store, audit_signer: &*audit_signer, upto, removed: upto.saturating_sub(extent.records).max(0) };
    let (last, mut found) = walk.walk(expected)?;
    if found.is_none() {
        found = ending(last, end, extent.last, expected);
    }
    let head = end.or((last.number > 0).then_some(last)).map(|end| AuditHead { number: end.number.unsigned_abs(), hash: hex(&end.hash) });
    let records = extent.records.unsigned_abs();
    Ok(match found {
        None => AuditVerdict { intact: true, records, head, fault: None, at: None, reason: "Every record is as it was written, and none is missing.".into() },
        Some(w) => AuditVerdict { intact: false, records, head, fault: Some(w.fault), at: Some(w.at.unsigned_abs()), reason: w.reason },
    })
}

/// The chain is whole up to `last`; does it end where it should?
fn ending(last: AuditEnd, end: Option<AuditEnd>, newest: Option<i64>, expected: Option<AuditEnd>) -> Option<Wrong> {
    let next = last.number + 1;
    match end {
        None => return Some(wrong(AuditFault::TailMissing, next, "The signed end of the log is gone or was altered, so nobody can tell whether records after this were cut off.")),
        Some(end) if end.number > last.number => {
            return Some(wrong(AuditFault::TailMissing, next, format!("The log ended at record {}; what came from record {next} on is gone.", end.number)));
        }
        Some(end) if end.hash != last.hash => return Some(wrong(AuditFault::Changed, last.number, "The last record is not the one the signed end of the log names.")),
        Some(end) if newest.is_some_and(|newest| newest > end.number) => {
            return Some(wrong(AuditFault::Changed, end.number + 1, "There are records after the signed end of the log: the end was put back, or somebody else wrote them."));
        }
        Some(_) => {}
    }
    expected.filter(|expected| expected.number > last.number).map(|expected| {
        wrong(AuditFault::TailMissing, next, format!("The log had {} records when the expected end was noted. It was cut off, or an older copy of the store was put in its place.", expected.number))
    })
}

struct Walk<'a> {
    store: &'a dyn AuditStore,
    audit_signer: &'a dyn AuditSigner,
    upto: i64,
    /// Records fewer than the signed end counts.
    removed: i64,
}

impl Walk<'_> {
    /// Answers the last good record, and what is wrong after it.
    fn walk(&self, expected: Option<AuditEnd>) -> Result<(AuditEnd, Option<Wrong>)> {
        let mut last = AuditEnd { number: 0, hash: BEGINNING };
        let mut after = i64::MIN;
        loop {
            let rows = self.store.audit_rows(after, PAGE)?;
            let Some(end_of_page) = rows.last().map(|row| row.number) else { return Ok((last, None)) };
            for (at, row) in rows.iter().enumerate() {
                if row.number > self.upto {
                    return Ok((last, None));
                }
                let number = last.number + 1;
                if row.number != number {
                    return Ok((last, Some(self.gap(row, number))));
                }
                let hash = row.hash_as(self.audit_signer, number, &last.hash)?;
                if row.hash != hash {
                    let next = match rows.get(at + 1) {
                        Some(next) => Some(next.clone()),
                        None => self.store.audit_rows(number, 1)?.pop(),
                    };
                    return Ok((last, Some(self.explain(row, next.as_ref(), last)?)));
                }
                last = AuditEnd { number, hash };
                if expected.is_some_and(|expected| expected.number == number && expected.hash != hash) {
                    return Ok((last, Some(wrong(AuditFault::Changed, number, "This record is another than when the expected end was noted: the log was written anew, or it is another store's."))));
                }
            }
            after = end_of_page;
        }
    }

    fn gap(&self, row: &AuditRow, number: i64) -> Wrong {
        if row.number < number {
            return wrong(AuditFault::Changed, number, "There is a record with a number that is never given.");
        }
        wrong(AuditFault::Missing, number, format!("Record {number} is gone; the next one there is {}.", row.number))
    }

    /// A record whose hash does not fit its place: another one's place, the gap closed behind one that was taken out, or changed.
    fn explain(&self, row: &AuditRow, next: Option<&AuditRow>, last: AuditEnd) -> Result<Wrong> {
        let number = last.number + 1;
        if let Some(place) = self.find(row, last)? {
            return Ok(wrong(AuditFault::Swapped, number, format!("Record {number} stands in the place of record {place}.")));
        }
        if self.removed > 0 {
            // Renumbered after something was taken out: then the records from here on still fit one another under their old numbers.
            let fits = match next.filter(|next| next.number <= self.upto) {
                Some(next) => next.hash_as(self.audit_signer, next.number + self.removed, &row.hash)?.as_slice() == next.hash,
                None => self.store.audit_extent()?.end.map(|end| AuditEnd::read(self.audit_signer, &end)).transpose()?.flatten().is_some_and(|end| end.hash.as_slice() == row.hash),
            };
            if fits {
                return Ok(wrong(AuditFault::Missing, number, format!("Record {number} is gone, and those after it were given other numbers.")));
            }
        }
        Ok(wrong(AuditFault::Changed, number, format!("Record {number} is not as it was written.")))
    }

    /// Where the record that belongs after `last` stands instead. Its own hash came along, or it stayed behind and the other place does not fit either.
    fn find(&self, row: &AuditRow, last: AuditEnd) -> Result<Option<i64>> {
        let number = last.number + 1;
        let (mut after, mut before) = (number, row.hash.clone());
        loop {
            let rows = self.store.audit_rows(after, PAGE)?;
            let Some(end_of_page) = rows.last().map(|row| row.number) else { return Ok(None) };
            for other in rows {
                let hash = other.hash_as(self.audit_signer, number, &last.hash)?;
                if other.hash == hash || (row.hash == hash && other.hash_as(self.audit_signer, other.number, &before)?.as_slice() != other.hash) {
                    return Ok(Some(other.number));
                }
                before = other.hash;
            }
            after = end_of_page;
        }
    }
}
