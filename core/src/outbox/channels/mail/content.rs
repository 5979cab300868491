//! What a mail must be, and the form in which its content is compared.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Address, BodyType, FileAttachment, Importance, MailHeader};
use crate::outbox::attached::{check_content, check_content_id, check_file};
use crate::outbox::check::{check_context, header, is_key, recipient};
use crate::outbox::content::Fields;
use std::time::SystemTime;

/// Recipients of one mail (Exchange Online's default).
const RECIPIENTS: usize = 500;
/// Headers of the sender's own in one mail.
const HEADERS: usize = 5;
/// A whole request to Graph is 4 MB, and base64 makes 4 of 3.
const MAIL_TOTAL: usize = 2_900_000;

/// What mails of every kind say.
pub struct MailParts<'a> {
    pub from_address: Option<&'a Address>,
    pub context: Option<&'a str>,
    pub to: &'a [Address],
    pub cc: &'a [Address],
    pub bcc: &'a [Address],
    pub reply_to: &'a [Address],
    pub subject: &'a str,
    pub body: &'a str,
    pub body_type: BodyType,
    pub importance: Importance,
    pub attachments: &'a [FileAttachment],
    pub add_signature: bool,
    pub read_receipt: bool,
    pub delivery_receipt: bool,
    pub headers: &'a [MailHeader],
    pub key: Option<&'a str>,
    pub link: Option<&'a str>,
    pub deadline: Option<SystemTime>,
    pub send_at: Option<SystemTime>,
    pub ordering_key: Option<&'a str>,
}

/// The same with what is as by default left out, of a draft with all these fields.
macro_rules! mail_parts {
    ($draft:expr, $reply_to:expr, $subject:expr) => {
        crate::outbox::channels::mail::content::MailParts {
            from_address: $draft.from_address.as_ref(),
            context: $draft.context.as_deref(),
            to: &$draft.to,
            cc: &$draft.cc,
            bcc: &$draft.bcc,
            reply_to: $reply_to,
            subject: $subject,
            body: &$draft.body,
            body_type: $draft.body_type,
            importance: $draft.importance,
            attachments: &$draft.attachments,
            add_signature: $draft.add_signature,
            read_receipt: $draft.read_receipt,
            delivery_receipt: $draft.delivery_receipt,
            headers: &$draft.headers,
            key: $draft.key.as_deref(),
            link: $draft.link.as_deref(),
            deadline: $draft.deadline,
            send_at: $draft.send_at,
            ordering_key: $draft.ordering_key.as_deref(),
        }
    };
}
pub(super) use mail_parts;

/// Errors: InvalidInput, when there is nobody to send it to.
pub fn check_recipients(mail: &MailParts<'_>) -> Result<()> {
    if mail.to.is_empty() && mail.cc.is_empty() && mail.bcc.is_empty() {
        return Err(Error::invalid("The mail has no recipient. Fill in to, cc or bcc."));
    }
    Ok(())
}

pub fn check(mail: &MailParts<'_>) -> Result<()> {
    let count = mail.to.len() + mail.cc.len() + mail.bcc.len();
    if count > RECIPIENTS {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("The mail has {count} recipients; Microsoft 365 takes {RECIPIENTS} at the most. Split it.")));
    }
    for (field, list) in [("from_address", mail.from_address.map(std::slice::from_ref).unwrap_or_default()), ("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc), ("reply_to", mail.reply_to)] {
        for one in list {
            recipient(field, one)?;
        }
    }
    header("subject", mail.subject, 998)?;
    let mut total = mail.body.len();
    for file in mail.attachments {
        check_file(&file.name, &file.content_type)?;
        check_content(file)?;
        check_content_id(mail.attachments, mail.body_type, file)?;
        total += file.content.len();
    }
    check_headers(mail.headers)?;
    if total > MAIL_TOTAL {
        return Err(Error::new(ErrorKind::LimitExceeded, "Body and attachments together exceed 2.9 MB, the most one request to Microsoft takes. Stage the larger ones (attachment_from), and name the staged contents instead."));
    }
    mail.context.map_or(Ok(()), check_context)?;
    if mail.link.is_some_and(|link| !is_key(link)) {
        return Err(Error::invalid("The link must have 1 to 200 characters without control characters."));
    }
    if mail.ordering_key.is_some_and(|key| !is_key(key)) {
        return Err(Error::invalid("The ordering key must have 1 to 200 characters without control characters."));
    }
    Ok(())
}

/// Graph takes five, of names that begin with x- (message: create).
fn check_headers(headers: &[MailHeader]) -> Result<()> {
    if headers.len() > HEADERS {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("The mail has {} headers of its own; Microsoft 365 takes {HEADERS} at the most.", headers.len())));
    }
    for (number, MailHeader { name, value }) in headers.iter().enumerate() {
        let is_name = name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !is_name || name.len() < 3 || !name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-")) {
            return Err(Error::invalid("The name of a header must begin with x- and have at most 64 letters, digits, - and _, as in x-candidate."));
        }
        if headers.iter().take(number).any(|other| other.name.eq_ignore_ascii_case(name)) {
            return Err(Error::invalid(format!("The header {name} is there twice. Leave one out.")));
        }
        header(&format!("header {name}"), value, 995)?;
    }
    Ok(())
}

/// Its form 1, of a route.
pub fn canonical(route: u8, mail: &MailParts<'_>) -> Fields {
    let mut out = Fields::new(route);
    out.addresses(1, mail.to);
    out.addresses(20, mail.from_address.map(std::slice::from_ref).unwrap_or_default());
    out.text(2, mail.subject);
    out.text(3, mail.body);
    out.body_type(4, mail.body_type);
    out.addresses(5, mail.cc);
    out.addresses(6, mail.bcc);
    out.addresses(7, mail.reply_to);
    match mail.importance {
        Importance::Normal => {}
        Importance::Low => out.field(8, b"low"),
        Importance::High => out.field(8, b"high"),
    }
    out.files(9, mail.attachments);
    out.flag(10, mail.read_receipt);
    out.flag(11, mail.delivery_receipt);
    out.pairs(12, mail.headers.iter().map(|header| [header.name.as_str(), header.value.as_str()]));
    if mail.attachments.iter().any(|file| file.content_id.is_some()) {
        // One of each file, in their order.
        out.pairs(13, mail.attachments.iter().map(|file| [file.content_id.as_deref().unwrap_or_default()]));
    }
    if mail.attachments.iter().any(|file| file.staged.is_some()) {
        // The hash of each staged content, in the place of its id.
        out.pairs(16, mail.attachments.iter().map(|file| [file.staged.as_deref().unwrap_or_default()]));
    }
    // Of a draft that is not signed yet: what the signature says may change.
    out.flag(17, mail.add_signature);
    out
}
