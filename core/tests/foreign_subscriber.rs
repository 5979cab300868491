//! A process that has a `tracing` subscriber of its own; it can be set once, so this test has a process to itself.

use tidings::{ErrorKind, LogLevel, logs};

#[test]
fn a_host_with_a_subscriber_of_its_own_is_told_where_the_records_are() {
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).expect("nobody was here before");
    for _ in 0..2 {
        let error = logs(LogLevel::Info).map(drop).expect_err("another subscriber is set");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.reason().contains("subscriber of its own"));
    }
}
