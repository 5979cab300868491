//! What header lines and class of a message prove, whatever its language: what it is, which mails it answers, and where it is from. Sources: RFC 3834, RFC 3464, RFC 8601;
//! [MS-OXCMAIL] 2.2.3.2 (X-Auto-Response-Suppress); Exchange, "Header firewall": what comes from outside keeps no `X-MS-Exchange-Organization-…` of its own.

use crate::graph::MailHeaders;
use mail_parser::{MessageParser, MimeHeaders};

/// Message-IDs that are looked up of one message.
const MOST_NAMED: usize = 50;
/// Recipients that are told of one report.
pub const MOST_RECIPIENTS: usize = 100;
const LONGEST_ADDRESS: usize = 320;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Ordinary,
    AutomaticReply,
    /// A report in parts (RFC 3464), which have to be read.
    Report,
    /// A report of the time before that, with the recipients it names in a header.
    PlainReport { recipients: Vec<String> },
}

/// Who vouches for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The mailbox's own organisation made it.
    Own,
    /// It was proven on arrival that this domain sent it.
    Domain(String),
    Unproven,
}

impl Origin {
    /// It may speak of this address.
    pub fn vouches_for(&self, address: &str) -> bool {
        match self {
            Self::Own => true,
            Self::Domain(domain) => address.rsplit_once('@').is_some_and(|(_, other)| are_related(domain, &other.to_lowercase())),
            Self::Unproven => false,
        }
    }
}

/// One is the other, or a domain below it. A top-level domain vouches for nobody.
fn are_related(one: &str, other: &str) -> bool {
    let is_below = |below: &str, above: &str| above.contains('.') && below.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'));
    one == other || is_below(one, other) || is_below(other, one)
}

fn values<'a>(headers: &'a MailHeaders, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers.lines.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn value<'a>(headers: &'a MailHeaders, name: &'a str) -> Option<&'a str> {
    values(headers, name).next()
}

pub fn form(headers: &MailHeaders) -> Form {
    let class = headers.class.to_ascii_lowercase();
    if is_report(headers) || (class.starts_with("report.ipm.note.") && !class.ends_with(".dr") && !class.ends_with(".ipnrn") && !class.ends_with(".ipnnrn")) {
        return Form::Report;
    }
    // A word may be followed by parameters and a comment.
    let submitted = value(headers, "Auto-Submitted").and_then(|text| text.split([';', ' ', '(']).next()).unwrap_or_default().to_ascii_lowercase();
    let recipients: Vec<String> = values(headers, "X-Failed-Recipients").flat_map(|list| list.split(',')).map(str::trim).filter(|one| is_address(one)).take(MOST_RECIPIENTS).map(str::to_owned).collect();
    if !recipients.is_empty() && matches!(submitted.as_str(), "auto-replied" | "auto-generated") {
        return Form::PlainReport { recipients };
    }
    let answers = value(headers, "In-Reply-To").is_some_and(|id| !id.is_empty()) || values(headers, "References").any(|ids| !ids.is_empty());
    let is_rule = class.starts_with("ipm.note.rules.ooftemplate") || class.starts_with("ipm.note.rules.replytemplate");
    // Exchange says that it generated what it answers by itself. So does whoever sends newsletters, which answer nothing.
    let is_generated = submitted == "auto-generated" && (value(headers, "X-Auto-Response-Suppress").is_some() || value(headers, "X-MS-Exchange-Inbox-Rules-Loop").is_some());
    let says_so = ["X-Autoreply", "X-Autorespond", "X-Autoresponder"].iter().any(|name| value(headers, name).is_some())
        || value(headers, "Precedence").is_some_and(|word| word.eq_ignore_ascii_case("auto_reply"));
    if is_rule || submitted == "auto-replied" || (answers && (is_generated || says_so)) { Form::AutomaticReply } else { Form::Ordinary }
}

/// What a report may say of somebody.
pub fn is_address(text: &str) -> bool {
    text.contains('@') && text.len() <= LONGEST_ADDRESS && !text.chars().any(char::is_control)
}

/// `multipart/report; report-type=delivery-status`.
fn is_report(headers: &MailHeaders) -> bool {
    let Some(line) = value(headers, "Content-Type") else { return false };
    let text = format!("Content-Type: {}\r\n\r\n", line.replace(['\r', '\n'], " "));
    MessageParser::default().parse_headers(text.as_bytes()).is_some_and(|message| message.content_type().is_some_and(is_report_type))
}

pub fn is_report_type(kind: &mail_parser::ContentType<'_>) -> bool {
    kind.ctype().eq_ignore_ascii_case("multipart")
        && kind.subtype().is_some_and(|subtype| subtype.eq_ignore_ascii_case("report"))
        && kind.attribute("report-type").is_some_and(|of| of.eq_ignore_ascii_case("delivery-status"))
}

/// The line that was written last stands first, and was written by the mailbox's own border: those that came along below it prove nothing.
pub fn origin(headers: &MailHeaders) -> Origin {
    let mut inside = values(headers, "X-MS-Exchange-Organization-AuthAs");
    if let (Some(word), None) = (inside.next(), inside.next())
        && word.eq_ignore_ascii_case("Internal")
    {
        return Origin::Own;
    }
    let Some(results) = value(headers, "Authentication-Results") else { return Origin::Unproven };
    let results = results.to_ascii_lowercase();
    let mut is_proven = false;
    let mut domain = None;
    for word in results.split(|c: char| c == ';' || c.is_whitespace()) {
        is_proven |= matches!(word, "dmarc=pass" | "compauth=pass");
        domain = domain.or_else(|| word.strip_prefix("header.from=").map(|name| name.trim_matches(['"', '.']).to_owned()));
    }
    match domain.filter(|name| is_proven && name.contains('.')) {
        Some(domain) => Origin::Domain(domain),
        None => Origin::Unproven,
    }
}

/// Message-IDs that it answers, the most telling first: the mail that is answered, then the conversation from its end.
pub fn named(headers: &MailHeaders) -> Vec<String> {
    let answered = values(headers, "In-Reply-To").flat_map(ids);
    let mut before: Vec<String> = values(headers, "References").flat_map(ids).collect();
    before.reverse();
    let mut named = Vec::new();
    for id in answered.chain(before) {
        if named.len() >= MOST_NAMED {
            break;
        }
        if !named.contains(&id) {
            named.push(id);
        }
    }
    named
}

fn ids(text: &str) -> Vec<String> {
    let id = |word: &str| word.trim_matches(['<', '>', ',']).to_owned();
    text.split_whitespace().flat_map(|words| words.split("><")).map(id).filter(|id| id.contains('@')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(class: &str, headers: &[(&str, &str)]) -> MailHeaders {
        MailHeaders { class: class.into(), lines: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect() }
    }

    #[test]
    fn a_report_is_told_by_its_type_or_its_class() {
        assert_eq!(form(&headers("", &[("content-type", "multipart/report; report-type=\"delivery-status\";\r\n\tboundary=\"x\"")])), Form::Report);
        assert_eq!(form(&headers("REPORT.IPM.Note.NDR", &[])), Form::Report);
        for receipt in ["multipart/report; report-type=disposition-notification; boundary=x", "multipart/mixed; boundary=x", "text/plain"] {
            assert_eq!(form(&headers("", &[("Content-Type", receipt)])), Form::Ordinary, "{receipt}");
        }
        assert_eq!(form(&headers("REPORT.IPM.Note.DR", &[])), Form::Ordinary);
        assert_eq!(
            form(&headers("", &[("X-Failed-Recipients", "a@b.example, c@d.example"), ("Auto-Submitted", "auto-replied")])),
            Form::PlainReport { recipients: vec!["a@b.example".into(), "c@d.example".into()] }
        );
        assert_eq!(form(&headers("", &[("X-Failed-Recipients", "a@b.example")])), Form::Ordinary);
    }

    #[test]
    fn an_automatic_reply_answers_something_by_itself() {
        let answer = ("In-Reply-To", "<1@contoso.com>");
        for words in [
            vec![("Auto-Submitted", "auto-replied (vacation)")],
            vec![("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All"), answer],
            vec![("Precedence", "auto_reply"), answer],
            vec![("X-Autoreply", "yes"), answer],
        ] {
            assert_eq!(form(&headers("", &words)), Form::AutomaticReply, "{words:?}");
        }
        assert_eq!(form(&headers("IPM.Note.Rules.OofTemplate.Microsoft", &[])), Form::AutomaticReply);
        for words in [
            vec![],
            vec![("Auto-Submitted", "no"), answer],
            vec![("X-Auto-Response-Suppress", "All"), answer],
            vec![("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")],
            vec![("Precedence", "bulk"), answer],
        ] {
            assert_eq!(form(&headers("IPM.Note", &words)), Form::Ordinary, "{words:?}");
        }
    }

    #[test]
    fn only_the_own_border_vouches() {
        let pass = "spf=pass (sender IP is 1.2.3.4) smtp.mailfrom=mx.fabrikam.com; dkim=none;dmarc=pass action=none header.from=fabrikam.com;compauth=pass reason=100";
        assert_eq!(origin(&headers("", &[("X-MS-Exchange-Organization-AuthAs", "Internal")])), Origin::Own);
        assert_eq!(origin(&headers("", &[("X-MS-Exchange-Organization-AuthAs", "Anonymous"), ("Authentication-Results", pass)])), Origin::Domain("fabrikam.com".into()));
        assert_eq!(origin(&headers("", &[("X-MS-Exchange-Organization-AuthAs", "Anonymous"), ("X-MS-Exchange-Organization-AuthAs", "Internal")])), Origin::Unproven);
        let fail = "spf=fail smtp.mailfrom=fabrikam.com; dmarc=fail header.from=fabrikam.com;compauth=fail reason=001";
        assert_eq!(origin(&headers("", &[("Authentication-Results", fail), ("Authentication-Results", pass)])), Origin::Unproven, "what came along proves nothing");
        assert_eq!(origin(&headers("", &[])), Origin::Unproven);
    }

    #[test]
    fn a_domain_vouches_for_its_own_addresses() {
        let of = |domain: &str| Origin::Domain(domain.into());
        assert!(of("fabrikam.com").vouches_for("fred@Fabrikam.com") && of("mx.fabrikam.com").vouches_for("fred@fabrikam.com") && of("fabrikam.com").vouches_for("fred@mail.fabrikam.com"));
        assert!(!of("fabrikam.com").vouches_for("alex@contoso.com") && !of("evilfabrikam.com").vouches_for("fred@fabrikam.com") && !of("evil.com").vouches_for("x@com"));
        assert!(Origin::Own.vouches_for("anybody@anywhere.example") && !Origin::Unproven.vouches_for("a@b.example"));
    }

    #[test]
    fn what_it_answers_comes_before_the_conversation() {
        let headers = headers("", &[("References", "<1@a.example>\r\n <2@a.example><3@a.example>"), ("In-Reply-To", "<2@a.example>")]);
        assert_eq!(named(&headers), ["2@a.example", "3@a.example", "1@a.example"]);
    }
}
