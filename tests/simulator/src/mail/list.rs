//! Lists of messages: filter, order, pages.

use super::kql::{self, Query};
use super::Job;
use super::json::{View, push_message, push_text};
use super::message::Message;
use super::store::Mailbox;
use crate::graph::bad;
use crate::http::{Answer, Bytes, base64url, unbase64};
use crate::odata::{self, Filter, Row, Value};
use crate::query;
use crate::schema::MESSAGE;

impl Row for (&Mailbox, &Message) {
    fn get(&self, path: &str) -> Value {
        let (mailbox, m) = self;
        let address = |who: &Option<super::message::Address>, name: bool| match who {
            Some(a) => Value::Text(if name { a.name.clone() } else { a.address.clone() }),
            None => Value::Null,
        };
        match path.to_ascii_lowercase().as_str() {
            "id" => Value::Text(m.immutable.clone()),
            // Graph's dates have whole seconds, and so has what is compared with them.
            "receiveddatetime" => Value::Time(m.received.div_euclid(1000) * 1000),
            "sentdatetime" => Value::Time(m.sent.div_euclid(1000) * 1000),
            "createddatetime" => Value::Time(m.created.div_euclid(1000) * 1000),
            "lastmodifieddatetime" => Value::Time(m.modified.max(m.created).div_euclid(1000) * 1000),
            "internetmessageid" => Value::Text(m.message_id.clone()),
            "conversationid" => Value::Text(mailbox.conversation_id(m.thread)),
            "subject" => Value::Text(m.subject.clone()),
            "importance" => Value::Text(m.importance.clone()),
            "isread" => Value::Bool(m.is_read),
            "isdraft" => Value::Bool(m.is_draft),
            "hasattachments" => Value::Bool(m.has_attachments()),
            "parentfolderid" => mailbox.folders.get(m.folder).map_or(Value::Null, |f| Value::Text(f.id.clone())),
            "from/emailaddress/address" => address(&m.from, false),
            "from/emailaddress/name" => address(&m.from, true),
            "sender/emailaddress/address" => address(&m.sender, false),
            "sender/emailaddress/name" => address(&m.sender, true),
            "flag/flagstatus" => Value::Text(m.flag.clone()),
            "body/content" => Value::Text(m.content()),
            "inferenceclassification" => Value::Text(if m.other_inbox { "other" } else { "focused" }.into()),
            _ => Value::Null,
        }
    }

    fn items(&self, path: &str) -> Vec<Vec<(String, String)>> {
        let m = self.1;
        match path.to_ascii_lowercase().as_str() {
            "singlevalueextendedproperties" => m
                .extended
                .iter()
                .map(|(id, value)| vec![("id".to_string(), id.clone()), ("value".to_string(), value.clone())])
                .collect(),
            "categories" => m.categories.iter().map(|c| vec![(String::new(), c.clone())]).collect(),
            _ => Vec::new(),
        }
    }
}

/// The messages of a folder, or of all that show, newest first.
fn newest_first(mailbox: &Mailbox, folder: Option<usize>) -> Vec<u32> {
    match folder {
        Some(folder) => mailbox.folders[folder].order.iter().rev().map(|(_, key)| *key).collect(),
        None => {
            let shown = mailbox.folders.iter().filter(|f| !f.gone && !f.hidden);
            let mut all: Vec<(i64, u32)> = shown.flat_map(|f| f.order.iter().copied()).collect();
            all.sort_unstable_by(|a, b| b.cmp(a));
            all.into_iter().map(|(_, key)| key).collect()
        }
    }
}

fn fits(mailbox: &Mailbox, key: u32, filter: &Option<Filter>, search: &Option<Query>) -> bool {
    let Some(message) = mailbox.get(key) else {
        return false;
    };
    filter.as_ref().is_none_or(|f| f.holds(&(mailbox, message))) && search.as_ref().is_none_or(|s| s.holds(message))
}

pub fn count(job: &mut Job, folder: Option<usize>) -> Answer {
    let filter = match query::filter(job.call, &MESSAGE) {
        Ok(filter) => filter,
        Err(answer) => return answer,
    };
    let mailbox = job.mailbox();
    let all = newest_first(mailbox, folder);
    let count = all.into_iter().filter(|key| fits(mailbox, *key, &filter, &None)).count();
    Answer::bytes(200, "text/plain", Bytes::from(count.to_string()))
}

/// What a list is asked for.
struct Ask {
    view: View,
    filter: Option<Filter>,
    search: Option<Query>,
    order: Vec<(String, bool)>,
    top: usize,
    skip: usize,
    count: bool,
}

fn asked(job: &Job, preferred: Option<usize>) -> Result<Ask, Answer> {
    let call = job.call;
    let view = View::of(call, call.param("$select"), call.param("$expand"))?;
    let (filter, order) = (query::filter(call, &MESSAGE)?, query::order(call, &MESSAGE)?);
    if filter.as_ref().is_some_and(|filter| !filtered_first(&order, &filter.properties())) {
        let text = "The restriction or sort order is too complex for this operation.";
        return Err(Answer::fail(400, "InefficientFilter", text));
    }
    let search = match call.param("$search") {
        None => None,
        Some(text) => {
            for (name, shown, code) in
                [("$filter", "$filter", "SearchWithFilter"), ("$orderby", "$orderBy", "SearchWithOrderBy"), ("$skip", "$skip", "SearchWithSkip")]
            {
                if call.param(name).is_some() {
                    let text = format!("The query parameter '{shown}' is not supported with '$search'.");
                    return Err(Answer::fail(400, code, text));
                }
            }
            if call.param("$count").is_some() {
                return Err(query::lacking("$count with $search"));
            }
            Some(kql::parse(&text, job.now).map_err(query::refused)?)
        }
    };
    let (top, mut skip) = query::window(call, preferred.unwrap_or(10).clamp(1, 1000), 1000)?;
    if let Some(text) = call.param("$skiptoken") {
        let place = unbase64(&text).and_then(|b| String::from_utf8(b).ok()).and_then(|t| t.strip_prefix("s=").and_then(|n| n.parse().ok()));
        skip = place.filter(|_| search.is_some()).ok_or_else(|| bad("The skip token is malformed."))?;
    }
    let top = top.clamp(1, job.world.limits.page_max);
    Ok(Ask { view, filter, search, order, top, skip, count: query::count(call)? })
}

/// What is ordered by is filtered by as well, in the same order, and before anything else that is.
/// Source: Graph, "List messages", using filter and orderby in the same query.
fn filtered_first(order: &[(String, bool)], filtered: &[&str]) -> bool {
    let mut once: Vec<&str> = Vec::new();
    for name in filtered {
        if !once.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            once.push(name);
        }
    }
    order.len() <= once.len() && order.iter().zip(once).all(|((ordered, _), name)| ordered.eq_ignore_ascii_case(name))
}

/// A search ends after so many messages.
const FOUND_MAX: usize = 1000;

pub fn messages(job: &mut Job, folder: Option<usize>) -> Answer {
    let call = job.call;
    let preferred = call.prefer("odata.maxpagesize").and_then(|n| n.parse::<usize>().ok());
    let Ask { view, filter, search, order, top, skip, count } = match asked(job, preferred) {
        Ok(ask) => ask,
        Err(answer) => return answer,
    };
    let option = if search.is_some() { "$skiptoken" } else { "$skip" };
    if let Some(text) = call.param(option)
        && job.world.ledger.changed_link(&call.path, &text, &call.url())
    {
        job.world.ledger.accuse("rebuilt_link", job.seq, format!("{} is not the nextLink given out", call.url()));
    }
    let mailbox = job.mailbox();
    let mut keys = newest_first(mailbox, folder);
    if filter.is_some() || search.is_some() {
        keys.retain(|key| fits(mailbox, *key, &filter, &search));
    }
    // A copy that is late is not in lists either, each look at it being one less to wait.
    keys.retain(|key| match mailbox.get_mut(*key).filter(|m| m.late > 0) {
        Some(message) => {
            message.late -= 1;
            false
        }
        None => true,
    });
    let sent_down = [("sentdatetime".to_string(), true)];
    let order = if search.is_some() { &sent_down[..] } else { &order };
    if order.first().is_none_or(|(path, down)| path != "receiveddatetime" || !down) || order.len() > 1 {
        sort(mailbox, &mut keys, order);
    }
    if search.is_some() {
        keys.truncate(FOUND_MAX);
    }
    let total = keys.len();
    let next = (skip + top < total).then(|| match search {
        Some(_) => base64url(format!("s={}", skip + top).as_bytes()),
        None => (skip + top).to_string(),
    });
    let link = next.as_ref().map(|next| odata::relink(call, option, next));
    let mut out = String::with_capacity(4096);
    out.push_str("{\"@odata.context\":");
    push_text(&mut out, &job.context("messages"));
    if count && skip == 0 {
        out.push_str(&format!(",\"@odata.count\":{total}"));
    }
    if let (Some(link), Some(next)) = (&link, &next) {
        out.push_str(",\"@odata.nextLink\":");
        push_text(&mut out, link);
        job.world.ledger.gave_link(&call.path, next, link);
    }
    out.push_str(",\"value\":[");
    let mailbox = job.mailbox();
    for (n, key) in keys.iter().skip(skip).take(top).enumerate() {
        let Some(message) = mailbox.get(*key) else {
            continue;
        };
        if n > 0 {
            out.push(',');
        }
        push_message(&mut out, mailbox, message, &view, None);
    }
    out.push_str("]}");
    let answer = Answer::raw_json(200, out);
    match preferred {
        Some(size) => answer.with("Preference-Applied", format!("odata.maxpagesize={size}")),
        None => answer,
    }
}

fn sort(mailbox: &Mailbox, keys: &mut [u32], order: &[(String, bool)]) {
    if order.is_empty() {
        return;
    }
    odata::sort(keys, order, |key, path| mailbox.get(*key).map_or(Value::Null, |m| (mailbox, m).get(path)));
}
