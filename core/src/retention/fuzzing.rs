//! The audit log as somebody with the store's file might have altered it.

#![allow(clippy::panic)] // this is how a fuzz target says that something does not hold

use super::audit::page;
use super::verify::verify;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AuditHead, AuditPage, AuditVerdict};
use crate::seal::KeyBytes;
use crate::store::{AuditChain, AuditEnd, AuditRow, AuditSigner, AuditStore, Entry, NewKey, STORE_CHAIN, beginning};
use async_trait::async_trait;
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const OWNERS: [&str; 2] = ["own_a", "own_b"];
/// Records of each owner.
const RECORDS: i64 = 4;
/// An owner's chain that begins with this number, since what came before was erased.
const TRIMMED: i64 = 2;

/// A cursor, then edits: the log of a store is altered in the ways that the bytes name, read in pages and proven.
pub fn audit_page(bytes: &[u8]) {
    let Ok(genuine) = Log::genuine() else { panic!("a log cannot be signed") };
    let mut log = genuine.clone();
    let mut bytes = Bytes(bytes);
    let cursor = Some(bytes.text()).filter(|text| !text.is_empty());
    while let Some(edit) = bytes.next() {
        log.alter(edit, &mut bytes);
    }
    agrees(&log, &genuine, None);
    for owner in OWNERS {
        agrees(&log, &genuine, Some(owner));
    }
    match read(&log, 1000, cursor, None) {
        Ok(_) => {}
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidInput), "{error:?}"),
    }
    for owner in [None, Some(OWNERS[0])] {
        reads_alike_in_pieces(&log, owner);
    }
}

/// The verdict over all chains, or over one: whole exactly if nothing of it was altered.
fn agrees(log: &Log, genuine: &Log, owner: Option<&str>) {
    let is_genuine = match owner {
        Some(owner) => log.of(owner) == genuine.of(owner),
        None => log.rows == genuine.rows && log.chains == genuine.chains,
    };
    match proven(log, owner, None) {
        Ok(verdict) => {
            assert!(verdict.intact == is_genuine || says_nothing(&verdict, log, owner), "{owner:?} {verdict:?}");
            assert_eq!((verdict.fault.is_none(), verdict.at.is_none()), (verdict.intact, verdict.intact), "{verdict:?}");
            // An end that was noted once holds of the log it was noted of, and another one never.
            if let Some(head) = verdict.head.filter(|_| is_genuine) {
                let hash = head.hash.replace(['0', '1', '2', '3', '4', '5', '6', '7'], "f");
                assert!(proven(log, owner, Some(head.clone())).is_ok_and(|verdict| verdict.intact));
                assert!(proven(log, owner, Some(AuditHead { hash, ..head })).is_ok_and(|verdict| !verdict.intact));
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
    }
}

/// Of one chain that is gone as a whole the chain itself cannot tell.
fn says_nothing(verdict: &AuditVerdict, log: &Log, owner: Option<&str>) -> bool {
    verdict.records == 0 && verdict.head.is_none() && owner.is_some_and(|owner| !log.chains.contains_key(owner))
}

/// In one page or in several: the log says the same.
fn reads_alike_in_pieces(log: &Log, owner: Option<&str>) {
    let (whole, mut pieces, mut cursor) = (read(log, 1000, None, owner), Vec::new(), None);
    let end = loop {
        match read(log, 2, cursor.take(), owner) {
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
        // A number below zero is never the cursor of a page.
        (Ok(_), Err(error)) if owner.is_some() => assert_eq!(error.kind(), ErrorKind::InvalidInput),
        (Err(one), Err(other)) => assert!([&one, &other].iter().all(|e| matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::InvalidInput))),
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
    /// By the position they were written at.
    rows: BTreeMap<i64, AuditRow>,
    /// What is signed of each chain: what was erased from its start, and its end.
    chains: BTreeMap<String, Signed>,
}

type Signed = (Option<Vec<u8>>, Option<Vec<u8>>);

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
    /// Records of two owners in turn, after those of the store that say that their chains were begun.
    fn genuine() -> Result<Self> {
        let key = KeyBytes::from_slice(&[0x5a; 32]).ok_or_else(|| Error::internal("no key"))?;
        let mut log = Self { signer: Arc::new(Key(key)), rows: BTreeMap::new(), chains: BTreeMap::new() };
        let mut written = vec![(STORE_CHAIN, "store_made", None)];
        written.extend(OWNERS.map(|owner| (STORE_CHAIN, "chain_begun", Some(owner.to_owned()))));
        written.extend((0..RECORDS).flat_map(|_| OWNERS).map(|owner| (owner, "signed_in", None)));
        let mut ends: BTreeMap<&str, AuditEnd> = BTreeMap::new();
        for (position, (owner, kind, subject)) in (1..).zip(written) {
            let before = match ends.get(owner) {
                Some(end) => *end,
                None => AuditEnd { number: 0, hash: beginning(&*log.signer, owner)? },
            };
            let number = before.number + 1;
            let account_id = (number % 2 == 0).then(|| "acc_1".to_owned());
            let detail = format!("Something happened {number} times.");
            let mut row = AuditRow { position, owner: owner.to_owned(), number, at: 1_700_000_000_000 + position, kind: kind.to_owned(), account_id, subject, detail, legible: true, hash: Vec::new() };
            let end = AuditEnd { number, hash: row.hash_as(&*log.signer, number, &before.hash)? };
            row.hash = end.hash.to_vec();
            let signed = log.chains.entry(owner.to_owned()).or_default();
            signed.1 = Some(end.to_bytes(&*log.signer, owner)?);
            // Of one chain the first records were exported and erased.
            if owner == OWNERS[1] && number < TRIMMED {
                signed.0 = Some(end.to_trimmed(&*log.signer, owner)?);
            } else {
                log.rows.insert(position, row);
            }
            ends.insert(owner, end);
        }
        Ok(log)
    }

    fn of(&self, owner: &str) -> (Vec<&AuditRow>, Option<&Signed>) {
        (self.rows.values().filter(|row| row.owner == owner).collect(), self.chains.get(owner))
    }

    fn alter(&mut self, edit: u8, bytes: &mut Bytes<'_>) {
        let position = 1 + i64::from(bytes.next().unwrap_or(0)) % (4 + 2 * RECORDS);
        let Some(mut row) = self.rows.get(&position).cloned() else { return };
        match edit % 18 {
            0 => row.kind = bytes.text(),
            1 => row.account_id = Some(bytes.text()),
            2 => row.subject = Some(bytes.text()).filter(|text| !text.is_empty()),
            3 => row.detail = bytes.text(),
            4 => row.at = bytes.number(),
            5 => row.legible = !row.legible,
            6 => row.hash = bytes.text().into_bytes(),
            7 => row.number = bytes.number(),
            8 => drop(self.rows.remove(&position)),
            // A second one like it, behind all.
            9 => {
                let number = bytes.number();
                self.insert(AuditRow { position: self.rows.keys().last().map_or(1, |last| last + 1), number, ..row.clone() });
            }
            10 => self.swap(position, bytes.number()),
            11 => self.rows.retain(|at, other| *at <= position || other.owner != row.owner),
            12 => self.signed(&row.owner).1 = None,
            13 => self.signed(&row.owner).1 = Some([row.number.to_be_bytes().as_slice(), &row.hash, bytes.text().as_bytes()].concat()),
            14 => self.signed(&row.owner).0 = None,
            15 => self.signed(&row.owner).0 = self.signed(&row.owner).1.clone(),
            // The whole chain.
            16 => {
                self.rows.retain(|_, other| other.owner != row.owner);
                self.chains.remove(&row.owner);
            }
            _ => row.owner = OWNERS.into_iter().find(|owner| *owner != row.owner).unwrap_or(STORE_CHAIN).to_owned(),
        }
        if !matches!(edit % 18, 8 | 10 | 11 | 16) {
            self.insert(row);
        }
    }

    /// Unless another one has its number in its chain: the file holds one of them.
    fn insert(&mut self, row: AuditRow) {
        if !self.rows.values().any(|other| other.position != row.position && (&other.owner, other.number) == (&row.owner, row.number)) {
            self.rows.insert(row.position, row);
        }
    }

    fn signed(&mut self, owner: &str) -> &mut Signed {
        self.chains.entry(owner.to_owned()).or_default()
    }

    /// Two records change places and keep their numbers.
    fn swap(&mut self, one: i64, other: i64) {
        let (Some(first), Some(second)) = (self.rows.get(&one).cloned(), self.rows.get(&other).cloned()) else { return };
        let in_place_of = |place: &AuditRow, row: AuditRow| AuditRow { position: place.position, owner: place.owner.clone(), number: place.number, ..row };
        self.rows.insert(one, in_place_of(&first, second.clone()));
        self.rows.insert(other, in_place_of(&second, first));
    }
}

fn not_here<T>() -> Result<T> {
    Err(Error::internal("A log that is read only."))
}

#[async_trait]
impl AuditStore for Log {
    async fn begin_audit(&self, _: &NewKey, _: Arc<dyn AuditSigner>, _: i64) -> Result<()> {
        not_here()
    }

    async fn record(&self, _: &[Entry], _: i64) -> Result<()> {
        not_here()
    }

    async fn audit_rows(&self, owner: Option<&str>, after: i64, limit: u32) -> Result<Vec<AuditRow>> {
        let Some(owner) = owner else { return Ok(self.rows.values().filter(|row| row.position > after).take(limit as usize).cloned().collect()) };
        let mut rows: Vec<_> = self.rows.values().filter(|row| row.owner == owner && row.number > after).cloned().collect();
        rows.sort_by_key(|row| row.number);
        rows.truncate(limit as usize);
        Ok(rows)
    }

    async fn audit_chains(&self, owner: Option<&str>) -> Result<Vec<AuditChain>> {
        if let Some(owner) = owner {
            return Ok(self.chains.contains_key(owner).then(|| self.chain(owner)).into_iter().collect());
        }
        let owners: BTreeSet<&str> = self.chains.keys().map(String::as_str).chain(self.rows.values().map(|row| row.owner.as_str())).collect();
        Ok(owners.into_iter().map(|owner| self.chain(owner)).collect())
    }

    async fn trim_chain(&self, _: &str, _: AuditEnd, _: u32) -> Result<u32> {
        not_here()
    }
}

/// This log is in memory: nothing waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    let Some(outcome) = work.now_or_never() else { panic!("it waits for something") };
    outcome
}

fn read(log: &Log, limit: u32, cursor: Option<String>, owner: Option<&str>) -> Result<AuditPage> {
    now(page(log, limit, cursor, owner))
}

fn proven(log: &Log, owner: Option<&str>, expected: Option<AuditHead>) -> Result<AuditVerdict> {
    now(verify(log, &*log.signer, owner, expected))
}

impl Log {
    /// What is there of a chain.
    fn chain(&self, owner: &str) -> AuditChain {
        let (rows, signed) = self.of(owner);
        let (trimmed, end) = signed.cloned().unwrap_or_default();
        AuditChain { owner: owner.to_owned(), records: i64::try_from(rows.len()).unwrap_or(i64::MAX), last: rows.iter().map(|row| row.number).max(), trimmed, end }
    }
}
