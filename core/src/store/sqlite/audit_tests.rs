#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! The audit log in transactions that several steps share: each chain's end is signed once, and a step that fails leaves nothing in it.

use super::tests::{Made, commits, made};
use super::*;
use crate::error::{Error, Result};
use crate::model::AuditKind;
use crate::runtime::block_on;
use crate::store::suite::{self, Clerk};
use crate::store::{AuditEnd, AuditStore, Entry, STORE_CHAIN, beginning};
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;

type StepOf<T> = BoxFuture<'static, Result<T>>;

/// Runs the steps so that all of them have come before the first of them begins: they share a transaction.
async fn together<T: Send + 'static>(store: &SqliteStore, steps: Vec<StepOf<T>>) -> Vec<Result<T>> {
    let count = steps.len();
    let alone = store.writer.alone();
    let running: Vec<_> = steps.into_iter().map(tokio::spawn).collect();
    while store.writer.waiting() < count {
        tokio::task::yield_now().await;
    }
    drop(alone);
    let mut outcomes = Vec::new();
    for one in running {
        outcomes.push(one.await.unwrap());
    }
    outcomes
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

#[tokio::test]
async fn steps_that_share_a_transaction_sign_each_end_once() {
    let made = with_chains(&["own_a", "own_b"]);
    let before = commits(made.dir.path());
    let step = |n: usize| -> StepOf<(&'static str, Vec<u8>)> {
        let (store, owner) = (made.store.clone(), if n.is_multiple_of(2) { "own_a" } else { "own_b" });
        Box::pin(async move {
            let noting = store.clone();
            let note = move |tx: &Connection| {
                noting.note(tx, &[read(owner)], 2)?;
                Ok((owner, signed_end(tx, owner)))
            };
            store.write(note).await
        })
    };
    let seen: BTreeSet<_> = together(&made.store, (0..64).map(step).collect()).await.into_iter().map(|one| one.unwrap()).collect();
    // The end stayed the one that was signed before, for all of them.
    assert_eq!(seen.len(), 2);
    assert_eq!(commits(made.dir.path()), before + 1);
    assert_eq!(proven(&made.store), [("".into(), 3), ("own_a".into(), 33), ("own_b".into(), 33)]);
}

/// One write to the disk for all who read content at the same time.
#[tokio::test]
async fn content_that_is_read_at_the_same_time_is_recorded_in_one_transaction() {
    let made = made();
    suite::connect(&made.store, "a").await;
    let before = commits(made.dir.path());
    let step = |_| -> StepOf<()> {
        let store = made.store.clone();
        Box::pin(async move { store.record(&[Entry::new(AuditKind::ContentRead, "read").on("a")], 2).await })
    };
    assert!(together(&made.store, (0..64).map(step).collect()).await.into_iter().all(|one| one.is_ok()));
    assert_eq!(commits(made.dir.path()), before + 1);
    assert_eq!(proven(&made.store), [("".into(), 2), ("own_5".into(), 65)]);
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_in_a_chain() {
    let made = with_chains(&["own_a"]);
    let step = |n: usize| -> StepOf<()> {
        let store = made.store.clone();
        Box::pin(async move {
            let noting = store.clone();
            let note = move |tx: &Connection| {
                // Every third step fails, one of them with a chain that it began.
                let owner = if n % 10 == 9 { "own_new" } else { "own_a" };
                noting.note(tx, &[read(owner)], 2)?;
                match n % 6 {
                    3 => Err(Error::invalid("no").into()),
                    5 => panic!("a defect"),
                    _ => Ok(()),
                }
            };
            store.write(note).await
        })
    };
    let outcomes = together(&made.store, (0..60).map(step).collect()).await;
    assert_eq!(outcomes.iter().filter(|one| one.is_ok()).count(), 40);
    let records = proven(&made.store);
    let (owned, own): (Vec<_>, Vec<_>) = records.iter().partition(|(owner, _)| owner.starts_with("own_"));
    assert_eq!(owned.iter().map(|(_, records)| records).sum::<i64>(), 41);
    // What says that a chain was begun is there once for each that is.
    assert_eq!(own[0].1, 1 + owned.len() as i64);
}

#[tokio::test]
async fn a_chain_that_only_a_failing_step_began_is_not_there() {
    let made = with_chains(&["own_a"]);
    let fails = || -> StepOf<()> {
        let store = made.store.clone();
        Box::pin(async move {
            let noting = store.clone();
            let note = move |tx: &Connection| {
                noting.note(tx, &[read("own_new")], 2)?;
                Err::<(), _>(Error::invalid("no").into())
            };
            store.write(note).await
        })
    };
    // As the first of a transaction, and as one of several.
    assert!(fails().await.is_err());
    let store = made.store.clone();
    let comes_off: StepOf<()> = Box::pin(async move { store.record(&[read("own_a")], 2).await });
    let outcomes = together(&made.store, vec![fails(), comes_off, fails()]).await;
    assert_eq!(outcomes.into_iter().filter(|one| one.is_ok()).count(), 1);
    assert_eq!(proven(&made.store), [("".into(), 2), ("own_a".into(), 2)]);
}

/// The whole transaction is taken back where an end cannot be signed: nobody is told that his step is done.
#[test]
fn no_end_no_step() {
    let made = with_chains(&["own_a"]);
    let before = block_on(made.store.audit_rows(None, 0, 100)).unwrap();
    let lost = made.store.write_here(|tx| {
        made.store.note(tx, &[read("own_a")], 2)?;
        tx.execute_batch("ALTER TABLE audit_chains RENAME TO gone")?;
        Ok(())
    });
    assert!(lost.is_err());
    assert_eq!(block_on(made.store.audit_rows(None, 0, 100)).unwrap(), before);
    block_on(made.store.record(&[read("own_a")], 3)).unwrap();
    assert_eq!(proven(&made.store), [(STORE_CHAIN.into(), 2), ("own_a".into(), 2)]);
}
