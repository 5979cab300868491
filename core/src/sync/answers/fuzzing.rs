//! Reports and replies as strangers write them.

use super::proof::{Form, MOST_RECIPIENTS, form, is_address, named, origin};
use super::report;
use crate::graph::MailHeaders;

/// A message: its header lines as they are told of one that is looked at, and all of it as it is read of a report.
pub fn bounce(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers = MailHeaders { lines: lines.collect(), class: text.split(' ').next().unwrap_or_default().to_owned() };
    let is_own = origin(&headers).vouches_for("ann@contoso.com") && !text.contains('.');
    assert!(!is_own || text.to_ascii_lowercase().contains("authas"), "somebody vouches for what nobody sent");
    assert!(named(&headers).len() <= 50, "more Message-IDs than are looked up");
    if let Form::PlainReport { recipients } = form(&headers) {
        assert!(recipients.len() <= MOST_RECIPIENTS && recipients.iter().all(|one| is_address(one)), "{recipients:?}");
    }
    let Some(report) = report::read(bytes) else { return };
    assert!((1..=MOST_RECIPIENTS).contains(&report.recipients.len()), "{} recipients", report.recipients.len());
    for one in report.recipients {
        assert!(is_address(&one.address) && one.status.len() <= 11, "{one:?}");
        assert!(one.reason.is_none_or(|reason| reason.chars().count() <= 500 && !reason.chars().any(char::is_control)), "a reason that cannot be shown");
    }
}
