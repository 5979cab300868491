//! The audit log as somebody with the store's file might have altered it.

#![allow(clippy::panic)] // this is how a fuzz target says that something does not hold

use super::audit::{page, verify};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AuditHead, AuditPage};
use crate::seal::KeyBytes;
use crate::store::{AuditEnd, AuditExtent, AuditRow, AuditSigner, AuditStore, BEGINNING, Entry, NewKey};
use std::collections::BTreeMap;
use std::sync::Arc;

const RECORDS: i64 = 9;

/// A cursor, then edits: the log of a store is altered in the ways that the bytes name, read in pages and proven.
pub fn audit_page(bytes: &[u8]) {
    let Ok(genuine) = Log::genuine() else { panic!("a log cannot be signed") };
    let mut log = genuine.clone();
    let mut bytes = Bytes(bytes);
    let cursor = Some(bytes.text()).filter(|text| !text.is_empty());
    while let Some(edit) = bytes.next() {
        log.alter(edit, &mut bytes);
    }
    let is_genuine = log.rows == genuine.rows && log.end == genuine.end;
    match verify(&log, None) {
        Ok(verdict) => {
            assert_eq!(verdict.intact, is_genuine, "{verdict:?}");
            assert_eq!((verdict.fault.is_none(), verdict.at.is_none()), (verdict.intact, verdict.intact), "{verdict:?}");
            // An end that was noted once holds of the log it was noted of, and another one never.
            if let Some(AuditHead { number, hash }) = verdict.head.filter(|_| is_genuine) {
                let other = hash.replace(['0', '1', '2', '3', '4', '5', '6', '7'], "f");
                assert!(verify(&log, Some(AuditHead { number, hash })).is_ok_and(|verdict| verdict.intact));
                assert!(verify(&log, Some(AuditHead { number, hash: other })).is_ok_and(|verdict| !verdict.intact));
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
    }
    match page(&log, 1000, cursor) {
        Ok(_) => {}
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidInput), "{error:?}"),
    }
    reads_alike_in_pieces(&log);
}

/// In one page or in several: the log says the same.
fn reads_alike_in_pieces(log: &Log) {
    let (whole, mut pieces, mut cursor) = (page(log, 1000, None), Vec::new(), None);
    let end = loop {
        match page(log, 2, cursor.take()) {
            Ok(AuditPage { items, .. }) if items.is_empty() => break Ok(()),
            Ok(AuditPage { items, next }) => {
                pieces.extend(items);
                cursor = next;
            }
            Err(error) => break Err(error),
        }
    };
    match (whole, end) {
        (Ok(whole), Ok(())) => assert_eq!(whole.items, pieces),
        (Err(one), Err(other)) => assert_eq!((one.kind(), other.kind()), (ErrorKind::Corrupt, ErrorKind::Corrupt)),
        (whole, end) => panic!("in one page {whole:?}, in pieces {end:?}"),
    }
}

/// Edits one after another, and what each of them takes.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> i64 {
        match self.next() {
            // The ends of what a number may be, where counting goes wrong.
            Some(byte @ 0xf0..) => [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX].get(usize::from(byte & 7)).copied().unwrap_or(i64::MAX),
            byte => i64::from(byte.unwrap_or(0)) - 16,
        }
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.next().unwrap_or(0) & 31).min(self.0.len());
        let (text, rest) = self.0.split_at_checked(length).unwrap_or((&[], self.0));
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }
}

#[derive(Clone)]
struct Log {
    signer: Arc<dyn AuditSigner>,
    /// By the number they are stored under.
    rows: BTreeMap<i64, AuditRow>,
    end: Option<Vec<u8>>,
}

struct Key(KeyBytes);

impl AuditSigner for Key {
    fn sign(&self, parts: &[&[u8]]) -> Result<[u8; 32]> {
        self.0.mac(parts)
    }

    fn owner(&self, owner: &str) -> Result<String> {
        Ok(format!("own_{owner}"))
    }
}

impl Log {
    fn genuine() -> Result<Self> {
        let key = KeyBytes::from_slice(&[0x5a; 32]).ok_or_else(|| Error::internal("no key"))?;
        let mut log = Self { signer: Arc::new(Key(key)), rows: BTreeMap::new(), end: None };
        let mut hash = BEGINNING;
        for number in 1..=RECORDS {
            let account_id = (number % 2 == 0).then(|| "acc_1".to_owned());
            let detail = format!("Something happened {number} times.");
            let mut row = AuditRow { number, at: 1_700_000_000_000 + number, kind: "signed_in".to_owned(), account_id, subject: None, detail, legible: true, hash: Vec::new() };
            hash = row.hash_as(&*log.signer, number, &hash)?;
            row.hash = hash.to_vec();
            log.rows.insert(number, row);
        }
        log.end = Some(AuditEnd { number: RECORDS, hash }.to_bytes(&*log.signer)?);
        Ok(log)
    }

    fn alter(&mut self, edit: u8, bytes: &mut Bytes<'_>) {
        let number = 1 + i64::from(bytes.next().unwrap_or(0)) % (RECORDS + 2);
        let Some(mut row) = self.rows.get(&number).cloned() else { return };
        match edit % 14 {
            0 => row.kind = bytes.text(),
            1 => row.account_id = Some(bytes.text()),
            2 => row.subject = Some(bytes.text()).filter(|text| !text.is_empty()),
            3 => row.detail = bytes.text(),
            4 => row.at = bytes.number(),
            5 => row.legible = !row.legible,
            6 => row.hash = bytes.text().into_bytes(),
            // It is moved under another number.
            7 => {
                self.rows.remove(&number);
                row.number = bytes.number();
            }
            8 => drop(self.rows.remove(&number)),
            // A second one like it.
            9 => row.number = bytes.number(),
            10 => self.swap(number, bytes.number()),
            11 => self.rows.retain(|at, _| *at <= number),
            12 => self.end = None,
            _ => self.end = Some([row.number.to_be_bytes().as_slice(), &row.hash, bytes.text().as_bytes()].concat()),
        }
        if !matches!(edit % 14, 8 | 10 | 11) {
            self.rows.insert(row.number, row);
        }
    }

    /// Two records change places and keep their numbers.
    fn swap(&mut self, one: i64, other: i64) {
        let (Some(first), Some(second)) = (self.rows.get(&one).cloned(), self.rows.get(&other).cloned()) else { return };
        self.rows.insert(one, AuditRow { number: one, ..second });
        self.rows.insert(other, AuditRow { number: other, ..first });
    }
}

fn not_here<T>() -> Result<T> {
    Err(Error::internal("A log that is read only."))
}

impl AuditStore for Log {
    fn begin_audit(&self, _: &NewKey, _: &dyn AuditSigner, _: i64) -> Result<()> {
        not_here()
    }

    fn set_audit_signer(&self, _: Arc<dyn AuditSigner>) {}

    fn audit_signer(&self) -> Result<Arc<dyn AuditSigner>> {
        Ok(self.signer.clone())
    }

    fn record(&self, _: &[Entry], _: i64) -> Result<()> {
        not_here()
    }

    fn audit_rows(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>> {
        Ok(self.rows.values().filter(|row| row.number > after).take(limit as usize).cloned().collect())
    }

    fn audit_extent(&self) -> Result<AuditExtent> {
        let records = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        Ok(AuditExtent { records, last: self.rows.keys().last().copied(), end: self.end.clone() })
    }
}
