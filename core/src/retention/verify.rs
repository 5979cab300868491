//! Proving that the audit log is as it was written: every record's hash is computed anew from what stands there and the hash before, chain by chain.

use super::audit::kind_of;
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::model::{AuditChainHead, AuditFault, AuditHead, AuditKind, AuditVerdict};
use crate::store::{AuditChain, AuditEnd, AuditRow, AuditSigner, AuditStore, STORE_CHAIN, beginning};
use std::collections::{BTreeMap, BTreeSet};

/// Records read at a time.
const PAGE: u32 = 1_000;

/// Ends that were noted, by the owner's mark.
pub(super) type ExpectedEnds = BTreeMap<String, AuditEnd>;

fn end_of(number: u64, hash: &str) -> Result<AuditEnd> {
    let bad = || Error::invalid("expected is not the end of an audit log. Pass the head that verify_audit gave.");
    let nibble = |c: char| c.to_digit(16).and_then(|d| u8::try_from(d).ok());
    let digits: Vec<u8> = hash.chars().map(nibble).collect::<Option<_>>().ok_or_else(bad)?;
    let bytes: Vec<u8> = digits.chunks(2).filter_map(|pair| if let [high, low] = pair { Some(high << 4 | low) } else { None }).collect();
    let hash = bytes.try_into().ok().filter(|_| digits.len() == 64).ok_or_else(bad)?;
    let number = i64::try_from(number).ok().filter(|n| *n > 0).ok_or_else(bad)?;
    Ok(AuditEnd { number, hash })
}

pub(super) fn expected_ends(head: &AuditHead, owner: Option<&str>) -> Result<ExpectedEnds> {
    if head.owner.as_deref().is_some_and(|noted| owner.is_some_and(|owner| owner != noted)) {
        return Err(Error::invalid("expected is the end of another owner's chain. Pass the head that verify_audit gave for this owner, or for all."));
    }
    let mut ends = ExpectedEnds::new();
    ends.insert(head.owner.clone().unwrap_or_else(|| STORE_CHAIN.to_owned()), end_of(head.number, &head.hash)?);
    for chain in &head.chains {
        ends.insert(chain.owner.clone(), end_of(chain.number, &chain.hash)?);
    }
    Ok(ends)
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

/// Looks at the log as it was at one moment; what is appended meanwhile is not looked at. `owner`: the mark of the one whose chain is asked about.
pub(super) async fn verify<S: AuditStore + Sync + ?Sized>(store: &S, audit_signer: &dyn AuditSigner, owner: Option<&str>, expected: Option<AuditHead>) -> Result<AuditVerdict> {
    let expected = expected.map(|head| expected_ends(&head, owner)).transpose()?.unwrap_or_default();
    let mut proof = Proof { store, audit_signer, expected, records: 0, ends: BTreeMap::new(), found: None };
    match owner {
        Some(owner) => match store.audit_chains(Some(owner)).await?.pop() {
            Some(chain) => proof.chain(&chain, None).await?,
            None if proof.expected.contains_key(owner) => proof.find(owner, vanished()),
            None => {}
        },
        None => proof.all().await?,
    }
    Ok(proof.verdict(owner))
}

/// Owners whose chains were begun, as the store's own chain tells.
#[derive(Default)]
struct Beginnings {
    begun: BTreeSet<String>,
    twice: Option<String>,
}

impl Beginnings {
    fn note(&mut self, row: &AuditRow) {
        if kind_of(row) == Some(AuditKind::ChainBegun)
            && let Some(owner) = &row.subject
            && !self.begun.insert(owner.clone())
        {
            self.twice.get_or_insert_with(|| owner.clone());
        }
    }
}

fn vanished() -> Wrong {
    wrong(AuditFault::TailMissing, 1, "The chain of this owner is gone, with its signed end.")
}

struct Proof<'a, S: ?Sized> {
    store: &'a S,
    audit_signer: &'a dyn AuditSigner,
    expected: ExpectedEnds,
    records: i64,
    ends: ExpectedEnds,
    /// In whose chain, and what.
    found: Option<(String, Wrong)>,
}

impl<S: AuditStore + Sync + ?Sized> Proof<'_, S> {
    fn find(&mut self, owner: &str, wrong: Wrong) {
        self.found.get_or_insert_with(|| (owner.to_owned(), wrong));
    }

    async fn all(&mut self) -> Result<()> {
        let chains = self.store.audit_chains(None).await?;
        let own = chains.iter().find(|chain| chain.owner == STORE_CHAIN).cloned().unwrap_or_else(|| AuditChain::missing(STORE_CHAIN));
        let mut beginnings = Beginnings::default();
        self.chain(&own, Some(&mut beginnings)).await?;
        let Beginnings { begun, twice } = beginnings;
        let there: BTreeSet<&str> = chains.iter().map(|chain| chain.owner.as_str()).collect();
        let known = begun.iter().map(String::as_str).chain(self.expected.keys().map(String::as_str));
        if let Some(gone) = known.filter(|owner| *owner != STORE_CHAIN && !there.contains(owner)).map(str::to_owned).next() {
            self.find(&gone, vanished());
        }
        if let Some(owner) = twice {
            self.find(&owner, wrong(AuditFault::Missing, 1, "The chain of this owner was begun a second time: the first one is gone."));
        }
        for chain in chains.iter().filter(|chain| chain.owner != STORE_CHAIN) {
            if !begun.contains(&chain.owner) {
                self.find(&chain.owner, wrong(AuditFault::Changed, 1, "There are records of a chain whose beginning is not recorded: somebody else wrote them."));
            }
            self.chain(chain, None).await?;
        }
        Ok(())
    }

    /// `beginnings` is told of every record that is as it was written.
    async fn chain(&mut self, chain: &AuditChain, beginnings: Option<&mut Beginnings>) -> Result<()> {
        let (signer, owner) = (self.audit_signer, chain.owner.as_str());
        self.records = self.records.saturating_add(chain.records);
        let end = match &chain.end {
            Some(bytes) => AuditEnd::read(signer, owner, bytes)?,
            None => None,
        };
        if self.found.is_some() {
            self.ends.extend(end.map(|end| (owner.to_owned(), end)));
            return Ok(());
        }
        let start = match &chain.trimmed {
            Some(bytes) => AuditEnd::read_trimmed(signer, owner, bytes)?,
            None => Some(AuditEnd { number: 0, hash: beginning(signer, owner)? }),
        };
        let Some(start) = start else {
            self.ends.extend(end.map(|end| (owner.to_owned(), end)));
            self.find(owner, wrong(AuditFault::Changed, 1, "The signed beginning was altered, so nobody can tell which records were erased before it."));
            return Ok(());
        };
        let expected = self.expected.get(owner).copied();
        // Without a signed end the chain is walked all the same: an earlier fault says more.
        let upto = end.map_or(chain.last.unwrap_or(0), |end| end.number);
        let removed = upto.saturating_sub(start.number).saturating_sub(chain.records).max(0);
        let walk = Walk { store: self.store, audit_signer: signer, owner, end, upto, removed };
        let (last, found) = walk.walk(start, expected, beginnings).await?;
        // A walk begins where the signed beginning says; what stands before it is counted alone.
        let before = (chain.records > upto.saturating_sub(start.number))
            .then(|| wrong(AuditFault::Changed, start.number.max(1), "There are records from before the signed beginning, where all were erased: somebody else wrote them."));
        if let Some(found) = found.or_else(|| ending(last, end, chain.last, expected)).or(before) {
            self.find(owner, found);
        }
        self.ends.extend(end.or((last.number > 0).then_some(last)).map(|end| (owner.to_owned(), end)));
        Ok(())
    }

    fn verdict(mut self, owner: Option<&str>) -> AuditVerdict {
        let first = self.ends.remove(owner.unwrap_or(STORE_CHAIN));
        let chains = self.ends.into_iter().map(|(owner, end)| AuditChainHead { owner, number: end.number.unsigned_abs(), hash: hex(end.hash) }).collect();
        let head = first.map(|end| AuditHead { number: end.number.unsigned_abs(), hash: hex(end.hash), owner: owner.map(str::to_owned), chains });
        let records = self.records.unsigned_abs();
        match self.found {
            None if owner.is_some() && head.is_none() => {
                AuditVerdict { intact: true, records, head, fault: None, owner: None, at: None, reason: "Nothing was recorded of this owner.".into() }
            }
            None => AuditVerdict { intact: true, records, head, fault: None, owner: None, at: None, reason: "Every record is as it was written, and none is missing.".into() },
            Some((whose, w)) => {
                let owner = Some(whose).filter(|whose| whose != STORE_CHAIN);
                AuditVerdict { intact: false, records, head, fault: Some(w.fault), owner, at: Some(w.at.unsigned_abs()), reason: w.reason }
            }
        }
    }
}

/// The chain is whole up to `last`; does it end where it should?
fn ending(last: AuditEnd, end: Option<AuditEnd>, newest: Option<i64>, expected: Option<AuditEnd>) -> Option<Wrong> {
    let next = last.number.saturating_add(1);
    match end {
        None => return Some(wrong(AuditFault::TailMissing, next, "The signed end is gone or was altered, so nobody can tell whether records after this were cut off.")),
        Some(end) if end.number > last.number => {
            return Some(wrong(AuditFault::TailMissing, next, format!("The chain ended at record {}; what came from record {next} on is gone.", end.number)));
        }
        Some(end) if end != last => return Some(wrong(AuditFault::Changed, last.number, "The last record is not the one the signed end names.")),
        Some(end) if newest.is_some_and(|newest| newest > end.number) => {
            return Some(wrong(AuditFault::Changed, end.number.saturating_add(1), "There are records after the signed end: the end was put back, or somebody else wrote them."));
        }
        Some(_) => {}
    }
    expected.filter(|expected| expected.number > last.number).map(|expected| {
        wrong(AuditFault::TailMissing, next, format!("There were {} records when the expected end was noted. The chain was cut off, or an older copy of the store was put in its place.", expected.number))
    })
}

struct Walk<'a, S: ?Sized> {
    store: &'a S,
    audit_signer: &'a dyn AuditSigner,
    owner: &'a str,
    end: Option<AuditEnd>,
    upto: i64,
    /// Records fewer than the signed end counts.
    removed: i64,
}

const REWRITTEN: &str = "This record is another than when the expected end was noted: the log was written anew, or it is another store's.";

impl<S: AuditStore + Sync + ?Sized> Walk<'_, S> {
    async fn rows(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>> {
        self.store.audit_rows(Some(self.owner), after, limit).await
    }

    /// Answers the last good record, and what is wrong after it.
    async fn walk(&self, start: AuditEnd, expected: Option<AuditEnd>, mut beginnings: Option<&mut Beginnings>) -> Result<(AuditEnd, Option<Wrong>)> {
        let is_another = |last: AuditEnd| expected.is_some_and(|expected| expected.number == last.number && expected.hash != last.hash);
        let mut last = start;
        if is_another(last) {
            return Ok((last, Some(wrong(AuditFault::Changed, last.number, REWRITTEN))));
        }
        let (mut after, mut position) = (i64::MIN, i64::MIN);
        loop {
            let rows = self.rows(after, PAGE).await?;
            let Some(end_of_page) = rows.last().map(|row| row.number) else { return Ok((last, None)) };
            for (at, row) in rows.iter().enumerate() {
                if row.number > self.upto {
                    return Ok((last, None));
                }
                let number = last.number.saturating_add(1);
                if row.number != number {
                    return Ok((last, Some(gap(row, number))));
                }
                let hash = row.hash_as(self.audit_signer, number, &last.hash)?;
                if row.hash != hash {
                    let next = match rows.get(at + 1) {
                        Some(next) => Some(next.clone()),
                        None => self.rows(number, 1).await?.pop(),
                    };
                    return Ok((last, Some(self.explain(row, next.as_ref(), last).await?)));
                }
                if row.position <= position {
                    return Ok((last, Some(wrong(AuditFault::Swapped, number, format!("Record {number} is listed before the one that it came after.")))));
                }
                if let Some(beginnings) = &mut beginnings {
                    beginnings.note(row);
                }
                (last, position) = (AuditEnd { number, hash }, row.position);
                if is_another(last) {
                    return Ok((last, Some(wrong(AuditFault::Changed, number, REWRITTEN))));
                }
            }
            after = end_of_page;
        }
    }

    /// A record whose hash does not fit its place: another one's place, the gap closed behind one that was taken out, or changed.
    async fn explain(&self, row: &AuditRow, next: Option<&AuditRow>, last: AuditEnd) -> Result<Wrong> {
        let number = last.number.saturating_add(1);
        if let Some(place) = self.place_of(row, last).await? {
            return Ok(wrong(AuditFault::Swapped, number, format!("Record {number} stands in the place of record {place}.")));
        }
        if self.removed > 0 {
            // Renumbered after something was taken out: then the records from here on still fit one another under their old numbers.
            let fits = match next.filter(|next| next.number <= self.upto) {
                Some(next) => next.hash_as(self.audit_signer, next.number.saturating_add(self.removed), &row.hash)?.as_slice() == next.hash,
                None => self.end.is_some_and(|end| end.hash.as_slice() == row.hash),
            };
            if fits {
                return Ok(wrong(AuditFault::Missing, number, format!("Record {number} is gone, and those after it were given other numbers.")));
            }
        }
        Ok(wrong(AuditFault::Changed, number, format!("Record {number} is not as it was written.")))
    }

    /// Where the record that belongs after `last` stands instead. Its own hash came along, or it stayed behind and the other place does not fit either.
    async fn place_of(&self, row: &AuditRow, last: AuditEnd) -> Result<Option<i64>> {
        let number = last.number.saturating_add(1);
        let (mut after, mut before) = (number, row.hash.clone());
        loop {
            let rows = self.rows(after, PAGE).await?;
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

fn gap(row: &AuditRow, number: i64) -> Wrong {
    if row.number < number {
        return wrong(AuditFault::Changed, number, "There is a record with a number that is never given, or that was erased.");
    }
    wrong(AuditFault::Missing, number, format!("Record {number} is gone; the next one there is {}.", row.number))
}
