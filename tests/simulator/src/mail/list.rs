//! Lists of messages: filter, order, pages.

use super::Job;
use super::json::{View, push_message, push_text};
use super::message::Message;
use super::store::Mailbox;
use crate::graph::bad;
use crate::http::{Answer, Bytes};
use crate::odata::{self, Filter, Row, Value};

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
            "flag/flagstatus" => Value::Text(m.flag.clone()),
            "body/content" => Value::Text(m.content()),
            "inferenceclassification" => Value::Text(if m.other_inbox { "other" } else { "focused" }.into()),
            _ => Value::Null,
        }
    }

    fn items(&self, path: &str) -> Vec<Vec<(String, String)>> {
        let m = self.1;
        let people = |all: &[super::message::Address]| {
            let pair = |a: &super::message::Address| vec![("emailAddress/address".to_string(), a.address.clone())];
            all.iter().map(pair).collect()
        };
        match path.to_ascii_lowercase().as_str() {
            "singlevalueextendedproperties" => m
                .extended
                .iter()
                .map(|(id, value)| vec![("id".to_string(), id.clone()), ("value".to_string(), value.clone())])
                .collect(),
            "categories" => m.categories.iter().map(|c| vec![(String::new(), c.clone())]).collect(),
            "torecipients" => people(&m.to),
            "ccrecipients" => people(&m.cc),
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

fn filter_of(job: &Job) -> Result<Option<Filter>, Answer> {
    let text = job.call.param("$filter");
    text.map(|f| odata::parse(&f)).transpose().map_err(|text| Answer::fail(400, "BadRequest", text))
}

fn fits(mailbox: &Mailbox, key: u32, filter: &Option<Filter>, search: &Option<String>) -> bool {
    let Some(message) = mailbox.get(key) else {
        return false;
    };
    filter.as_ref().is_none_or(|f| f.holds(&(mailbox, message)))
        && search.as_ref().is_none_or(|s| {
            let from = message.from.as_ref().map_or("", |f| &f.address);
            format!("{} {} {}", message.subject, from, message.content()).to_lowercase().contains(s)
        })
}

pub fn count(job: &mut Job, folder: Option<usize>) -> Answer {
    let filter = match filter_of(job) {
        Ok(filter) => filter,
        Err(answer) => return answer,
    };
    let mailbox = job.mailbox();
    let all = newest_first(mailbox, folder);
    let count = all.into_iter().filter(|key| fits(mailbox, *key, &filter, &None)).count();
    Answer::bytes(200, "text/plain", Bytes::from(count.to_string()))
}

pub fn messages(job: &mut Job, folder: Option<usize>) -> Answer {
    let call = job.call;
    let view = match View::of(call, call.param("$select"), call.param("$expand")) {
        Ok(view) => view,
        Err(text) => return Answer::fail(400, "RequestBroker--ParseUri", text),
    };
    let filter = match filter_of(job) {
        Ok(filter) => filter,
        Err(answer) => return answer,
    };
    let order = call.param("$orderby").map(|o| o.to_ascii_lowercase());
    if let (Some(filter), Some(order)) = (&filter, &order) {
        let ordered: Vec<&str> = order.split(',').filter_map(|o| o.split_whitespace().next()).collect();
        let filtered = filter.properties();
        if !ordered.iter().zip(&filtered).all(|(o, f)| o.eq_ignore_ascii_case(f)) {
            let text = "The restriction or sort order is too complex for this operation.";
            return Answer::fail(400, "InefficientFilter", text);
        }
    }
    let search = call.param("$search").map(|s| s.trim_matches('"').to_lowercase());
    if search.is_some() && (filter.is_some() || order.is_some() || call.param("$skip").is_some()) {
        return Answer::fail(400, "SearchWithFilter", "The query parameter '$filter' is not supported with '$search'.");
    }
    let number = |name: &str| call.param(name).map(|t| t.parse::<usize>());
    let preferred = call.prefer("odata.maxpagesize").and_then(|n| n.parse::<usize>().ok());
    let top = match number("$top") {
        None => preferred.unwrap_or(10),
        Some(Ok(n)) if (1..=1000).contains(&n) => n,
        Some(_) => {
            return bad("The value of the $top query option is not valid: it must be between 1 and 1000.");
        }
    };
    let top = top.clamp(1, job.world.limits.page_max);
    let skip = match number("$skip") {
        None => 0,
        Some(Ok(n)) => n,
        Some(Err(_)) => return bad("The value of the $skip query option is not valid."),
    };
    if let Some(text) = call.param("$skip")
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
    sort(mailbox, &mut keys, order.as_deref());
    let total = keys.len();
    let next = (skip + top < total).then(|| (skip + top).to_string());
    let link = next.as_ref().map(|next| odata::relink(call, "$skip", next));
    let mut out = String::with_capacity(4096);
    out.push_str("{\"@odata.context\":");
    push_text(&mut out, &job.context("messages"));
    if call.param("$count").as_deref() == Some("true") && skip == 0 {
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

fn sort(mailbox: &Mailbox, keys: &mut [u32], order: Option<&str>) {
    let Some(order) = order else { return };
    let mut words = order.split(',').next().unwrap_or("").split_whitespace();
    let name = words.next().unwrap_or("");
    let down = words.next() == Some("desc");
    let rank = |key: &u32| {
        mailbox.get(*key).map(|m| match (mailbox, m).get(name) {
            Value::Time(ms) => (ms, String::new(), m.received, m.key),
            Value::Bool(yes) => (i64::from(yes), String::new(), m.received, m.key),
            Value::Text(text) => (0, text.to_lowercase(), m.received, m.key),
            _ => (0, String::new(), m.received, m.key),
        })
    };
    if name == "receiveddatetime" && down {
        return;
    }
    keys.sort_by_cached_key(rank);
    if down {
        keys.reverse();
    }
}
