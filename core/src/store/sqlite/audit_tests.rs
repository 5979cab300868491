#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! The audit log in transactions that several steps share: each chain's end is signed once, and a step that fails leaves nothing in it.

use super::tests::{Made, commits, made};
use super::*;
use crate::error::Error;
use crate::model::AuditKind;
use crate::runtime::block_on;
use crate::store::suite::{self, Clerk};
use crate::store::{AuditEnd, AuditStore, Entry, STORE_CHAIN, beginning};
use std::collections::BTreeSet;

type StepOf<T> = Box<dyn FnOnce(&SqliteStore) -> T + Send>;

/// Runs the steps so that all of them have come before the first of them begins: they share a transaction.
fn together<T: Send>(store: &SqliteStore, steps: Vec<StepOf<T>>) -> Vec<std::thread::Result<T>> {
    let count = steps.len();
    std::thread::scope(|scope| {
        let alone = store.writer.alone();
        let running: Vec<_> = steps.into_iter().map(|step| scope.spawn(move || step(store))).collect();
        while store.writer.waiting() < count {
            std::thread::yield_now();
        }
        drop(alone);
        running.into_iter().map(|one| one.join()).collect()
    })
}

fn signed_end(c: &Connection, owner: &str) -> Vec<u8> {
    first(c, "SELECT signed_end FROM audit_chains WHERE owner = ?1", [owner], |row| Ok(row.get(0)?)).unwrap().unwrap()
}

fn read(owner: &str) -> Entry {
    Entry::new(AuditKind::ContentRead, "read").of(owner)
}

/// Every chain is whole, by its records and its end. Answers how many records each has.
fn proven(store: &SqliteStore) -> Vec<(String, i64)> {
    let chains = block_on(store.audit_chains(None)).unwrap();
    for chain in &chains {
        let mut end = AuditEnd { number: 0, hash: beginning(&Clerk, &chain.owner).unwrap() };
        for row in block_on(store.audit_rows(Some(&chain.owner), 0, 10_000)).unwrap() {
            end = AuditEnd { number: end.number + 1, hash: row.hash_as(&Clerk, end.number + 1, &end.hash).unwrap() };
            assert_eq!((row.number, row.hash), (end.number, end.hash.to_vec()), "{}", chain.owner);
        }
        assert_eq!(AuditEnd::read(&Clerk, &chain.owner, chain.end.as_ref().unwrap()).unwrap(), Some(end), "{}", chain.owner);
    }
    chains.into_iter().map(|chain| (chain.owner, chain.records)).collect()
}

fn with_chains(owners: &[&str]) -> Made {
    let made = made();
    for owner in owners {
        block_on(made.store.record(&[read(owner)], 1)).unwrap();
    }
    made
}

#[test]
fn steps_that_share_a_transaction_sign_each_end_once() {
    let made = with_chains(&["own_a", "own_b"]);
    let before = commits(made.dir.path());
    let steps = (0..64).map(|n| {
        let owner = if n % 2 == 0 { "own_a" } else { "own_b" };
        Box::new(move |store: &SqliteStore| {
            store
                .write(|tx| {
                    store.note(tx, &[read(owner)], 2)?;
                    Ok((owner, signed_end(tx, owner)))
                })
                .unwrap()
        }) as StepOf<(&'static str, Vec<u8>)>
    });
    let seen: BTreeSet<_> = together(&made.store, steps.collect()).into_iter().map(|one| one.unwrap()).collect();
    // The end stayed the one that was signed before, for all of them.
    assert_eq!(seen.len(), 2);
    assert_eq!(commits(made.dir.path()), before + 1);
    assert_eq!(proven(&made.store), [("".into(), 3), ("own_a".into(), 33), ("own_b".into(), 33)]);
}

/// One write to the disk for all who read content at the same time.
#[test]
fn content_that_is_read_at_the_same_time_is_recorded_in_one_transaction() {
    let made = made();
    block_on(suite::connect(&made.store, "a"));
    let before = commits(made.dir.path());
    let steps = (0..64).map(|_| Box::new(|store: &SqliteStore| block_on(store.record(&[Entry::new(AuditKind::ContentRead, "read").on("a")], 2)).unwrap()) as StepOf<()>);
    assert!(together(&made.store, steps.collect()).into_iter().all(|one| one.is_ok()));
    assert_eq!(commits(made.dir.path()), before + 1);
    assert_eq!(proven(&made.store), [("".into(), 2), ("own_5".into(), 65)]);
}

#[test]
fn a_step_that_fails_leaves_nothing_in_a_chain() {
    let made = with_chains(&["own_a"]);
    let steps = (0..60).map(|n| {
        Box::new(move |store: &SqliteStore| {
            store.write(|tx| {
                // Every third step fails, one of them with a chain that it began.
                let owner = if n % 10 == 9 { "own_new" } else { "own_a" };
                store.note(tx, &[read(owner)], 2)?;
                match n % 6 {
                    3 => Err(Error::invalid("no").into()),
                    5 => panic!("a defect"),
                    _ => Ok(()),
                }
            })
        }) as StepOf<Result<()>>
    });
    let outcomes = together(&made.store, steps.collect());
    let kept = outcomes.iter().filter(|one| matches!(one, Ok(Ok(())))).count();
    assert_eq!(kept, 40);
    let records = proven(&made.store);
    let (owned, own): (Vec<_>, Vec<_>) = records.iter().partition(|(owner, _)| owner.starts_with("own_"));
    assert_eq!(owned.iter().map(|(_, records)| records).sum::<i64>(), 41);
    // What says that a chain was begun is there once for each that is.
    assert_eq!(own[0].1, 1 + owned.len() as i64);
}

#[test]
fn a_chain_that_only_a_failing_step_began_is_not_there() {
    let made = with_chains(&["own_a"]);
    let fails = |store: &SqliteStore| {
        store.write(|tx| {
            store.note(tx, &[read("own_new")], 2)?;
            Err::<(), _>(Error::invalid("no").into())
        })
    };
    // As the first of a transaction, and as one of several.
    assert!(fails(&made.store).is_err());
    let outcomes = together(&made.store, vec![Box::new(fails), Box::new(|store: &SqliteStore| block_on(store.record(&[read("own_a")], 2))), Box::new(fails)]);
    assert_eq!(outcomes.into_iter().filter(|one| matches!(one, Ok(Ok(())))).count(), 1);
    assert_eq!(proven(&made.store), [("".into(), 2), ("own_a".into(), 2)]);
}

/// The whole transaction is taken back where an end cannot be signed: nobody is told that his step is done.
#[test]
fn no_end_no_step() {
    let made = with_chains(&["own_a"]);
    let before = block_on(made.store.audit_rows(None, 0, 100)).unwrap();
    let lost = made.store.write(|tx| {
        made.store.note(tx, &[read("own_a")], 2)?;
        tx.execute_batch("ALTER TABLE audit_chains RENAME TO gone")?;
        Ok(())
    });
    assert!(lost.is_err());
    assert_eq!(block_on(made.store.audit_rows(None, 0, 100)).unwrap(), before);
    block_on(made.store.record(&[read("own_a")], 3)).unwrap();
    assert_eq!(proven(&made.store), [(STORE_CHAIN.into(), 2), ("own_a".into(), 2)]);
}
