//! What changed in a folder since a token, page by page.

use super::Job;
use super::journal::Change;
use super::json::{View, push_message, push_text};
use super::store::Mailbox;
use super::token::{Token, open, seal};
use crate::graph::bad;
use crate::http::{Answer, Call, form};
use crate::odata::{self, Filter, Value};
use crate::query::{filter_of, refused, selected};
use crate::schema::{FOLDER, MESSAGE};

/// With a filter, no more than this many messages are told of.
const FILTERED_MAX: usize = 5000;

fn gone() -> Answer {
    Answer::fail(410, "SyncStateNotFound", "The sync state generation is not found; generation=108;[highest=143].")
}

/// Where a round begins or goes on.
pub struct Start {
    pub token: Token,
    /// It begins here.
    pub is_first: bool,
}

/// The token of the request, if it has one that is sound.
fn known(job: &mut Job) -> Result<Option<Token>, Answer> {
    let call = job.call;
    let params = call.params();
    let given = params.iter().find(|(k, _)| matches!(k.to_ascii_lowercase().as_str(), "$deltatoken" | "$skiptoken"));
    let Some((_, text)) = given.filter(|(_, v)| !v.is_empty()) else {
        return Ok(None);
    };
    let accuse = |job: &mut Job, why: &str| {
        let text = format!("{}: {why}", call.path);
        job.world.ledger.accuse("rebuilt_link", job.seq, text);
    };
    let Some(token) = open(&job.world.secret, text) else {
        accuse(job, "the token is not as it was given out");
        return Err(Answer::fail(400, "SyncStateInvalid", "The sync state is invalid."));
    };
    if params.len() > 1 {
        accuse(job, "options were added to the link");
    }
    if crate::http::decode(&token.path, false) != crate::http::decode(&call.path, false) {
        accuse(job, "the token belongs to another path");
        return Err(Answer::fail(400, "SyncStateInvalid", "The sync state is invalid."));
    }
    if token.epoch != job.world.epoch || token.person != job.person {
        return Err(gone());
    }
    Ok(Some(token))
}

/// `seq`: the last change that there was.
pub fn begin(job: &mut Job, seq: u64) -> Result<Start, Answer> {
    if let Some(token) = known(job)? {
        return Ok(Start { token, is_first: false });
    }
    let call = job.call;
    let mut pairs = call.query.split('&').filter(|p| !p.is_empty()).collect::<Vec<_>>();
    pairs.retain(|p| !p.to_ascii_lowercase().contains("deltatoken="));
    let token = Token { epoch: job.world.epoch, person: job.person, path: call.path.clone(), query: pairs.join("&"), start: seq, ..Token::default() };
    Ok(Start { token, is_first: true })
}

pub fn option(query: &[(String, String)], name: &str) -> Option<String> {
    query.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone())
}

pub fn page_size(call: &Call, query: &[(String, String)], default: usize) -> Result<(usize, Option<usize>), Answer> {
    if let Some(n) = call.prefer("odata.maxpagesize").and_then(|n| n.parse::<usize>().ok()).filter(|n| *n > 0) {
        return Ok((n, Some(n)));
    }
    match option(query, "$top").map(|t| t.parse::<usize>()) {
        None => Ok((default, None)),
        Some(Ok(n)) if (1..=1000).contains(&n) => Ok((n, None)),
        Some(_) => Err(bad("The value of the $top query option is not valid: it must be between 1 and 1000.")),
    }
}

/// Only dates from a day on can be asked for.
fn only_received(filter: &Filter) -> bool {
    matches!(filter, Filter::Compare(name, op, Value::Time(_))
        if name.eq_ignore_ascii_case("receivedDateTime") && (op == "ge" || op == "gt"))
}

enum Entry {
    Here(u32),
    Left(String),
}

pub fn messages(job: &mut Job, folder: usize) -> Answer {
    let call = job.call;
    let seq = job.mailbox().seq;
    let (mut token, first) = match begin(job, seq) {
        Ok(Start { token, is_first }) => (token, is_first),
        Err(answer) => return answer,
    };
    let query = form(&token.query);
    let view = match View::of(call, option(&query, "$select"), option(&query, "$expand")) {
        Ok(view) => view,
        Err(answer) => return answer,
    };
    let filter = match option(&query, "$filter").map(|f| filter_of(&f, &MESSAGE)).transpose() {
        Ok(filter) if filter.as_ref().is_none_or(only_received) => filter,
        Ok(_) => {
            return Answer::fail(400, "ErrorInvalidUrlQueryFilter", "The query filter is not supported for change tracking.");
        }
        Err(answer) => return answer,
    };
    let order = option(&query, "$orderby");
    if order.as_ref().is_some_and(|o| !o.eq_ignore_ascii_case("receivedDateTime desc")) {
        return bad("Only receivedDateTime desc is supported as $orderby for change tracking.");
    }
    if option(&query, "$search").is_some() {
        return bad("$search is not supported with change tracking.");
    }
    let (size, preferred) = match page_size(call, &query, 10) {
        Ok((size, preferred)) => (size.min(job.world.limits.page_max), preferred),
        Err(answer) => return answer,
    };
    let kinds = option(&query, "changeType").map(|k| k.to_ascii_lowercase());
    if first && (order.is_some() || filter.is_some()) {
        token.walk = Some((i64::MAX, u32::MAX));
    }
    let only_removed = job.world.odd("only_removed");
    let mailbox = job.mailbox();
    let mut entries = Vec::with_capacity(size);
    walk_by_date(mailbox, folder, &mut token, &filter, size, &mut entries);
    let more = if token.walk.is_some() {
        true
    } else {
        walk_journal(mailbox, folder, &mut token, &filter, kinds.as_deref(), (view.immutable, only_removed), size, &mut entries)
    };
    if !more {
        // From now on everything that leaves is told.
        (token.start, token.listed) = (0, 0);
    }
    let mut out = String::with_capacity(entries.len() * 2048 + 1024);
    out.push_str("{\"@odata.context\":");
    push_text(&mut out, &job.context("messages/$delta"));
    push_link(&mut out, job, &token, more);
    out.push_str(",\"value\":[");
    let mailbox = job.mailbox();
    for (n, entry) in entries.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        match entry {
            Entry::Here(key) => {
                if let Some(message) = mailbox.get(*key) {
                    push_message(&mut out, mailbox, message, &view, None);
                }
            }
            Entry::Left(id) => {
                out.push_str("{\"@odata.type\":\"#microsoft.graph.message\",\"id\":");
                push_text(&mut out, id);
                out.push_str(",\"@removed\":{\"reason\":\"deleted\"}}");
            }
        }
    }
    out.push_str("]}");
    applied(Answer::raw_json(200, out), first, preferred)
}

fn push_link(out: &mut String, job: &Job, token: &Token, more: bool) {
    let (name, option) = if more { ("nextLink", "$skiptoken") } else { ("deltaLink", "$deltatoken") };
    let link = format!("{}{}?{option}={}", job.call.origin, job.call.path, seal(&job.world.secret, token));
    out.push_str(&format!(",\"@odata.{name}\":"));
    push_text(out, &link);
}

fn applied(answer: Answer, first: bool, preferred: Option<usize>) -> Answer {
    let mut all = Vec::new();
    if first {
        all.push("odata.track-changes".to_string());
    }
    if let Some(size) = preferred {
        all.push(format!("odata.maxpagesize={size}"));
    }
    if all.is_empty() { answer } else { answer.with("Preference-Applied", all.join(", ")) }
}

fn keeps(filter: &Option<Filter>, received: i64) -> bool {
    match filter {
        Some(Filter::Compare(_, op, Value::Time(from))) => {
            let received = received.div_euclid(1000) * 1000;
            if op == "gt" { received > *from } else { received >= *from }
        }
        _ => true,
    }
}

/// The newest first, as long as the token walks by date.
fn walk_by_date(mailbox: &Mailbox, folder: usize, token: &mut Token, filter: &Option<Filter>, size: usize, out: &mut Vec<Entry>) {
    let Some(from) = token.walk else { return };
    let mut rest = mailbox.folders[folder].order.range(..from).rev().peekable();
    while out.len() < size {
        let full = filter.is_some() && token.listed >= FILTERED_MAX;
        let next = rest.next().filter(|(received, _)| !full && keeps(filter, *received));
        let Some((received, key)) = next else {
            token.walk = None;
            break;
        };
        out.push(Entry::Here(*key));
        token.listed += 1;
        token.walk = Some((*received, *key));
    }
    let full = filter.is_some() && token.listed >= FILTERED_MAX;
    if token.walk.is_some() && (full || !rest.peek().is_some_and(|(received, _)| keeps(filter, *received))) {
        token.walk = None;
    }
    if token.walk.is_none() {
        token.at = token.start;
    }
}

/// Changes in the order in which they happened; true when there are more.
#[allow(clippy::too_many_arguments)]
fn walk_journal(
    mailbox: &Mailbox,
    folder: usize,
    token: &mut Token,
    filter: &Option<Filter>,
    kinds: Option<&str>,
    (immutable, only_removed): (bool, bool),
    size: usize,
    out: &mut Vec<Entry>,
) -> bool {
    let wanted = |kind: &str| kinds.is_none_or(|k| k.split(',').any(|k| k.trim() == kind));
    let base = token.at;
    // Of what left and came back, only the leaving is told.
    let left: Vec<&str> = mailbox.folders[folder]
        .journal
        .after(if only_removed { base } else { u64::MAX - 1 })
        .filter_map(|(_, change)| if let Change::Left { immutable, .. } = change { Some(immutable.as_str()) } else { None })
        .collect();
    for (seq, change) in mailbox.folders[folder].journal.after(base) {
        let entry = match change {
            Change::Here(key) => mailbox
                .get(*key)
                .filter(|m| !left.contains(&m.immutable.as_str()))
                .filter(|m| keeps(filter, m.received) && wanted(if m.arrived > base { "created" } else { "updated" }))
                .map(|_| Entry::Here(*key)),
            Change::Left { id, immutable: kept, received } => {
                (seq > token.start && keeps(filter, *received) && wanted("deleted"))
                    .then(|| Entry::Left(if immutable { kept.clone() } else { id.clone() }))
            }
        };
        if entry.is_some() && out.len() >= size {
            return true;
        }
        token.at = seq;
        out.extend(entry);
    }
    false
}

/// The tree of folders.
pub fn folders(job: &mut Job) -> Answer {
    let seq = job.mailbox().seq;
    let (mut token, first) = match begin(job, seq) {
        Ok(Start { token, is_first }) => (token, is_first),
        Err(answer) => return answer,
    };
    let query = form(&token.query);
    let select = odata::names(option(&query, "$select"));
    if let Err(trouble) = selected(&select, &FOLDER) {
        return refused(trouble);
    }
    let (size, preferred) = match page_size(job.call, &query, 100) {
        Ok(sizes) => sizes,
        Err(answer) => return answer,
    };
    let mailbox = job.mailbox();
    let mut items = Vec::new();
    let mut more = false;
    for (seq, change) in mailbox.folder_journal.after(token.at) {
        let item = match change {
            Change::Here(at) => {
                let shown = mailbox.folders.get(*at as usize).is_some_and(|f| !f.hidden && !f.gone);
                (shown && *at as usize != super::store::ROOT).then(|| super::folders::json(mailbox, *at as usize, &select))
            }
            Change::Left { id, .. } => (seq > token.start).then(
                || serde_json::json!({"@odata.type": "#microsoft.graph.mailFolder", "id": id, "@removed": {"reason": "deleted"}}),
            ),
        };
        if item.is_some() && items.len() >= size {
            more = true;
            break;
        }
        token.at = seq;
        items.extend(item);
    }
    if !more {
        token.start = 0;
    }
    answer(job, "mailFolders/$delta", &token, more, items, (first, preferred))
}

/// A page of a round.
pub fn answer(job: &Job, context: &str, token: &Token, more: bool, items: Vec<serde_json::Value>, (first, preferred): (bool, Option<usize>)) -> Answer {
    let mut out = String::from("{\"@odata.context\":");
    push_text(&mut out, &job.context(context));
    push_link(&mut out, job, token, more);
    out.push_str(",\"value\":");
    out.push_str(&serde_json::Value::Array(items).to_string());
    out.push('}');
    applied(Answer::raw_json(200, out), first, preferred)
}
