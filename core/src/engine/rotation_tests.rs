#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! Keys that are due, as an engine that runs replaces them: in slices, with time between them.

use super::audit_tests::{clock, engine, fill};
use super::*;
use crate::error::Error;
use crate::store::KeyPurpose;
use crate::vault::Slice;
use std::collections::HashSet;

const DAY: u64 = 86_400_000;
const MINUTE: u64 = 60_000;

async fn data_keys(engine: &Engine) -> HashSet<i64> {
    let keys = engine.inner.store.live_keys().await.unwrap().into_iter();
    keys.filter(|key| matches!(key.purpose, KeyPurpose::Secrets | KeyPurpose::Content)).map(|key| key.id).collect()
}

#[tokio::test]
async fn keys_that_are_all_due_on_one_day_are_replaced_one_slice_after_another() {
    let dir = tempfile::tempdir().unwrap();
    let time = clock();
    let engine = engine(&dir.path().join("store"), &time);
    for n in 0..40 {
        fill(&engine, &format!("acc_{n}"), &format!("owner {n}"), 0).await;
    }
    let before = data_keys(&engine).await;
    let left = async || before.intersection(&data_keys(&engine).await).count();
    assert_eq!((before.len(), left().await), (80, 80));
    time.advance(91 * DAY);
    while left().await > 16 {
        tokio::task::yield_now().await;
    }
    // The slice is over; the next one has its time.
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert_eq!(left().await, 16);
    }
    while left().await > 0 {
        time.advance(MINUTE);
        tokio::task::yield_now().await;
    }
    engine.shutdown().await;
}

#[test]
fn a_slice_is_followed_by_the_next_one_the_same_day() {
    let after = |has_more| retention::until_next_look(&Ok(Slice { has_more, ..Slice::default() })).as_secs();
    assert_eq!((after(true), after(false)), (600, 86_400));
    assert_eq!(retention::until_next_look(&Err(Error::internal("no"))).as_secs(), 900);
}
