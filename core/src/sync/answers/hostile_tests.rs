#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! Reports and replies by whoever can send a mail here: of any size and form, read in bounded time and to a bounded result.

use super::proof::{Form, MOST_RECIPIENTS, form, named, origin};
use super::report;
use crate::graph::MailHeaders;

/// Bytes of a message that are read of a report.
const LARGEST: usize = 1 << 20;

fn headers(lines: &[(&str, &str)]) -> MailHeaders {
    MailHeaders { class: String::new(), lines: lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
}

fn to_size(text: &str) -> String {
    text.repeat(LARGEST / text.len())
}

const NAMES: [&str; 10] = ["Content-Type", "Auto-Submitted", "X-Failed-Recipients", "In-Reply-To", "References", "X-Auto-Response-Suppress", "Precedence", "Authentication-Results", "X-MS-Exchange-Organization-AuthAs", "X-Autoreply"];

fn read_lines_of(long: &[String]) {
    for value in long {
        let lines: Vec<(&str, &str)> = NAMES.iter().map(|name| (*name, value.as_str())).collect();
        let headers = headers(&lines);
        let (form, named) = (form(&headers), named(&headers));
        origin(&headers);
        assert!(named.len() <= 50, "{}", named.len());
        if let Form::PlainReport { recipients } = form {
            assert!(recipients.len() <= MOST_RECIPIENTS, "{}", recipients.len());
        }
    }
}

#[test]
fn header_lines_of_any_length_are_read() {
    read_lines_of(&[to_size("a@b.example "), to_size("<a@b.example>"), to_size(","), to_size(";"), to_size("(")]);
}

#[test]
fn header_lines_of_any_form_are_read() {
    read_lines_of(&[ to_size("\""), to_size("="), to_size("=?utf-8?Q?"), to_size("\r\n "), to_size("\u{0}"), to_size("é"), to_size("multipart/report; report-type=delivery-status;")]);
}

#[test]
fn many_header_lines_are_read() {
    let lines: Vec<(&str, &str)> = (0..100_000).map(|n| (NAMES[n % NAMES.len()], ["", "<a@b.example>", "auto-replied", "x"][n % 4])).collect();
    let headers = headers(&lines);
    form(&headers);
    origin(&headers);
    assert_eq!(named(&headers), ["a@b.example"]);
}

#[test]
fn failed_recipients_are_told_within_bounds() {
    let list: String = (0..10_000).map(|n| format!("a{n}@contoso.com, ")).collect();
    let odd = format!("{}@contoso.com, nobody, a\u{7}@contoso.com, ann@contoso.com", "x".repeat(400));
    for (value, count) in [(list.as_str(), MOST_RECIPIENTS), (odd.as_str(), 1)] {
        let Form::PlainReport { recipients } = form(&headers(&[("Auto-Submitted", "auto-replied"), ("X-Failed-Recipients", value)])) else { panic!("{value}") };
        assert_eq!(recipients.len(), count);
    }
}

const HEAD: &str = "Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n";
const FIELDS: &str = "Final-Recipient: rfc822;ann@contoso.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n";

fn status(fields: &str) -> String {
    format!("{HEAD}--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns;x\r\n\r\n{fields}\r\n--b--\r\n")
}

#[test]
fn reports_of_any_form_are_read_within_bounds() {
    let part = |kind: &str, content: &str| format!("--b\r\nContent-Type: {kind}\r\n\r\n{content}\r\n");
    let nested: String = (0..5_000).map(|n| format!("Content-Type: multipart/mixed; boundary=\"n{n}\"\r\n\r\n--n{n}\r\n")).collect();
    let unclosed: String = (0..5_000).map(|n| format!("--b\r\nContent-Type: multipart/mixed; boundary=\"n{n}\"\r\n\r\n")).collect();
    for (what, mime, found) in [
        ("many recipients", status(&to_size(FIELDS)), Some(MOST_RECIPIENTS)),
        ("many groups that say nothing", status(&to_size("X: y\n\n")), None),
        ("nothing but line breaks", status(&to_size("\n")), None),
        ("many fields", status(&format!("{}{FIELDS}", to_size("X-Y: z\r\n"))), Some(1)),
        ("a field of a megabyte", status(&format!("Diagnostic-Code: smtp;{}\r\n{FIELDS}", to_size("x"))), Some(1)),
        ("an address of a megabyte", status(&format!("Final-Recipient: rfc822;{}@contoso.com\r\nAction: failed\r\n\r\n{FIELDS}", to_size("x"))), Some(1)),
        ("many header lines", format!("{}{}", to_size("X-Y: z\r\n"), status(FIELDS)), Some(1)),
        ("many parts", format!("{HEAD}{}", to_size(&part("message/delivery-status", FIELDS))), Some(MOST_RECIPIENTS)),
        ("many mails that came back", format!("{HEAD}{}{}", part("message/delivery-status", FIELDS), to_size(&part("message/rfc822", "Subject: x\r\n\r\nx"))), Some(1)),
        ("many headers that came back", format!("{HEAD}{}{}", part("message/delivery-status", FIELDS), to_size(&part("text/rfc822-headers", "Subject: x\r\n"))), Some(1)),
        ("mails in mails", format!("{HEAD}{}--b\r\n{}", part("message/delivery-status", FIELDS), "Content-Type: message/rfc822\r\n\r\n".repeat(20_000)), Some(1)),
        ("two types", format!("{HEAD}--b\r\nContent-Type: message/rfc822\r\nContent-Type: message/delivery-status\r\n\r\n{}", "Content-Type: message/rfc822\r\n\r\n".repeat(20_000)), None),
        ("two types the other way round", format!("{HEAD}--b\r\nContent-Type: message/delivery-status\r\nContent-Type: message/rfc822\r\n\r\n{}", "Content-Type: message/rfc822\r\n\r\n".repeat(20_000)), None),
        ("mails in a digest", format!("{HEAD}--b\r\n{}", "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n".repeat(10_000)), None),
        ("parts in parts", format!("{HEAD}{}--b\r\n{nested}", part("message/delivery-status", FIELDS)), Some(1)),
        ("parts that never begin", format!("{HEAD}{}{unclosed}", part("message/delivery-status", FIELDS)), Some(1)),
        ("the same boundary", format!("{HEAD}--b\r\n{HEAD}{}", part("message/delivery-status", FIELDS)), Some(1)),
        ("boundaries alone", format!("{HEAD}{}", to_size("--b\r\n")), None),
        ("base64", format!("{HEAD}--b\r\nContent-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--", to_size("/////")), None),
        ("no boundary", HEAD.replace("; boundary=\"b\"", ""), None),
        ("an empty boundary", HEAD.replace("\"b\"", "\"\""), None),
        ("a long boundary", format!("Content-Type: multipart/report; report-type=delivery-status; boundary=\"{}\"\r\n\r\n", to_size("b")), None),
        ("no content type", "\r\n\r\nx".to_owned(), None),
        ("a type of another report", HEAD.replace("delivery-status", "disposition-notification"), None),
        ("quotes", format!("Content-Type: multipart/report; report-type=\"{}", to_size("\\\"")), None),
        ("comments", format!("Content-Type: {}multipart/report", to_size("(")), None),
        ("parameters in pieces", format!("Content-Type: multipart/report; {}", (0..40_000).map(|n| format!("report-type*{n}=d; ")).collect::<String>()), None),
    ] {
        let report = report::read(&mime.as_bytes()[..mime.len().min(LARGEST)]);
        let count = report.as_ref().map(|report| report.recipients.len());
        // What is cut off after the first megabyte may hold the recipients.
        assert!(count == found || (count.is_none() && mime.len() > LARGEST) || count.is_some_and(|n| n <= MOST_RECIPIENTS && mime.len() > LARGEST), "{what}: {count:?}");
        for recipient in report.into_iter().flat_map(|report| report.recipients) {
            assert!(recipient.address.len() <= 320 && recipient.reason.is_none_or(|reason| reason.chars().count() <= 500), "{what}");
        }
    }
}
