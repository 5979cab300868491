//! Facts that health is judged by.

use super::*;
use crate::error::ErrorKind;

pub fn health_is_the_last_success_and_what_failed_since(s: &dyn Store) {
    connect(s, "a");
    assert_eq!(s.health("a").unwrap(), HealthRow::default());
    let failed = |at, kind| HealthError { at, kind, reason: "in words".into() };
    s.note_failure("a", &failed(5, ErrorKind::Network)).unwrap();
    assert_eq!(s.health("a").unwrap(), HealthRow { last_success_at: None, error: Some(failed(5, ErrorKind::Network)) });
    s.note_success("a", 6).unwrap();
    assert_eq!(s.health("a").unwrap(), HealthRow { last_success_at: Some(6), error: None });
    s.note_failure("a", &failed(7, ErrorKind::NeedsReconnect)).unwrap();
    s.note_failure("a", &failed(8, ErrorKind::Internal)).unwrap();
    assert_eq!(s.health("a").unwrap(), HealthRow { last_success_at: Some(6), error: Some(failed(8, ErrorKind::Internal)) });
    // Of an account that is gone nothing is kept.
    s.note_success("b", 9).unwrap();
    s.note_failure("b", &failed(9, ErrorKind::Network)).unwrap();
    assert_eq!(s.health("b").unwrap(), HealthRow::default());
}
