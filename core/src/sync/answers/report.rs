//! A report of a mail system in parts: who did not get the mail, why, and which mail it was. Sources: RFC 3462, RFC 3464, RFC 3463, RFC 6533.

use super::proof::{MOST_RECIPIENTS, is_address, is_report_type};
use crate::model::BounceKind;
use mail_parser::{Message, MessageParser, MimeHeaders};
use memchr::{memchr, memchr_iter, memmem};

/// Parts that are looked at.
const MOST_PARTS: usize = 100;
/// Groups of fields that are looked at.
const MOST_GROUPS: usize = 1_000;
/// Characters of what the mail system said.
const LONGEST_REASON: usize = 500;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub recipients: Vec<Recipient>,
    /// Message-ID of the mail that is reported of, from what the report holds of it.
    pub original: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub address: String,
    pub status: String,
    pub reason: Option<String>,
    pub kind: BounceKind,
}

/// The beginning of a mail as MIME is enough: the mail that is reported of comes last. None: it is no report of mail that did not arrive.
pub fn read(mime: &[u8]) -> Option<Report> {
    let message = MessageParser::default().parse_headers(mime)?;
    let root = message.content_type().filter(|kind| is_report_type(kind))?;
    let mut report = Report::default();
    // What lies deeper is of another mail, and may lie as deep as somebody likes: the parser never sees a part that has parts.
    for part in parts(mime, root.attribute("boundary")?).take(MOST_PARTS) {
        let Some(kind) = MessageParser::default().parse_headers(part) else { continue };
        if is(&kind, "message", &["delivery-status", "global-delivery-status"]) {
            if report.recipients.len() < MOST_RECIPIENTS {
                report.recipients.extend(content(part).iter().flat_map(|fields| recipients(fields)));
            }
        } else if report.original.is_none() {
            report.original = original(&kind, part);
        }
    }
    report.recipients.truncate(MOST_RECIPIENTS);
    (!report.recipients.is_empty()).then_some(report)
}

/// Between the lines that begin with the boundary. Source: RFC 2046, section 5.1.1.
fn parts<'a>(mime: &'a [u8], boundary: &str) -> impl Iterator<Item = &'a [u8]> {
    let line = format!("--{boundary}");
    let is_one = !boundary.is_empty();
    // Where each such line begins, and where the part behind it does.
    let mut headers = Vec::new();
    for at in memmem::find_iter(mime, line.as_bytes()).filter(|_| is_one) {
        let rest = mime.get(at + line.len()..).unwrap_or_default();
        let is_at_start = at == 0 || mime.get(at - 1) == Some(&b'\n');
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let tail = rest.get(..end).unwrap_or_default().trim_ascii();
        if !is_at_start || !matches!(tail, b"" | b"--") {
            continue;
        }
        headers.push((at, at + line.len() + (end + 1).min(rest.len())));
        if tail == b"--" || headers.len() > MOST_PARTS {
            break;
        }
    }
    let ends: Vec<usize> = headers.iter().skip(1).map(|(at, _)| *at).chain([mime.len()]).collect();
    headers.into_iter().zip(ends).filter_map(move |((_, from), to)| mime.get(from..to).filter(|part| !part.is_empty()))
}

/// Of a part that has no parts.
fn content(part: &[u8]) -> Option<Vec<u8>> {
    MessageParser::default().parse(part)?.parts.first().map(|part| part.contents().to_vec())
}

fn is(part: &Message<'_>, kind: &str, subtypes: &[&str]) -> bool {
    part.content_type().is_some_and(|own| own.ctype().eq_ignore_ascii_case(kind) && own.subtype().is_some_and(|own| subtypes.iter().any(|subtype| own.eq_ignore_ascii_case(subtype))))
}

/// Of the mail that came back, whole or its header alone.
fn original(kind: &Message<'_>, part: &[u8]) -> Option<String> {
    let id = |header: &[u8]| MessageParser::default().parse_headers(header)?.message_id().map(str::to_owned);
    if is(kind, "message", &["rfc822", "global"]) {
        // It is never encoded, RFC 2046, section 5.2.1.
        return id(part.get(body_at(part)?..)?);
    }
    if is(kind, "text", &["rfc822-headers"]) || is(kind, "message", &["global-headers"]) { id(&content(part)?) } else { None }
}

/// Where the first empty line ends.
fn body_at(part: &[u8]) -> Option<usize> {
    let mut from = 0;
    for at in memchr_iter(b'\n', part) {
        if part.get(from..at).is_some_and(|line| line.trim_ascii().is_empty()) {
            return Some(at + 1);
        }
        from = at + 1;
    }
    None
}

/// Groups of fields, an empty line between them: the first is about the mail, each other one about a recipient.
fn recipients(fields: &[u8]) -> Vec<Recipient> {
    let text = String::from_utf8_lossy(fields).replace("\r\n", "\n");
    text.split("\n\n").take(MOST_GROUPS).filter_map(|group| recipient(group.trim_matches('\n'))).take(MOST_RECIPIENTS).collect()
}

fn recipient(group: &str) -> Option<Recipient> {
    let text = format!("{group}\n\n");
    let fields = MessageParser::default().parse_headers(text.as_bytes())?;
    let field = |name: &'static str| fields.header_raw(name).map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "));
    // `rfc822; alex@contoso.com`
    let typed = |value: String| value.split_once(';').map_or(value.clone(), |(_, rest)| rest.trim().to_owned());
    let address = field("Final-Recipient").or_else(|| field("Original-Recipient")).map(typed)?;
    let address = address.trim_matches(['<', '>']).to_owned();
    let status = field("Status").and_then(|text| status(&text));
    let kind = match field("Action")?.to_ascii_lowercase().split([' ', ';', '(']).next()? {
        "failed" => BounceKind::Permanent,
        "delayed" => BounceKind::Temporary,
        // Delivered, relayed, expanded: nothing went wrong.
        _ => return None,
    };
    if !is_address(&address) {
        return None;
    }
    let usual = if kind == BounceKind::Permanent { "5.0.0" } else { "4.0.0" };
    Some(Recipient { address, status: status.unwrap_or_else(|| usual.to_owned()), reason: field("Diagnostic-Code").map(typed).and_then(reason), kind })
}

/// `5.1.10` of `5.1.10 (bad destination mailbox)`.
fn status(text: &str) -> Option<String> {
    let word = text.split([' ', '(', ';']).next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(is_number)).then(|| word.to_owned())
}

fn reason(text: String) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(fields: &str, last: &str) -> String {
        format!(
            "From: postmaster@contoso.com\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"b\"\r\nMIME-Version: 1.0\r\n\r\n\
             --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n無法傳遞\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n{fields}\r\n--b\r\n{last}\r\n--b--\r\n"
        )
    }

    const OF_MAIL: &str = "Reporting-MTA: dns;AM0PR01.contoso.com\r\nArrival-Date: Thu, 15 Jan 2026 09:00:00 +0000\r\n\r\n";

    #[test]
    fn each_recipient_is_told_with_code_and_reason() {
        let fields = format!(
            "{OF_MAIL}Final-Recipient: rfc822;nobody@contoso.com\r\nAction: failed\r\nStatus: 5.1.10\r\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound;\r\n Recipient not found\r\n\r\n\
             Original-Recipient: rfc822;<late@fabrikam.com>\r\nFinal-Recipient: rfc822; <late@fabrikam.com>\r\nAction: delayed\r\nStatus: 4.4.7 (queued)\r\n\r\n\
             Final-Recipient: rfc822;fine@contoso.com\r\nAction: delivered\r\nStatus: 2.0.0\r\n"
        );
        let found = read(report(&fields, "Content-Type: message/rfc822\r\n\r\nMessage-ID: <abc@contoso.com>\r\nSubject: x\r\n\r\nHi").as_bytes()).unwrap();
        assert_eq!(found.original.as_deref(), Some("abc@contoso.com"));
        assert_eq!(
            found.recipients,
            [
                Recipient {
                    address: "nobody@contoso.com".into(),
                    status: "5.1.10".into(),
                    reason: Some("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found".into()),
                    kind: BounceKind::Permanent,
                },
                Recipient { address: "late@fabrikam.com".into(), status: "4.4.7".into(), reason: None, kind: BounceKind::Temporary },
            ]
        );
    }

    #[test]
    fn the_header_alone_names_the_mail_as_well() {
        let fields = format!("{OF_MAIL}Final-Recipient: rfc822;a@b.example\r\nAction: failed\r\n");
        let found = read(report(&fields, "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nMessage-ID:\r\n <abc@contoso.com>\r\n").as_bytes()).unwrap();
        assert_eq!((found.original.as_deref(), found.recipients[0].status.as_str()), (Some("abc@contoso.com"), "5.0.0"));
    }

    #[test]
    fn what_is_passed_on_or_only_delivered_is_no_report() {
        let fields = format!("{OF_MAIL}Final-Recipient: rfc822;a@b.example\r\nAction: failed\r\n");
        let inner = report(&fields, "Content-Type: text/plain\r\n\r\nx");
        let forwarded = format!("Content-Type: multipart/mixed; boundary=\"o\"\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--o--\r\n");
        assert_eq!(read(forwarded.as_bytes()), None);
        assert_eq!(read(report(&format!("{OF_MAIL}Final-Recipient: rfc822;a@b.example\r\nAction: relayed\r\n"), "Content-Type: text/plain\r\n\r\nx").as_bytes()), None);
        assert_eq!(read(report(&format!("{OF_MAIL}Action: failed\r\n"), "Content-Type: text/plain\r\n\r\nx").as_bytes()), None);
        assert_eq!(read(b""), None);
    }

    proptest! {
        #[test]
        fn nothing_it_is_given_stops_it(bytes in proptest::collection::vec(any::<u8>(), 0..2000), fields in "(?s).{0,300}") {
            read(&bytes);
            read(report(&fields, "Content-Type: message/rfc822\r\n\r\nx").as_bytes());
        }
    }
}
