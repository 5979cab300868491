//! Mail folders.

use super::item::destination;
use super::store::{Mailbox, ROOT};
use super::{Job, not_found};
use crate::actions::{only, outlook};
use crate::graph::{bad, page};
use crate::http::Answer;
use crate::odata::{self, Row};
use crate::query;
use crate::schema::FOLDER;
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
            "parentfolderid" => self.0.folders.get(folder.parent).map_or(odata::Value::Null, |f| odata::Value::Text(f.id.clone())),
            "childfoldercount" => odata::Value::Number(self.0.children(self.1, false).len() as f64),
            "ishidden" => odata::Value::Bool(folder.hidden),
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
    let read = || {
        let (filter, order) = (query::filter(call, &FOLDER)?, query::order(call, &FOLDER)?);
        let select = query::select(call, &FOLDER, "RequestBroker--ParseUri")?;
        Ok((filter, order, select, query::window(call, 10, 1000)?, query::count(call)?))
    };
    let (filter, order, select, (top, skip), counted) = match read() {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let mailbox = job.mailbox();
    let mut all = mailbox.children(parent, hidden);
    all.retain(|f| filter.as_ref().is_none_or(|filter| filter.holds(&FolderRow(mailbox, *f))));
    odata::sort(&mut all, &order, |at, path| FolderRow(mailbox, *at).get(path));
    let value = all.iter().skip(skip).take(top).map(|f| json(mailbox, *f, &select)).collect();
    let next = (skip + top < all.len()).then(|| odata::relink(call, "$skip", &(skip + top).to_string()));
    let count = counted.then_some(all.len());
    page(job.context("mailFolders"), value, next, count)
}

fn shown(job: &mut Job, status: u16, at: usize) -> Answer {
    let select = match query::select(job.call, &FOLDER, "RequestBroker--ParseUri") {
        Ok(select) => select,
        Err(answer) => return answer,
    };
    let mut folder = json(job.mailbox(), at, &select);
    folder["@odata.context"] = make!(job.context("mailFolders/$entity"));
    Answer::json(status, &folder)
}

pub fn get(job: &mut Job, at: usize) -> Answer {
    shown(job, 200, at)
}

/// Name, and whether it is to be hidden.
fn asked(job: &Job, known: &[&str]) -> Result<(String, bool), Answer> {
    let body = job.call.json().map(|b| outlook(&b)).unwrap_or_default();
    let kind = body["@odata.type"].as_str().unwrap_or("#microsoft.graph.mailFolder");
    if !kind.ends_with(".mailFolder") {
        return Err(query::lacking(format!("folders of the type {kind}")));
    }
    only(&body, "mailFolder", known, &["singleValueExtendedProperties", "multiValueExtendedProperties", "childFolders", "messages", "messageRules"])?;
    match body["displayName"].as_str().filter(|n| !n.is_empty()) {
        Some(name) => Ok((name.to_string(), body["isHidden"] == true)),
        None => Err(bad("The folder needs a displayName.")),
    }
}

fn taken(mailbox: &Mailbox, parent: usize, name: &str) -> bool {
    mailbox.children(parent, true).iter().any(|f| mailbox.folders[*f].name.eq_ignore_ascii_case(name))
}

fn exists() -> Answer {
    Answer::fail(409, "ErrorFolderExists", "A folder with the specified name already exists.")
}

pub fn create(job: &mut Job, parent: usize) -> Answer {
    let (name, hidden) = match asked(job, &["displayName", "isHidden"]) {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    if taken(job.mailbox(), parent, &name) {
        return exists();
    }
    let at = job.world.mail[job.person].add_folder(&mut job.world.ids, &name, parent, None, hidden);
    shown(job, 201, at)
}

pub fn rename(job: &mut Job, at: usize) -> Answer {
    let (name, _) = match asked(job, &["displayName"]) {
        Ok(asked) => asked,
        Err(answer) => return answer,
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
    let (to, name) = match landing(job, at, "move") {
        Ok(landing) => landing,
        Err(answer) => return answer,
    };
    let mailbox = job.mailbox();
    if mailbox.folders[at].well_known.is_some() {
        return Answer::fail(400, "ErrorMoveDistinguishedFolder", "A distinguished folder cannot be moved.");
    }
    if mailbox.folders[at].parent != to && taken(mailbox, to, &name) {
        return exists();
    }
    mailbox.folders[at].parent = to;
    mailbox.folder_changed(at);
    shown(job, 200, at)
}

/// Where a folder is to go, and its name.
fn landing(job: &mut Job, at: usize, action: &str) -> Result<(usize, String), Answer> {
    let to = destination(job.call, action)?;
    let mailbox = job.mailbox();
    let to = mailbox.folder(&to).ok_or_else(not_found)?;
    let mut above = to;
    loop {
        if above == at {
            return Err(Answer::fail(400, "ErrorMoveCopyFailed", format!("A folder cannot be put into itself by {action}.")));
        }
        if above == ROOT {
            break;
        }
        above = mailbox.folders[above].parent;
    }
    Ok((to, mailbox.folders[at].name.clone()))
}

/// A twin of the folder, with all that is in it and below it.
pub fn copy(job: &mut Job, at: usize) -> Answer {
    let (to, name) = match landing(job, at, "copy") {
        Ok(landing) => landing,
        Err(answer) => return answer,
    };
    if taken(job.mailbox(), to, &name) {
        return exists();
    }
    let twin = twin(job, at, to);
    shown(job, 201, twin)
}

fn twin(job: &mut Job, at: usize, parent: usize) -> usize {
    let world = &mut *job.world;
    let mailbox = &mut world.mail[job.person];
    let (name, hidden) = (mailbox.folders[at].name.clone(), mailbox.folders[at].hidden);
    let (children, keys) = (mailbox.children(at, true), mailbox.folders[at].order.iter().map(|(_, key)| *key).collect::<Vec<_>>());
    let made = mailbox.add_folder(&mut world.ids, &name, parent, None, hidden);
    for key in keys {
        if let Some(mut copy) = mailbox.get(key).cloned() {
            copy.attachments.iter_mut().for_each(|a| a.id.clear());
            mailbox.insert(&mut world.ids, made, copy);
        }
    }
    for child in children {
        twin(job, child, made);
    }
    made
}

pub fn count(job: &mut Job, parent: usize) -> Answer {
    let hidden = job.call.param("includeHiddenFolders").is_some_and(|h| h.eq_ignore_ascii_case("true"));
    let filter = match query::filter(job.call, &FOLDER) {
        Ok(filter) => filter,
        Err(answer) => return answer,
    };
    let mailbox = job.mailbox();
    let all = mailbox.children(parent, hidden);
    let count = all.iter().filter(|f| filter.as_ref().is_none_or(|filter| filter.holds(&FolderRow(mailbox, **f)))).count();
    Answer::bytes(200, "text/plain", crate::http::Bytes::from(count.to_string()))
}
