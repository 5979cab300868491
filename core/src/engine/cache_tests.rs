#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! The cache of attachments. Nobody answers for Microsoft here: what is read comes from disk.

use super::audit_tests::{clock, config, engine_of, fill, first_message};
use super::*;
use crate::error::ErrorKind;
use crate::store::{CachePlace, tamper};
use crate::sync::listed_in;
use std::path::Path;

const SIZE: usize = 1_300_000;

fn with_cache(dir: &Path, clock: &Arc<TestClock>, megabytes: u32) -> Engine {
    engine_of(Config { attachment_cache_mb: megabytes, ..config(dir) }, clock)
}

fn content() -> Vec<u8> {
    (0..SIZE).map(|n| (n % 251) as u8).collect()
}

/// The attachment of a message.
async fn place(engine: &Engine) -> (Message, CachePlace) {
    let message = first_message(engine).await;
    let place = listed_in(&message, &message.attachments[0]).unwrap();
    (message, place)
}

/// Read from the mailbox in two pieces; the first is handed in twice, as after a cancelled wait.
async fn read_once(engine: &Engine, place: &CachePlace) -> bool {
    let mut filling = engine.inner.cache.fill(place.clone(), Some(SIZE as u64)).unwrap();
    let content = content();
    let (first, rest) = content.split_at(700_000);
    filling.add(0, first, false).await && filling.add(0, first, false).await && filling.add(700_000, rest, true).await
}

async fn pieces(engine: &Engine, message: &Message) -> Result<Vec<Vec<u8>>> {
    let content = engine.attachment(message.id.clone(), "file".into(), None).await?;
    assert_eq!((content.name().as_str(), content.content_type().as_str(), content.size()), ("cv.pdf", "application/pdf", Some(SIZE as u64)));
    let mut pieces = Vec::new();
    while let Some(piece) = content.next().await? {
        pieces.push(piece);
    }
    Ok(pieces)
}

async fn times_read(engine: &Engine) -> usize {
    engine.audit(1000, None, None).await.unwrap().items.iter().filter(|record| record.detail == "An attachment was read.").count()
}

#[tokio::test]
async fn what_was_read_to_its_end_is_served_without_the_mailbox() {
    let dir = tempfile::tempdir().unwrap();
    let (store, time) = (dir.path().join("store"), clock());
    let engine = with_cache(&store, &time, 8);
    fill(&engine, "acc_a", "owner", 1).await;
    let (message, place) = place(&engine).await;
    assert!(read_once(&engine, &place).await);
    let read = pieces(&engine, &message).await.unwrap();
    assert_eq!((read.len(), read.concat() == content()), (3, true));
    let whole = engine.attachment(message.id.clone(), "file".into(), Some("owner".into())).await.unwrap();
    assert!(whole.body().await.unwrap() == content());
    assert_eq!(times_read(&engine).await, 2);
    assert_eq!(engine.attachment(message.id.clone(), "file".into(), Some("another".into())).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Another handle of the store serves it too, and goes along with new keys.
    let other = with_cache(&store, &time, 8);
    assert!(engine.rotate_keys(KeyRotation::default()).await.unwrap().data_keys > 0);
    assert!(pieces(&other, &message).await.unwrap().concat() == content());
    // As a body, it stays after a disconnect.
    engine.disconnect("acc_a".into(), None).await.unwrap();
    assert!(pieces(&other, &message).await.unwrap().concat() == content());
    other.shutdown().await;
    // Without the setting nothing is served, and nothing stays.
    engine.shutdown().await;
    let without = with_cache(&store, &time, 0);
    assert_eq!(pieces(&without, &message).await.unwrap_err().kind(), ErrorKind::NotConnected);
    without.inner.retention.sweep_once().await;
    without.shutdown().await;
    let again = with_cache(&store, &time, 8);
    assert!(again.inner.cache.find(&place).await.is_none());
    again.shutdown().await;
}

#[tokio::test]
async fn a_content_up_to_a_megabyte_is_one_piece_from_disk_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let engine = with_cache(&dir.path().join("store"), &clock(), 8);
    fill(&engine, "acc_a", "owner", 1).await;
    let (message, place) = place(&engine).await;
    let small = &content()[..700_000];
    assert!(engine.inner.cache.fill(place, Some(700_000)).unwrap().add(0, small, true).await);
    let read = engine.attachment(message.id, "file".into(), None).await.unwrap();
    assert!(read.next().await.unwrap().unwrap() == small);
    assert_eq!(read.next().await.unwrap(), None);
    engine.shutdown().await;
}

#[tokio::test]
async fn what_the_cache_loses_is_read_from_the_mailbox() {
    let dir = tempfile::tempdir().unwrap();
    let (store, time) = (dir.path().join("store"), clock());
    let engine = with_cache(&store, &time, 8);
    fill(&engine, "acc_a", "owner", 1).await;
    let (message, place) = place(&engine).await;
    assert!(read_once(&engine, &place).await);
    engine.disconnect("acc_a".into(), None).await.unwrap();
    // Gone while it is read.
    let content = engine.attachment(message.id.clone(), "file".into(), None).await.unwrap();
    assert!(content.next().await.unwrap().is_some());
    let id = engine.inner.store.cached(&place, 0).await.unwrap().unwrap().id;
    engine.inner.store.drop_cached(&id).await.unwrap();
    assert_eq!(content.next().await.unwrap_err().kind(), ErrorKind::NotConnected, "the mailbox was asked");
    // A piece that is not the one for its place is served to nobody, and the content is dropped.
    assert!(read_once(&engine, &place).await);
    engine.shutdown().await;
    tamper(&store, "UPDATE cached_pieces SET part = 9 WHERE part = 1; UPDATE cached_pieces SET part = 1 WHERE part = 2; UPDATE cached_pieces SET part = 2 WHERE part = 9");
    let engine = with_cache(&store, &time, 8);
    let content = engine.attachment(message.id.clone(), "file".into(), None).await.unwrap();
    assert!(content.next().await.unwrap().is_some());
    assert_eq!(content.next().await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(engine.inner.cache.find(&place).await.is_none());
    engine.shutdown().await;
}

#[tokio::test]
async fn what_breaks_off_is_served_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let engine = with_cache(&dir.path().join("store"), &clock(), 8);
    fill(&engine, "acc_a", "owner", 1).await;
    let (message, place) = place(&engine).await;
    let mut filling = engine.inner.cache.fill(place.clone(), None).unwrap();
    assert!(filling.add(0, &content(), false).await);
    // A second reader stores nothing beside the first, and is served by the mailbox.
    assert!(!read_once(&engine, &place).await);
    assert!(engine.inner.cache.find(&place).await.is_none());
    filling.give_up().await;
    assert!(!filling.add(SIZE as u64, b"more", false).await);
    assert!(engine.inner.cache.find(&place).await.is_none());
    // Both at once: one stores it.
    let (one, two) = tokio::join!(read_once(&engine, &place), read_once(&engine, &place));
    assert!(one || two);
    assert!(pieces(&engine, &message).await.unwrap().concat() == content());
    // Larger than all that may be kept, and what a draft or a mailbox alone can tell.
    assert!(engine.inner.cache.fill(place.clone(), Some(9 << 20)).is_none());
    let file = &message.attachments[0];
    assert!(listed_in(&Message { is_draft: true, ..message.clone() }, file).is_none());
    assert!(listed_in(&message, &AttachmentInfo { kind: AttachmentKind::Reference, ..file.clone() }).is_none());
    assert!(listed_in(&message, &AttachmentInfo { content_type: String::new(), ..file.clone() }).is_none());
    // An empty content is one as well.
    let empty = CachePlace { attachment_id: "empty".into(), ..place.clone() };
    assert!(engine.inner.cache.fill(empty.clone(), Some(0)).unwrap().add(0, &[], true).await);
    assert!(engine.inner.cache.find(&empty).await.is_some_and(|(hit, first)| hit.is_over() && first.is_empty()));
    engine.purge(PurgeRequest { account_id: Some("acc_a".into()), owner: None }).await.unwrap();
    assert!(engine.inner.cache.find(&place).await.is_none());
    engine.shutdown().await;
}
