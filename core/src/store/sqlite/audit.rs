//! Writing the audit log: each record at the end of its owner's chain, in the transaction of what it tells about, bound to the record before.
//!
//! A chain's end is signed and stored once per transaction, whatever number of steps in it wrote records. Until then it is remembered for as long as nothing
//! of the transaction is taken back; once steps have savepoints of their own, it stands in a table of the connection, in memory, where a step that is taken back
//! takes its ends along.

use super::fault::{Outcome, corrupt};
use super::writer::RoundId;
use super::{Opened, SqliteStore, all, exists, first, keys, run};
use crate::error::{Error, ErrorKind, Result};
use crate::model::AuditKind;
use crate::stages::{Stage, timed};
use crate::store::{AuditChain, AuditEnd, AuditRow, AuditSigner, AuditStore, Entry, KeyPurpose, NewKey, STORE_CHAIN, beginning};
use crate::store::words::Word;
use async_trait::async_trait;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Marks of owners kept in memory: each is a keyed hash, asked for with every record.
const MARKS_KEPT: usize = 1_000;
/// In the place of a mark: rows of no chain there is. No mark looks like that.
const UNKNOWN: &str = "?";

const OPEN_ENDS: &str = "CREATE TEMP TABLE audit_ends (chain INTEGER PRIMARY KEY, number INTEGER NOT NULL, hash BLOB NOT NULL) STRICT";

macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, COALESCE(c.owner, '?'), r.number, r.at, r.kind, r.account_id, r.subject, r.detail, r.hash
             FROM audit AS r LEFT JOIN audit_chains AS c ON c.id = r.chain ",
            $rest
        )
    };
}

/// Ends of the transaction that is under way, of the connection that writes.
pub fn keep_ends(c: &Connection) -> Outcome<()> {
    run(c, OPEN_ENDS, []).map(drop)
}

/// Ends of chains that were moved, by owner, with the chain's row.
#[derive(Default)]
pub struct OpenEnds {
    round: Option<RoundId>,
    chains: BTreeMap<String, (i64, AuditEnd)>,
}

/// A chain that is being written to.
struct Chain {
    id: i64,
    owner: String,
    end: AuditEnd,
}

impl Chain {
    /// None: it has not begun. What stands in the table of records does not matter here: if a tail was cut off, the gap stays to be seen.
    fn find(c: &Connection, audit_signer: &dyn AuditSigner, owner: &str) -> Outcome<Option<Self>> {
        let sql = "SELECT c.id, c.signed_end, e.number, e.hash FROM audit_chains AS c LEFT JOIN temp.audit_ends AS e ON e.chain = c.id WHERE c.owner = ?1";
        let read = |row: &Row<'_>| {
            let open = row.get::<_, Option<i64>>(2)?.zip(row.get::<_, Option<[u8; 32]>>(3)?);
            Ok((row.get(0)?, row.get::<_, Option<Vec<u8>>>(1)?, open.map(|(number, hash)| AuditEnd { number, hash })))
        };
        let Some((id, signed, open)) = first(c, sql, [owner], read)? else { return Ok(None) };
        let end = match (open, signed) {
            (Some(open), _) => Some(open),
            (None, Some(signed)) => AuditEnd::read(audit_signer, owner, &signed)?,
            (None, None) => None,
        };
        let end = end.ok_or_else(|| corrupt("the end of the audit log"))?;
        Ok(Some(Self { id, owner: owner.to_owned(), end }))
    }

    fn begin(c: &Connection, audit_signer: &dyn AuditSigner, owner: &str) -> Outcome<Self> {
        let id = first(c, "INSERT INTO audit_chains (owner) VALUES (?1) RETURNING id", [owner], |row| Ok(row.get(0)?))?;
        let id = id.ok_or_else(|| Error::internal("A row just written could not be read. Please report it."))?;
        Ok(Self { id, owner: owner.to_owned(), end: AuditEnd { number: 0, hash: beginning(audit_signer, owner)? } })
    }

    fn add(&mut self, c: &Connection, audit_signer: &dyn AuditSigner, entry: &Entry, at: i64) -> Outcome<()> {
        let mut row = AuditRow {
            position: 0,
            owner: String::new(),
            number: self.end.number + 1,
            at,
            kind: entry.kind.word().to_owned(),
            account_id: entry.account_id.clone(),
            subject: entry.subject.clone(),
            detail: entry.detail.clone(),
            legible: true,
            hash: Vec::new(),
        };
        let hash = row.hash_as(audit_signer, row.number, &self.end.hash)?;
        row.hash = hash.to_vec();
        run(
            c,
            "INSERT INTO audit (chain, number, at, kind, account_id, subject, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            rusqlite::params![self.id, row.number, row.at, row.kind, row.account_id, row.subject, row.detail, row.hash],
        )?;
        self.end = AuditEnd { number: row.number, hash };
        Ok(())
    }

    /// To be signed when the transaction ends.
    fn leave_open(&self, c: &Connection, store: &Opened) -> Outcome<()> {
        if let Some(mut ends) = store.open_ends() {
            ends.chains.insert(self.owner.clone(), (self.id, self.end));
            return Ok(());
        }
        run(
            c,
            "INSERT INTO temp.audit_ends (chain, number, hash) VALUES (?1, ?2, ?3) ON CONFLICT (chain) DO UPDATE SET number = excluded.number, hash = excluded.hash",
            (self.id, self.end.number, self.end.hash),
        )?;
        Ok(())
    }

    fn sign(&self, c: &Connection, audit_signer: &dyn AuditSigner) -> Outcome<()> {
        run(c, "UPDATE audit_chains SET signed_end = ?2 WHERE id = ?1", (self.id, self.end.to_bytes(audit_signer, &self.owner)?))?;
        Ok(())
    }
}

fn audit_row(row: &Row<'_>) -> Outcome<AuditRow> {
    let mut legible = true;
    let mut text = |column: usize| -> Outcome<Option<String>> {
        // Whoever altered the file may have put anything there. It is shown as well as it can be, so that the altered record can be named.
        let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(column)? else { return Ok(None) };
        let text = String::from_utf8_lossy(bytes);
        legible &= matches!(text, Cow::Borrowed(_));
        Ok(Some(text.into_owned()))
    };
    let owner = text(1)?.unwrap_or_default();
    let (kind, account_id, subject, detail) = (text(4)?.unwrap_or_default(), text(5)?, text(6)?, text(7)?.unwrap_or_default());
    Ok(AuditRow { position: row.get(0)?, owner, number: row.get(2)?, at: row.get(3)?, kind, account_id, subject, detail, legible, hash: row.get(8)? })
}

fn chain_row(row: &Row<'_>) -> Outcome<AuditChain> {
    let owner = String::from_utf8_lossy(row.get_ref(0)?.as_bytes().map_err(rusqlite::Error::from)?).into_owned();
    Ok(AuditChain { owner, records: row.get(1)?, last: row.get(2)?, trimmed: row.get(3)?, end: row.get(4)? })
}

impl Opened {
    fn signer(&self) -> Result<Arc<dyn AuditSigner>> {
        self.audit_signer.get().cloned().ok_or_else(|| Error::internal("The audit log has nobody who signs it yet, so nothing was changed. Please report it."))
    }

    /// Records in the transaction of the step itself: either both are durable or neither is.
    pub(super) fn note(&self, c: &Connection, entries: &[Entry], at: i64) -> Outcome<()> {
        if entries.is_empty() { Ok(()) } else { timed(Stage::Audit, || self.add(c, entries, at)) }
    }

    /// None: what is remembered does not do.
    fn open_ends(&self) -> Option<MutexGuard<'_, OpenEnds>> {
        let round = self.writer.round()?;
        let mut ends = self.open_ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.round != Some(round) {
            *ends = OpenEnds { round: Some(round), chains: BTreeMap::new() };
        }
        Some(ends)
    }

    fn find_chain(&self, c: &Connection, audit_signer: &dyn AuditSigner, owner: &str) -> Outcome<Option<Chain>> {
        match self.open_ends().and_then(|ends| ends.chains.get(owner).copied()) {
            Some((id, end)) => Ok(Some(Chain { id, owner: owner.to_owned(), end })),
            None => Chain::find(c, audit_signer, owner),
        }
    }

    fn add(&self, c: &Connection, entries: &[Entry], at: i64) -> Outcome<()> {
        let audit_signer = self.signer()?;
        let (mut chains, mut owners) = (BTreeMap::<String, Chain>::new(), BTreeMap::<&str, String>::new());
        for entry in entries {
            let owner = match (&entry.owner, &entry.account_id) {
                (Some(owner), _) => owner.clone(),
                (None, None) => STORE_CHAIN.to_owned(),
                (None, Some(id)) => match owners.entry(id.as_str()) {
                    Place::Occupied(known) => known.get().clone(),
                    Place::Vacant(place) => place.insert(self.mark_of(c, id)?).clone(),
                },
            };
            if !chains.contains_key(&owner) {
                let found = match self.find_chain(c, &*audit_signer, &owner)? {
                    Some(found) => found,
                    None if owner == STORE_CHAIN => return Err(corrupt("no chain of its own in the audit log").into()),
                    None => {
                        let birth = Entry::new(AuditKind::ChainBegun, "A chain of records was begun.").about(&*owner);
                        let own = match chains.entry(STORE_CHAIN.to_owned()) {
                            Place::Occupied(known) => known.into_mut(),
                            Place::Vacant(place) => place.insert(self.find_chain(c, &*audit_signer, STORE_CHAIN)?.ok_or_else(|| corrupt("no chain of its own in the audit log"))?),
                        };
                        own.add(c, &*audit_signer, &birth, at)?;
                        Chain::begin(c, &*audit_signer, &owner)?
                    }
                };
                chains.insert(owner.clone(), found);
            }
            if let Some(chain) = chains.get_mut(&owner) {
                chain.add(c, &*audit_signer, entry, at)?;
            }
        }
        chains.values().try_for_each(|chain| chain.leave_open(c, self))
    }

    /// What an owner is called in the log.
    pub(super) fn owner_mark(&self, owner: &str) -> Outcome<String> {
        let mut known = self.owner_marks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mark) = known.get(owner) {
            return Ok(mark.clone());
        }
        let mark = self.signer()?.owner(owner)?;
        if known.len() >= MARKS_KEPT {
            known.clear();
        }
        known.insert(owner.to_owned(), mark.clone());
        Ok(mark)
    }

    /// Whose an account is, or was before it was purged.
    fn mark_of(&self, c: &Connection, account_id: &str) -> Outcome<String> {
        match first(c, "SELECT owner FROM accounts WHERE id = ?1 AND owner <> ''", [account_id], |row| Ok(row.get::<_, String>(0)?))? {
            Some(owner) => self.owner_mark(&owner),
            None => Ok(first(c, "SELECT owner FROM purges WHERE account_id = ?1", [account_id], |row| Ok(row.get(0)?))?.unwrap_or_else(|| STORE_CHAIN.to_owned())),
        }
    }

    /// Before a commit: the end of every chain that grew in this transaction.
    pub(super) fn sign_ends(&self, c: &Connection) -> Outcome<()> {
        let read = |row: &Row<'_>| Ok(Chain { id: row.get(0)?, owner: row.get(1)?, end: AuditEnd { number: row.get(2)?, hash: row.get(3)? } });
        let remembered = self.open_ends().map(|mut ends| std::mem::take(&mut ends.chains)).unwrap_or_default();
        let mut grown = all(c, "SELECT e.chain, c.owner, e.number, e.hash FROM temp.audit_ends AS e JOIN audit_chains AS c ON c.id = e.chain", [], read)?;
        grown.extend(remembered.into_iter().map(|(owner, (id, end))| Chain { id, owner, end }));
        if grown.is_empty() {
            return Ok(());
        }
        timed(Stage::Audit, || {
            let audit_signer = self.signer()?;
            grown.iter().try_for_each(|chain| chain.sign(c, &*audit_signer))?;
            run(c, "DELETE FROM temp.audit_ends", []).map(drop)
        })
    }
}

fn trim_chain(c: &Connection, audit_signer: &dyn AuditSigner, owner: &str, upto: AuditEnd, limit: u32) -> Outcome<u32> {
    let sql = "SELECT id, trimmed FROM audit_chains WHERE owner = ?1";
    let found = first(c, sql, [owner], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Vec<u8>>>(1)?)))?;
    let Some((chain, trimmed)) = found else { return Ok(0) };
    let altered = || Error::new(ErrorKind::Corrupt, "The audit log is not as it was written. Nothing more was erased of it; call verify_audit.");
    let start = match trimmed {
        Some(bytes) => AuditEnd::read_trimmed(audit_signer, owner, &bytes)?.ok_or_else(altered)?.number,
        None => 0,
    };
    let sql = "SELECT number, hash, kind FROM audit WHERE chain = ?1 AND number > ?2 AND number <= ?3 ORDER BY number LIMIT ?4";
    let rows = all(c, sql, (chain, start, upto.number, limit), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?, row.get::<_, String>(2)?)))?;
    let begun = AuditKind::ChainBegun.word();
    let (mut last, mut erased) = (None, 0);
    for (number, hash, _) in rows.into_iter().take_while(|(_, _, kind)| kind != begun) {
        if number != start + i64::from(erased) + 1 || (number == upto.number && hash != upto.hash) {
            return Err(altered().into());
        }
        (last, erased) = (Some(AuditEnd { number, hash }), erased + 1);
    }
    let Some(last) = last else { return Ok(0) };
    run(c, "DELETE FROM audit WHERE chain = ?1 AND number <= ?2", (chain, last.number))?;
    run(c, "UPDATE audit_chains SET trimmed = ?2 WHERE id = ?1", (chain, last.to_trimmed(audit_signer, owner)?))?;
    Ok(erased)
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn begin_audit(&self, key: &NewKey, audit_signer: Arc<dyn AuditSigner>, now: i64) -> Result<()> {
        let key = key.clone();
        self.write(move |tx| {
            if exists(tx, "SELECT 1 FROM keys WHERE purpose = ?1", [KeyPurpose::Audit.word()])? {
                return Ok(());
            }
            // A store that was in use has a log. Beginning another would hide that it is gone.
            let used = exists(tx, "SELECT 1 FROM audit", [])?
                || exists(tx, "SELECT 1 FROM audit_chains", [])?
                || exists(tx, "SELECT 1 FROM keys WHERE purpose <> ?1", [KeyPurpose::Store.word()])?;
            if used {
                return Err(corrupt("the key of the audit log").into());
            }
            keys::insert(tx, &key)?;
            let mut chain = Chain::begin(tx, &*audit_signer, STORE_CHAIN)?;
            chain.add(tx, &*audit_signer, &Entry::new(AuditKind::StoreMade, "The store was made."), now)?;
            chain.sign(tx, &*audit_signer)
        })
        .await
    }

    async fn record(&self, entries: &[Entry], now: i64) -> Result<()> {
        let (store, entries) = (self.clone(), entries.to_vec());
        self.write(move |tx| store.note(tx, &entries, now)).await
    }

    async fn audit_rows(&self, owner: Option<&str>, after: i64, limit: u32) -> Result<Vec<AuditRow>> {
        let Some(owner) = owner.map(str::to_owned) else {
            return self.read(move |c| all(c, select_rows!("WHERE r.id > ?1 ORDER BY r.id LIMIT ?2"), (after, limit), audit_row)).await;
        };
        let sql = select_rows!("WHERE r.chain = (SELECT id FROM audit_chains WHERE owner = ?1) AND r.number > ?2 ORDER BY r.number LIMIT ?3");
        self.read(move |c| all(c, sql, (owner, after, limit), audit_row)).await
    }

    async fn audit_chains(&self, owner: Option<&str>) -> Result<Vec<AuditChain>> {
        if let Some(owner) = owner.map(str::to_owned) {
            let sql = "SELECT c.owner, (SELECT COUNT(*) FROM audit WHERE chain = c.id), (SELECT MAX(number) FROM audit WHERE chain = c.id), c.trimmed, c.signed_end
                       FROM audit_chains AS c WHERE c.owner = ?1";
            return self.read(move |c| all(c, sql, [owner], chain_row)).await;
        }
        let sql = "SELECT COALESCE(c.owner, ?1), COALESCE(r.records, 0), r.last, c.trimmed, c.signed_end FROM audit_chains AS c
                   FULL JOIN (SELECT chain, COUNT(*) AS records, MAX(number) AS last FROM audit GROUP BY chain) AS r ON r.chain = c.id
                   ORDER BY c.id IS NULL, c.id";
        self.read(move |c| all(c, sql, [UNKNOWN], chain_row)).await
    }

    async fn trim_chain(&self, owner: &str, upto: AuditEnd, limit: u32) -> Result<u32> {
        let (store, owner) = (self.clone(), owner.to_owned());
        self.write(move |tx| trim_chain(tx, &*store.signer()?, &owner, upto, limit)).await
    }
}
