//! What Exchange writes by itself: reports of mail that does not arrive, or not yet, and automatic replies. In the language of the mailbox they are written in.

use super::message::{Address, Message};
use super::{eml, mime};
use crate::http::Bytes;
use crate::world::World;

/// Words of a language: before the subject of a report, of one of a delay and of an automatic reply; and what the text begins with.
struct Words {
    language: &'static str,
    undeliverable: &'static str,
    delayed: &'static str,
    automatic: &'static str,
    failed_text: &'static str,
    delayed_text: &'static str,
}

const WORDS: [Words; 4] = [
    Words {
        language: "en",
        undeliverable: "Undeliverable: ",
        delayed: "Delivery delayed: ",
        automatic: "Automatic reply: ",
        failed_text: "Your message couldn't be delivered to",
        delayed_text: "Delivery is delayed to",
    },
    Words {
        language: "de",
        undeliverable: "Unzustellbar: ",
        delayed: "Zustellung verzögert: ",
        automatic: "Automatische Antwort: ",
        failed_text: "Ihre Nachricht konnte nicht zugestellt werden an",
        delayed_text: "Die Zustellung verzögert sich an",
    },
    Words {
        language: "fr",
        undeliverable: "Non remis : ",
        delayed: "Remise retardée : ",
        automatic: "Réponse automatique : ",
        failed_text: "Votre message n'a pas pu être remis à",
        delayed_text: "La remise est retardée à",
    },
    Words {
        language: "ja",
        undeliverable: "配信不能: ",
        delayed: "配信遅延: ",
        automatic: "自動応答: ",
        failed_text: "メッセージを配信できませんでした:",
        delayed_text: "配信が遅れています:",
    },
];

fn words(language: &str) -> &'static Words {
    WORDS.iter().find(|words| words.language == language).unwrap_or(&WORDS[0])
}

/// Who wrote it, as the border of the receiving organisation sees that.
#[derive(Clone)]
pub enum Origin {
    /// Its own servers.
    Own,
    /// Servers outside, for this domain, as its policies prove or do not.
    Outside { domain: String, is_proven: bool },
}

impl Origin {
    fn lines(&self) -> String {
        match self {
            Origin::Own => "X-MS-Exchange-Organization-AuthSource: AM0PR01MB0001.eurprd01.prod.exchangelabs.com\r\n\
                            X-MS-Exchange-Organization-AuthAs: Internal\r\nX-MS-Exchange-Organization-AuthMechanism: 05\r\n"
                .into(),
            Origin::Outside { domain, is_proven } => {
                let (result, reason) = if *is_proven { ("pass", "100") } else { ("fail", "001") };
                format!(
                    "Authentication-Results: spf={result} (sender IP is 203.0.113.7)\r\n smtp.helo=mx.{domain}; dkim=none (message not signed)\r\n header.d=none;dmarc={result} action=none\r\n \
                     header.from={domain};compauth={result} reason={reason}\r\nX-MS-Exchange-Organization-AuthAs: Anonymous\r\n"
                )
            }
        }
    }
}

/// A report about one recipient.
pub struct Report {
    pub recipient: String,
    pub is_delayed: bool,
    pub status: Option<String>,
    pub origin: Origin,
    /// Message-ID of the mail, where it is to be another one.
    pub message_id: Option<String>,
}

fn put(world: &mut World, person: usize, raw: String, class: &str, thread: u64) {
    let now = world.now();
    let Ok(mut message) = eml::parse(raw.as_bytes(), now) else { return };
    message.attachments.clear();
    (message.received, message.created, message.modified, message.sent) = (now, now, now, now);
    message.raw = Some(Bytes::from(raw.into_bytes()));
    message.extended = vec![("String 0x001A".into(), class.into())];
    message.thread = thread;
    let mailbox = &mut world.mail[person];
    let inbox = mailbox.folder("inbox").unwrap_or(0);
    mailbox.insert(&mut world.ids, inbox, message);
}

/// The lines that all of them begin with. `thread`: what it answers.
fn head(world: &mut World, from: &Address, to: &Address, subject: &str, answered: &str, before: &[String]) -> String {
    let domain = from.address.rsplit('@').next().unwrap_or("contoso.com").to_string();
    let references: Vec<&str> = before.iter().map(String::as_str).chain([answered]).collect();
    format!(
        "From: {} <{}>\r\nTo: {} <{}>\r\nDate: {}\r\nMessage-ID: <{}@{domain}>\r\nSubject: {}\r\nIn-Reply-To: {answered}\r\nReferences: {}\r\nMIME-Version: 1.0\r\n",
        mime::word(&from.name),
        from.address,
        mime::word(&to.name),
        to.address,
        crate::clock::http_date(world.now()).replace("GMT", "+0000"),
        world.ids.guid(),
        mime::word(subject),
        references.join("\r\n ")
    )
}

/// Into the mailbox that the mail left from. Source of the form: RFC 3464, and what Exchange Online writes.
pub fn report(world: &mut World, person: usize, message: &Message, report: &Report) {
    let own = own_address(world, person);
    let Report { recipient, is_delayed, status, origin, message_id } = report;
    let words = words(&world.mail[person].language);
    let host = match origin {
        Origin::Own => recipient.rsplit('@').next().unwrap_or("contoso.com").to_string(),
        Origin::Outside { domain, .. } => domain.clone(),
    };
    let (action, usual, code) = if *is_delayed { ("delayed", "4.4.7", 400) } else { ("failed", "5.1.10", 550) };
    let status = status.as_deref().unwrap_or(usual);
    let said = if *is_delayed { "Message delayed".to_string() } else { format!("RESOLVER.ADR.RecipientNotFound; Recipient {recipient} not found by SMTP address lookup") };
    let (before, text) = if *is_delayed { (words.delayed, words.delayed_text) } else { (words.undeliverable, words.failed_text) };
    let from = Address { name: "Microsoft Outlook".into(), address: format!("postmaster@{host}") };
    let answered = message_id.clone().unwrap_or_else(|| message.message_id.clone());
    let mut raw = head(world, &from, &own, &format!("{before}{}", message.subject), &answered, &[]);
    raw.push_str(&origin.lines());
    let html = format!("<html><body><p><b>{text} {recipient}.</b></p><p>{code} {status} {said}</p></body></html>");
    let original = format!(
        "From: {} <{}>\r\nTo: {recipient}\r\nSubject: {}\r\nMessage-ID: {answered}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n…\r\n",
        mime::word(&own.name),
        own.address,
        mime::word(&message.subject)
    );
    raw.push_str(&format!(
        "Auto-Submitted: auto-replied\r\nX-MS-Exchange-Message-Is-Ndr:\r\nX-Failed-Recipients: {recipient}\r\nX-Auto-Response-Suppress: All\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"report-of-mail\"\r\n\r\n\
         --report-of-mail\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n\
         --report-of-mail\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns;AM0PR01MB0001.eurprd01.prod.exchangelabs.com\r\nArrival-Date: {}\r\n\r\n\
         Final-Recipient: rfc822;{recipient}\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp;{code} {status} {said}\r\n\r\n\
         --report-of-mail\r\nContent-Type: message/rfc822\r\n\r\n{original}\r\n--report-of-mail--\r\n",
        mime::wrapped(html.as_bytes()),
        crate::clock::http_date(message.sent).replace("GMT", "+0000"),
    ));
    put(world, person, raw, if *is_delayed { "REPORT.IPM.Note.Delayed" } else { "REPORT.IPM.Note.NDR" }, message.thread);
}

fn own_address(world: &World, person: usize) -> Address {
    let person = &world.people.people[person];
    Address { name: person.name.clone(), address: person.address.clone() }
}

/// A mailbox whose automatic replies are on answers a sender once, and never what no person wrote.
pub fn reply(world: &mut World, reader: usize, sender: usize, message: &Message) {
    let is_automatic = message.headers.iter().any(|(name, _)| ["Auto-Submitted", "X-Auto-Response-Suppress"].iter().any(|own| own.eq_ignore_ascii_case(name)));
    let Some(text) = world.mail[reader].automatic_reply.clone().filter(|_| !is_automatic && reader != sender) else { return };
    if !world.mail[reader].replied.insert(sender) {
        return;
    }
    let (from, to) = (own_address(world, reader), own_address(world, sender));
    let words = words(&world.mail[reader].language);
    let is_own = world.people.people[reader].tenant == world.people.people[sender].tenant;
    let domain = from.address.rsplit('@').next().unwrap_or("contoso.com").to_string();
    let origin = if is_own { Origin::Own } else { Origin::Outside { domain, is_proven: true } };
    let mut raw = head(world, &from, &to, &format!("{}{}", words.automatic, message.subject), &message.message_id, &message.references);
    raw.push_str(&origin.lines());
    raw.push_str(&format!(
        "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\nX-MS-Exchange-Inbox-Rules-Loop: {}\r\n\
         Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        from.address,
        mime::wrapped(format!("<html><body><p>{text}</p></body></html>").as_bytes())
    ));
    let class = if is_own { "IPM.Note.Rules.OofTemplate.Microsoft" } else { "IPM.Note" };
    put(world, sender, raw, class, message.thread);
}
