//! Facts that health is judged by.

use super::*;
use crate::error::ErrorKind;

pub async fn health_is_the_last_success_and_what_failed_since(s: &dyn Store) {
    connect(s, "a").await;
    assert_eq!(s.health("a").await.unwrap(), HealthRow::default());
    let failed = |at, kind| HealthError { at, kind, reason: "in words".into() };
    s.note_sync("a", &Err(failed(5, ErrorKind::Network))).await.unwrap();
    assert_eq!(s.health("a").await.unwrap(), HealthRow { last_success_at: None, error: Some(failed(5, ErrorKind::Network)) });
    s.note_sync("a", &Ok(6)).await.unwrap();
    assert_eq!(s.health("a").await.unwrap(), HealthRow { last_success_at: Some(6), error: None });
    s.note_sync("a", &Err(failed(7, ErrorKind::NeedsReconnect))).await.unwrap();
    s.note_sync("a", &Err(failed(8, ErrorKind::Internal))).await.unwrap();
    assert_eq!(s.health("a").await.unwrap(), HealthRow { last_success_at: Some(6), error: Some(failed(8, ErrorKind::Internal)) });
    // Of an account that is gone nothing is kept.
    s.note_sync("b", &Ok(9)).await.unwrap();
    s.note_sync("b", &Err(failed(9, ErrorKind::Network))).await.unwrap();
    assert_eq!(s.health("b").await.unwrap(), HealthRow::default());
}
