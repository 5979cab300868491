//! Messages as Graph writes them, straight into text: a folder of ten thousand must not take long.

use super::message::{Address, Attachment, Kind, Message};
use super::store::Mailbox;
use crate::clock::push_iso;
use crate::http::{Answer, Call, base64};
use crate::odata::{self, Filter, Trouble};
use crate::query::{lacking, refused, selected};
use crate::schema::{ATTACHMENT, MESSAGE, Meaning};

/// All properties of a message that can be selected; those from `HIDDEN` on only when they are.
const FIELDS: [&str; 30] = [
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "receivedDateTime",
    "sentDateTime",
    "hasAttachments",
    "internetMessageId",
    "subject",
    "bodyPreview",
    "importance",
    "parentFolderId",
    "conversationId",
    "conversationIndex",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "isRead",
    "isDraft",
    "webLink",
    "inferenceClassification",
    "body",
    "sender",
    "from",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "flag",
    "internetMessageHeaders",
];
const HIDDEN: usize = 29;

/// How a message is to be shown.
pub struct View {
    fields: u32,
    unique_body: bool,
    pub immutable: bool,
    text: bool,
    attachments: Option<Vec<String>>,
    /// The ids of the extended properties wanted.
    extended: Vec<String>,
}

/// The options inside of an expansion, if they are all understood.
fn only(options: &[(String, String)], known: &[&str]) -> Result<(), Answer> {
    match options.iter().find(|(name, _)| !known.iter().any(|k| k.eq_ignore_ascii_case(name))) {
        Some((name, _)) => Err(lacking(format!("{name} inside of $expand"))),
        None => Ok(()),
    }
}

/// `id eq '…'`, or several of them: extended properties are shown by their ids alone.
fn extended(filter: &str) -> Result<Vec<String>, Answer> {
    fn ids(filter: &Filter, out: &mut Vec<String>) -> bool {
        match filter {
            Filter::Or(a, b) => ids(a, out) && ids(b, out),
            Filter::Compare(name, op, odata::Value::Text(id)) if name.eq_ignore_ascii_case("id") && op == "eq" => {
                out.push(id.clone());
                true
            }
            _ => false,
        }
    }
    if filter.is_empty() {
        return Err(lacking("$expand of singleValueExtendedProperties without a $filter"));
    }
    let (filter, mut out) = (odata::parse(filter).map_err(refused)?, Vec::new());
    if ids(&filter, &mut out) { Ok(out) } else { Err(lacking("another $filter of extended properties than by id")) }
}

impl View {
    pub fn of(call: &Call, select: Option<String>, expand: Option<String>) -> Result<View, Answer> {
        let select = odata::names(select);
        let wrong = |trouble| match trouble {
            Trouble::Wrong(text) => Answer::fail(400, "RequestBroker--ParseUri", text),
            lacks => refused(lacks),
        };
        selected(&select, &MESSAGE).map_err(wrong)?;
        let mut fields = if select.is_empty() { (1u32 << HIDDEN) - 1 } else { 1 };
        let mut unique_body = false;
        for name in &select {
            match FIELDS.iter().position(|f| f.eq_ignore_ascii_case(name)) {
                Some(n) => fields |= 1 << n,
                None if name.eq_ignore_ascii_case("uniqueBody") => unique_body = true,
                None if name == "*" => fields |= (1u32 << HIDDEN) - 1,
                None => {}
            }
        }
        let mut view = View {
            fields,
            unique_body,
            immutable: call.wants_immutable(),
            text: call.prefer("outlook.body-content-type").is_some_and(|t| t.eq_ignore_ascii_case("text")),
            attachments: None,
            extended: Vec::new(),
        };
        for (name, options) in odata::expansions(&expand.unwrap_or_default()) {
            let option = |key: &str| options.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.clone());
            match name.to_ascii_lowercase().as_str() {
                "attachments" => {
                    only(&options, &["$select"])?;
                    let names = odata::names(option("$select"));
                    let plain: Vec<String> = names.iter().filter_map(|n| n.rsplit('/').next().map(String::from)).collect();
                    selected(&plain, &ATTACHMENT).map_err(wrong)?;
                    view.attachments = Some(names);
                }
                "singlevalueextendedproperties" => {
                    only(&options, &["$filter"])?;
                    view.extended = extended(&option("$filter").unwrap_or_default())?;
                }
                _ => match MESSAGE.means(&name, 'r') {
                    Meaning::Unknown => return Err(wrong(Trouble::Wrong(MESSAGE.no_property(&name)))),
                    _ => return Err(lacking(format!("$expand of {name}"))),
                },
            }
        }
        Ok(view)
    }
}

/// A JSON string.
pub fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, b) in text.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b => out.push_str(&format!("\\u{b:04x}")),
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

fn push_address(out: &mut String, address: &Address) {
    out.push_str("{\"emailAddress\":{\"name\":");
    push_text(out, if address.name.is_empty() { &address.address } else { &address.name });
    out.push_str(",\"address\":");
    push_text(out, &address.address);
    out.push_str("}}");
}

fn push_list<T>(out: &mut String, items: &[T], push: impl Fn(&mut String, &T)) {
    out.push('[');
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        push(out, item);
    }
    out.push(']');
}

fn push_bool(out: &mut String, yes: bool) {
    out.push_str(if yes { "true" } else { "false" });
}

fn push_body(out: &mut String, message: &Message, as_text: bool) {
    if message.html && as_text {
        out.push_str("{\"contentType\":\"text\",\"content\":");
        push_text(out, &plain(&message.content()));
    } else {
        out.push_str(if message.html {
            "{\"contentType\":\"html\",\"content\":"
        } else {
            "{\"contentType\":\"text\",\"content\":"
        });
        out.push_str(&message.body);
    }
    out.push('}');
}

/// HTML as text, roughly: tags out, line ends for blocks.
pub fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let Some((tag, after)) = after.split_once('>') else {
            rest = "";
            break;
        };
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or("").to_ascii_lowercase();
        if matches!(name.as_str(), "br" | "p" | "div" | "tr" | "li") {
            out.push('\n');
        }
        rest = after;
    }
    out.push_str(rest);
    out.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// One message as an object. With a context, as an answer of its own.
pub fn push_message(out: &mut String, mailbox: &Mailbox, message: &Message, view: &View, context: Option<&str>) {
    out.push('{');
    if let Some(context) = context {
        out.push_str("\"@odata.context\":");
        push_text(out, context);
        out.push(',');
    }
    out.push_str("\"@odata.etag\":");
    push_text(out, &message.etag());
    for (n, name) in FIELDS.iter().enumerate() {
        if view.fields & (1 << n) == 0 {
            continue;
        }
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        push_field(out, mailbox, message, view, n);
    }
    if view.unique_body {
        out.push_str(",\"uniqueBody\":");
        push_body(out, message, view.text);
    }
    if let Some(select) = &view.attachments {
        out.push_str(",\"attachments\":");
        push_list(out, &message.attachments, |out, a| push_attachment(out, message, a, select, None));
    }
    if !view.extended.is_empty() {
        let found: Vec<&(String, String)> = message.extended.iter().filter(|(k, _)| view.extended.contains(k)).collect();
        if !found.is_empty() {
            out.push_str(",\"singleValueExtendedProperties\":");
            push_list(out, &found, |out, (id, value)| {
                out.push_str("{\"id\":");
                push_text(out, id);
                out.push_str(",\"value\":");
                push_text(out, value);
                out.push('}');
            });
        }
    }
    out.push('}');
}

fn push_field(out: &mut String, mailbox: &Mailbox, m: &Message, view: &View, field: usize) {
    let date = |out: &mut String, ms: i64| {
        out.push('"');
        push_iso(out, ms);
        out.push('"');
    };
    let person = |out: &mut String, who: &Option<Address>| match who {
        Some(address) => push_address(out, address),
        None => out.push_str("null"),
    };
    match field {
        0 => push_text(out, if view.immutable { &m.immutable } else { &m.id }),
        1 => date(out, m.created),
        2 => date(out, m.modified.max(m.created)),
        3 => push_text(out, &m.change_key()),
        4 => push_list(out, &m.categories, |out, c| push_text(out, c)),
        5 => date(out, m.received),
        6 => date(out, m.sent),
        7 => push_bool(out, m.has_attachments()),
        8 => push_text(out, &m.message_id),
        9 => push_text(out, &m.subject),
        10 => push_text(out, &m.preview),
        11 => push_text(out, &m.importance),
        12 => push_text(out, mailbox.folders.get(m.folder).map_or("", |f| &f.id)),
        13 => push_text(out, &mailbox.conversation_id(m.thread)),
        14 => push_text(out, &base64(&[&[1u8, 1, 2, 3, 4, 5][..], &m.thread.to_be_bytes(), &m.thread.to_le_bytes()].concat())),
        15 => push_bool(out, m.delivery_receipt),
        16 => push_bool(out, m.read_receipt),
        17 => push_bool(out, m.is_read),
        18 => push_bool(out, m.is_draft),
        19 => {
            let id = m.id.replace('=', "%3D");
            push_text(out, &format!("https://outlook.office365.com/owa/?ItemID={id}&exvsurl=1&viewmodel=ReadMessageItem"));
        }
        20 => push_text(out, if m.other_inbox { "other" } else { "focused" }),
        21 => push_body(out, m, view.text),
        22 => person(out, &m.sender),
        23 => person(out, &m.from),
        24 => push_list(out, &m.to, push_address),
        25 => push_list(out, &m.cc, push_address),
        26 => push_list(out, &m.bcc, push_address),
        27 => push_list(out, &m.reply_to, push_address),
        28 => {
            out.push_str("{\"flagStatus\":");
            push_text(out, &m.flag);
            for (name, date) in &m.flag_dates {
                out.push_str(&format!(",\"{name}\":{date}"));
            }
            out.push('}');
        }
        _ => push_list(out, &m.headers, |out, (name, value)| {
            out.push_str("{\"name\":");
            push_text(out, name);
            out.push_str(",\"value\":");
            push_text(out, value);
            out.push('}');
        }),
    }
}

pub fn push_attachment(out: &mut String, m: &Message, a: &Attachment, select: &[String], context: Option<&str>) {
    let wanted = |name: &str| {
        select.is_empty() || select.iter().any(|s| s.rsplit('/').next().is_some_and(|s| s.eq_ignore_ascii_case(name)))
    };
    out.push('{');
    if let Some(context) = context {
        out.push_str("\"@odata.context\":");
        push_text(out, context);
        out.push(',');
    }
    out.push_str(&format!("\"@odata.type\":\"#microsoft.graph.{}\",\"id\":", a.kind.name()));
    push_text(out, &a.id);
    if wanted("lastModifiedDateTime") {
        out.push_str(",\"lastModifiedDateTime\":\"");
        push_iso(out, m.modified.max(m.created));
        out.push('"');
    }
    if wanted("name") {
        out.push_str(",\"name\":");
        push_text(out, &a.name);
    }
    if wanted("contentType") {
        out.push_str(",\"contentType\":");
        push_text(out, &a.content_type);
    }
    if wanted("size") {
        out.push_str(&format!(",\"size\":{}", a.bytes.len()));
    }
    if wanted("isInline") {
        out.push_str(",\"isInline\":");
        push_bool(out, a.inline);
    }
    if a.kind == Kind::File {
        if wanted("contentId") {
            out.push_str(",\"contentId\":");
            match &a.content_id {
                Some(id) => push_text(out, id),
                None => out.push_str("null"),
            }
        }
        if wanted("contentLocation") {
            out.push_str(",\"contentLocation\":null");
        }
        if wanted("contentBytes") {
            out.push_str(",\"contentBytes\":\"");
            out.push_str(&base64(&a.bytes));
            out.push('"');
        }
    }
    out.push('}');
}
