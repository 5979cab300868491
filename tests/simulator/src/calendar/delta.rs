//! What changed in a view since a token, page by page. Source: Graph, event: delta; and microsoft-graph-docs#4501, #6599, #7632 for what it does not say.

use super::{shown, window};
use crate::graph::not_allowed;
use crate::http::{Answer, form};
use crate::mail::Job;
use crate::mail::delta::{Start, answer, begin, page_size};
use crate::mail::journal::Change;
use serde_json::json;

const OPTIONS: [&str; 2] = ["startDateTime", "endDateTime"];

pub fn view(job: &mut Job) -> Answer {
    if job.call.method != "GET" {
        return not_allowed();
    }
    let seq = job.calendar().seq;
    let Start { mut token, is_first } = match begin(job, seq) {
        Ok(start) => start,
        Err(answer) => return answer,
    };
    let query = form(&token.query);
    if let Some((name, _)) = query.iter().find(|(name, _)| !OPTIONS.iter().any(|known| known.eq_ignore_ascii_case(name))) {
        return Answer::fail(400, "ErrorInvalidUrlQuery", format!("The following parameters are not supported with change tracking over the 'CalendarView' resource: '{name}'."));
    }
    let (from, to) = match window(&query) {
        Ok(window) => window,
        Err(answer) => return answer,
    };
    let (size, preferred) = match page_size(job.call, &[], 50) {
        Ok(sizes) => sizes,
        Err(answer) => return answer,
    };
    let (mut items, mut has_more, mut last_series) = (Vec::new(), false, None);
    let immutable = job.call.wants_immutable();
    let calendar = job.calendar();
    let left = |id: &str| json!({"@odata.type": "#microsoft.graph.event", "id": id, "@removed": {"reason": "deleted"}});
    for (seq, change) in calendar.journal.after(token.at) {
        let is_known = seq > token.start;
        let (item, series) = match change {
            Change::Here(key) => {
                let event = calendar.get(*key);
                let item = event.and_then(|event| match calendar.is_in_view(*key, from, to) {
                    true => Some(shown::in_delta(calendar, event, immutable)),
                    // One that was made or changed outside of the view is told as if it had been removed.
                    false => is_known.then(|| left(if immutable { &event.immutable } else { &event.id })),
                });
                (item, Some(event.and_then(|event| event.series).unwrap_or(*key)))
            }
            Change::Left { id, immutable: kept, .. } => (is_known.then(|| left(if immutable { kept } else { id })), None),
        };
        // A series is not divided between pages.
        if item.is_some() && items.len() >= size && (series.is_none() || series != last_series) {
            has_more = true;
            break;
        }
        token.at = seq;
        if item.is_some() {
            last_series = series;
        }
        items.extend(item);
    }
    if !has_more {
        token.start = 0;
    }
    answer(job, "events/$delta", &token, has_more, items, (is_first, preferred))
}
