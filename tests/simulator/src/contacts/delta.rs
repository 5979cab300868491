//! What changed among the contacts of a folder since a token, page by page.

use super::shown;
use crate::http::{Answer, form};
use crate::mail::Job;
use crate::mail::delta::{Start, answer, begin, option, page_size};
use crate::mail::journal::Change;
use crate::odata;
use crate::query::{refused, selected};
use crate::schema::CONTACT;
use serde_json::json;

pub fn contacts(job: &mut Job, folder: usize) -> Answer {
    let seq = job.contacts().seq;
    let (mut token, is_first) = match begin(job, seq) {
        Ok(Start { token, is_first }) => (token, is_first),
        Err(answer) => return answer,
    };
    let query = form(&token.query);
    if let Some((name, _)) = query.iter().find(|(name, _)| !["$select", "$top"].iter().any(|known| known.eq_ignore_ascii_case(name))) {
        return Answer::fail(400, "ErrorInvalidUrlQuery", format!("The following parameters are not supported with change tracking over the 'Contacts' resource: '{name}'."));
    }
    let select = odata::names(option(&query, "$select"));
    if let Err(trouble) = selected(&select, &CONTACT) {
        return refused(trouble);
    }
    let (size, preferred) = match page_size(job.call, &query, 50) {
        Ok(sizes) => sizes,
        Err(answer) => return answer,
    };
    let (mut items, mut has_more) = (Vec::new(), false);
    let immutable = job.call.wants_immutable();
    let contacts = job.contacts();
    for (seq, change) in contacts.folders[folder].journal.after(token.at) {
        let item = match change {
            Change::Here(key) => contacts.get(*key).map(|contact| shown::contact(contacts, contact, immutable, &select)),
            Change::Left { id, immutable: kept, .. } => {
                let id = if immutable { kept } else { id };
                (seq > token.start).then(|| json!({"@odata.type": "#microsoft.graph.contact", "id": id, "@removed": {"reason": "deleted"}}))
            }
        };
        if item.is_some() && items.len() >= size {
            has_more = true;
            break;
        }
        token.at = seq;
        items.extend(item);
    }
    if !has_more {
        token.start = 0;
    }
    answer(job, "contacts/$delta", &token, has_more, items, (is_first, preferred))
}
