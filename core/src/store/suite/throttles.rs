//! What is kept of the limits of mailboxes for the next process.

use super::*;
use crate::throttle::{RequestsMade, Throttle};

const HOUR: i64 = 3_600_000;

fn row(user: &str, service: &str, until: i64) -> Throttle {
    Throttle { client_id: "app".into(), tenant_id: "t".into(), user_id: user.into(), service: service.into(), until, made: None }
}

fn of_sign_in(account: &str, until: i64) -> Throttle {
    Throttle { client_id: String::new(), tenant_id: String::new(), user_id: account.into(), service: "sign_in".into(), until, made: None }
}

pub async fn a_throttle_holds_until_its_time(s: &dyn Store) {
    connect(s, "a").await;
    let mail = row("user-a", "outlook", 5_000);
    s.keep_throttles(&[mail.clone(), row("user-a", "teams", 2_000), row("user-x", "outlook", 5_000), of_sign_in("a", 3_000), of_sign_in("x", 3_000)], 1_000, HOUR).await.unwrap();
    s.keep_throttles(&[row("user-a", "outlook", 4_000)], 1_000, HOUR).await.unwrap();
    assert_eq!(s.throttles(1_999, HOUR).await.unwrap(), [row("user-a", "teams", 2_000), of_sign_in("a", 3_000), mail.clone()], "the later one stays, and nothing of strangers");
    assert_eq!(s.throttles(2_000, HOUR).await.unwrap(), [of_sign_in("a", 3_000), mail.clone()]);
    assert_eq!(s.throttles(0, HOUR).await.unwrap(), [of_sign_in("a", 3_000), mail], "what is over is erased");
}

pub async fn a_throttle_of_a_clock_that_stood_ahead_holds_nobody(s: &dyn Store) {
    connect(s, "a").await;
    s.keep_throttles(&[row("user-a", "outlook", 900 * HOUR)], 899 * HOUR, HOUR).await.unwrap();
    // It does not outlast one that is noted by the right time.
    s.keep_throttles(&[row("user-a", "outlook", 7 * HOUR)], 6 * HOUR, HOUR).await.unwrap();
    assert_eq!(s.throttles(6 * HOUR, HOUR).await.unwrap(), [row("user-a", "outlook", 7 * HOUR)]);
    assert!(s.throttles(2 * HOUR, HOUR).await.unwrap().is_empty() && s.throttles(6 * HOUR, HOUR).await.unwrap().is_empty());
}

pub async fn throttles_go_with_the_last_account_of_a_mailbox(s: &dyn Store) {
    connect(s, "a").await;
    let shared = AccountRow { owner: "other".into(), user_id: "user-a".into(), ..account("b") };
    s.store_account(&shared, Some(&token("b", 1)), &[key(900, KeyPurpose::Secrets, "b"), key(901, KeyPurpose::Content, "b")], None, 10).await.unwrap();
    let noted = [row("user-a", "outlook", 5_000), of_sign_in("a", 5_000)];
    s.keep_throttles(&noted, 1_000, HOUR).await.unwrap();
    s.begin_purge(Purged::Account("a"), "purged", 1_000).await.unwrap();
    assert_eq!(s.throttles(1_000, HOUR).await.unwrap(), noted[..1], "the other account's");
    s.begin_purge(Purged::Owner("other"), "purged", 1_000).await.unwrap();
    assert!(s.throttles(1_000, HOUR).await.unwrap().is_empty());
    // An answer that comes after that.
    s.keep_throttles(&noted, 1_000, HOUR).await.unwrap();
    while s.erase_some("a", 100, 1_000).await.unwrap() {}
    s.keep_throttles(&noted, 1_000, HOUR).await.unwrap();
    assert!(s.throttles(1_000, HOUR).await.unwrap().is_empty());
}

pub async fn requests_are_kept_as_long_as_they_count(s: &dyn Store) {
    connect(s, "a").await;
    let made = |at, counts: &[u32]| Some(RequestsMade { at, counts: counts.to_vec() });
    let counted = |at, count| Throttle { made: made(at, &[0, 70_000, count]), ..row("user-a", "outlook", 0) };
    s.keep_throttles(&[counted(HOUR, 5)], HOUR, HOUR).await.unwrap();
    s.keep_throttles(&[counted(HOUR - 1, 4)], HOUR, HOUR).await.unwrap();
    assert_eq!(s.throttles(HOUR, HOUR).await.unwrap(), [counted(HOUR, 5)], "what was counted later stays");
    s.keep_throttles(&[row("user-a", "outlook", HOUR + 9_000)], HOUR, HOUR).await.unwrap();
    let both = Throttle { until: HOUR + 9_000, ..counted(HOUR, 5) };
    assert_eq!(s.throttles(2 * HOUR - 1, HOUR).await.unwrap(), [both]);
    assert!(s.throttles(2 * HOUR, HOUR).await.unwrap().is_empty(), "all of it is over");
    // By a clock that stood a year ahead, beside a Retry-After of the right time.
    s.keep_throttles(&[counted(9_000 * HOUR, 5)], 9_000 * HOUR, HOUR).await.unwrap();
    s.keep_throttles(&[row("user-a", "outlook", 2 * HOUR + 9_000)], 2 * HOUR, HOUR).await.unwrap();
    assert_eq!(s.throttles(2 * HOUR, HOUR).await.unwrap(), [row("user-a", "outlook", 2 * HOUR + 9_000)]);
}
