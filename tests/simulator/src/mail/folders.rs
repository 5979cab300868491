//! Mail folders.

use super::store::{Mailbox, ROOT};
use super::{Job, not_found};
use crate::graph::{bad, page};
use crate::http::Answer;
use crate::odata::{self, Row};
use serde_json::{Map, Value, json as make};

pub fn json(mailbox: &Mailbox, at: usize, select: &[String]) -> Value {
    let folder = &mailbox.folders[at];
    let parent = mailbox.folders.get(folder.parent).map_or("", |f| &f.id);
    let all = make!({
        "id": folder.id, "displayName": folder.name, "parentFolderId": parent,
        "childFolderCount": mailbox.children(at, false).len(), "unreadItemCount": folder.unread,
        "totalItemCount": folder.order.len(), "isHidden": folder.hidden,
    });
    if select.is_empty() {
        return all;
    }
    let mut out = Map::new();
    for (key, value) in all.as_object().into_iter().flatten() {
        if key == "id" || select.iter().any(|s| s.eq_ignore_ascii_case(key)) {
            out.insert(key.clone(), value.clone());
        }
    }
    Value::Object(out)
}

struct FolderRow<'a>(&'a Mailbox, usize);

impl Row for FolderRow<'_> {
    fn get(&self, path: &str) -> odata::Value {
        let folder = &self.0.folders[self.1];
        match path.to_ascii_lowercase().as_str() {
            "displayname" => odata::Value::Text(folder.name.clone()),
            "id" => odata::Value::Text(folder.id.clone()),
            "unreaditemcount" => odata::Value::Number(folder.unread as f64),
            "totalitemcount" => odata::Value::Number(folder.order.len() as f64),
            _ => odata::Value::Null,
        }
    }

    fn items(&self, _: &str) -> Vec<Vec<(String, String)>> {
        Vec::new()
    }
}

pub fn list(job: &mut Job, parent: usize) -> Answer {
    let call = job.call;
    let hidden = call.param("includeHiddenFolders").is_some_and(|h| h.eq_ignore_ascii_case("true"));
    let filter = match call.param("$filter").map(|f| odata::parse(&f)).transpose() {
        Ok(filter) => filter,
        Err(text) => return bad(text),
    };
    let number = |name: &str, default: usize| call.param(name).map_or(Some(default), |t| t.parse::<usize>().ok());
    let (Some(top @ 1..=1000), Some(skip)) = (number("$top", 10), number("$skip", 0)) else {
        return bad("The value of the $top or $skip query option is not valid.");
    };
    let select = odata::names(call.param("$select"));
    let mailbox = job.mailbox();
    let mut all = mailbox.children(parent, hidden);
    all.retain(|f| filter.as_ref().is_none_or(|filter| filter.holds(&FolderRow(mailbox, *f))));
    let value = all.iter().skip(skip).take(top).map(|f| json(mailbox, *f, &select)).collect();
    let next = (skip + top < all.len()).then(|| odata::relink(call, "$skip", &(skip + top).to_string()));
    let count = (call.param("$count").as_deref() == Some("true")).then_some(all.len());
    page(job.context("mailFolders"), value, next, count)
}

fn shown(job: &mut Job, status: u16, at: usize) -> Answer {
    let select = odata::names(job.call.param("$select"));
    let mut folder = json(job.mailbox(), at, &select);
    folder["@odata.context"] = make!(job.context("mailFolders/$entity"));
    Answer::json(status, &folder)
}

pub fn get(job: &mut Job, at: usize) -> Answer {
    shown(job, 200, at)
}

fn name_of(job: &Job) -> Option<String> {
    job.call.json()?["displayName"].as_str().map(String::from).filter(|n| !n.is_empty())
}

fn taken(mailbox: &Mailbox, parent: usize, name: &str) -> bool {
    mailbox.children(parent, true).iter().any(|f| mailbox.folders[*f].name.eq_ignore_ascii_case(name))
}

fn exists() -> Answer {
    Answer::fail(409, "ErrorFolderExists", "A folder with the specified name already exists.")
}

pub fn create(job: &mut Job, parent: usize) -> Answer {
    let Some(name) = name_of(job) else {
        return bad("The folder needs a displayName.");
    };
    let hidden = job.call.json().is_some_and(|b| b["isHidden"] == true);
    if taken(job.mailbox(), parent, &name) {
        return exists();
    }
    let at = job.world.mail[job.person].add_folder(&mut job.world.ids, &name, parent, None, hidden);
    shown(job, 201, at)
}

pub fn rename(job: &mut Job, at: usize) -> Answer {
    let Some(name) = name_of(job) else {
        return bad("The folder needs a displayName.");
    };
    let mailbox = job.mailbox();
    if mailbox.folders[at].well_known.is_some() {
        return Answer::fail(400, "ErrorCannotUpdateDistinguishedFolder", "A distinguished folder cannot be renamed.");
    }
    if taken(mailbox, mailbox.folders[at].parent, &name) {
        return exists();
    }
    mailbox.folders[at].name = name;
    mailbox.folder_changed(at);
    shown(job, 200, at)
}

pub fn delete(job: &mut Job, at: usize) -> Answer {
    let mailbox = job.mailbox();
    if mailbox.folders[at].well_known.is_some() {
        return Answer::fail(400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.");
    }
    mailbox.drop_folder(at);
    Answer::empty(204)
}

pub fn shift(job: &mut Job, at: usize) -> Answer {
    let to = job.call.json().and_then(|b| b["destinationId"].as_str().map(String::from)).unwrap_or_default();
    let mailbox = job.mailbox();
    let Some(to) = mailbox.folder(&to) else {
        return not_found();
    };
    let mut above = to;
    while above != ROOT {
        if above == at {
            return bad("A folder cannot be moved into itself.");
        }
        above = mailbox.folders[above].parent;
    }
    mailbox.folders[at].parent = to;
    mailbox.folder_changed(at);
    shown(job, 200, at)
}
