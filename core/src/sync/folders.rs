//! The tree of folders: what is new in it, and which of them are synced.

use super::named::{is_exactly, well_known};
use super::run::{SyncContext, folder_place};
use super::seeding::is_about_the_link;
use crate::config::ALL_FOLDERS;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{FolderChanges, FolderList, GraphFolder, WellKnownFolders};
use crate::seal::AadContext;
use crate::store::{FolderLink, FolderNews, FolderRow};
use crate::vault::DataKey;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is synced when neither the account nor the configuration names folders.
const USUAL_FOLDERS: [&str; 2] = ["inbox", "sentitems"];
/// The folders of an account that are to be synced.
#[derive(Debug, Clone)]
pub struct Chosen(Vec<String>);

impl Chosen {
    /// Those of the account; else those of the configuration; else the usual ones.
    pub fn of(account: &[String], configured: &[String]) -> Self {
        match (account, configured) {
            ([], []) => Self(USUAL_FOLDERS.map(str::to_owned).to_vec()),
            ([], names) | (names, _) => Self(names.to_vec()),
        }
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }

    fn is_all(&self) -> bool {
        self.0.iter().any(|name| name == ALL_FOLDERS)
    }

    fn holds(&self, row: &FolderRow) -> bool {
        self.has(&row.graph_id, row.well_known_name.as_deref(), row.is_search)
    }

    /// Whether a folder of the mailbox, as it says itself, is to be synced.
    pub fn holds_listed(&self, folder: &GraphFolder) -> bool {
        self.has(&folder.id, folder.well_known_name.as_deref(), folder.is_search)
    }

    fn has(&self, id: &str, well_known_name: Option<&str>, is_search: bool) -> bool {
        let is_named = |name: &String| is_exactly(name, id, well_known_name);
        !is_search && (self.is_all() || self.0.iter().any(is_named))
    }
}

/// What the mailbox told of its folders.
#[derive(Default)]
struct Heard {
    folders: Vec<GraphFolder>,
    gone: Vec<String>,
    /// These are all that there are.
    is_whole: bool,
    /// None: they were not asked for.
    names: Option<WellKnownFolders>,
    /// Folders may be missing.
    is_part: bool,
    problem: Option<Error>,
    link: Option<String>,
}

/// Brings the folders up to date. Answers why a folder that is to be synced could not be found, if that is so.
pub async fn refresh(context: &Arc<SyncContext>, chosen: &Chosen) -> Result<Option<Error>> {
    let heard = hear(context, chosen).await?;
    context.is_reached.store(true, Ordering::Relaxed);
    if let Some(error) = &heard.problem {
        let untold = heard.names.as_ref().map(|names| names.untold.as_slice()).unwrap_or_default();
        tracing::warn!(target: "tidings::sync", account = context.account.id, kind = ?error.kind(), reason = error.reason(), ?untold, is_part = heard.is_part, "a part of the folder list could not be read");
    }
    let (written, is_missing) = context.vault.with_current_keys(async || save(context, &heard, chosen).await).await?;
    failpoint!("sync.stored_folders");
    if written { Ok(heard.problem.filter(|_| is_missing)) } else { Err(context.taken_over().await) }
}

/// What is new since the last sync or, where that cannot be told, all of it.
async fn hear(context: &Arc<SyncContext>, chosen: &Chosen) -> Result<Heard> {
    let link = if begins_one(context, chosen).await? { None } else { stored_link(context).await? };
    if let Some(link) = link {
        match context.ask(context.graph.folder_changes(&context.caller(), Some(&link))).await {
            Ok(Some(changes)) => return changed(context, changes).await,
            Ok(None) => {}
            Err(error) if is_about_the_link(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let FolderList { folders, untold, is_part, problem, link } = context.ask(context.graph.folders(&context.caller())).await?;
    let names = folders.iter().filter_map(|folder| Some((folder.id.clone(), folder.well_known_name.clone()?))).collect();
    Ok(Heard { folders, is_whole: true, names: Some(WellKnownFolders { names, untold, problem: None }), is_part, problem, link, gone: Vec::new() })
}

/// A chosen folder is about to be enumerated. How many messages it holds bounds that, and changes of folders do not tell of every message.
async fn begins_one(context: &Arc<SyncContext>, chosen: &Chosen) -> Result<bool> {
    Ok(context.store.folders(&context.account.id).await?.iter().any(|folder| folder.cursor.is_none() && chosen.holds(&folder.row)))
}

async fn stored_link(context: &Arc<SyncContext>) -> Result<Option<String>> {
    let account_id = context.account.id.as_str();
    let open = async || match context.store.folder_link(account_id).await? {
        (Some(link), version) => context.vault.secrets(account_id).await?.open(link_place(account_id, version), &link).map(Some),
        (None, _) => Ok(None),
    };
    match context.vault.with_current_keys(open).await {
        Ok(link) => Ok(link.and_then(|plain| String::from_utf8(plain.to_vec()).ok())),
        // The list is read anew, which costs a request or two; should the account have changed, the write that follows is refused.
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::warn!(target: "tidings::sync", account = context.account.id, "the place in the list of folders cannot be read; the list is read anew");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A folder that is new may be one of Microsoft's own.
async fn changed(context: &Arc<SyncContext>, changes: FolderChanges) -> Result<Heard> {
    let FolderChanges { changed: folders, gone, link } = changes;
    let mut heard = Heard { folders, gone, link, ..Heard::default() };
    if heard.folders.is_empty() {
        return Ok(heard);
    }
    let known: HashSet<String> = context.store.folders(&context.account.id).await?.into_iter().map(|folder| folder.row.graph_id).collect();
    if heard.folders.iter().any(|folder| !known.contains(&folder.id)) {
        let mut names = context.ask(context.graph.well_known(&context.caller())).await?;
        heard.problem = names.problem.take();
        heard.names = Some(names);
    }
    Ok(heard)
}

/// Writes what differs from what is here. Answers whether it was allowed to, and whether a chosen folder is missing because the list is incomplete.
async fn save(context: &SyncContext, heard: &Heard, chosen: &Chosen) -> Result<(bool, bool)> {
    let account_id = context.account.id.as_str();
    let key = context.vault.content(account_id).await?;
    let before: HashMap<String, FolderRow> = context.store.folders(account_id).await?.into_iter().map(|folder| (folder.row.graph_id.clone(), folder.row)).collect();
    let told: HashSet<&str> = heard.folders.iter().map(|folder| folder.id.as_str()).collect();
    let mut news = FolderNews::default();
    let removed: HashSet<&str> = heard.gone.iter().map(String::as_str).collect();
    let is_gone = |id: &str| !told.contains(id) && if heard.is_whole { !heard.is_part } else { removed.contains(id) };
    news.gone = before.keys().filter(|id| is_gone(id)).cloned().collect();
    let mut after: Vec<FolderRow> = Vec::with_capacity(before.len());
    for folder in &heard.folders {
        after.push(row(&key, account_id, folder, before.get(&folder.id))?);
    }
    after.extend(before.values().filter(|row| !told.contains(row.graph_id.as_str()) && !is_gone(&row.graph_id)).cloned());
    for row in &mut after {
        if let Some(names) = &heard.names {
            row.well_known_name = own_name(names, row);
        }
        row.is_synced = chosen.holds(row);
        if before.get(&row.graph_id).is_none_or(|known| differs(known, row)) {
            news.changed.push(row.clone());
        }
    }
    let untold: &[&str] = heard.names.as_ref().map(|names| names.untold.as_slice()).unwrap_or_default();
    let is_found = |name: &String| after.iter().any(|row| is_exactly(name, &row.graph_id, row.well_known_name.as_deref()));
    let is_missing = chosen.names().iter().any(|name| if name == ALL_FOLDERS { heard.is_part } else { (heard.is_part || untold.contains(&well_known(name).unwrap_or(name))) && !is_found(name) });

    // Only what is complete goes on from here; else the next sync reads all of it.
    let (stored, version) = context.store.folder_link(account_id).await?;
    let link = heard.link.as_ref().filter(|_| !heard.is_part && heard.problem.is_none() && untold.is_empty());
    let is_same = news.changed.is_empty() && news.gone.is_empty();
    if is_same && stored.is_some() == link.is_some() && (!heard.is_whole || link.is_none()) {
        return Ok((true, is_missing));
    }
    if let Some(link) = link {
        let version = version + 1;
        news.link = Some(FolderLink { link: context.vault.secrets(account_id).await?.seal(link_place(account_id, version), link.as_bytes())?, version });
    }
    let written = context.store.save_folders(account_id, context.account.generation, &context.lease, &news, context.now()).await?;
    Ok((written, is_missing))
}

fn row(key: &DataKey, account_id: &str, folder: &GraphFolder, known: Option<&FolderRow>) -> Result<FolderRow> {
    let mut version = known.map_or(1, |row| row.version + 1);
    let mut name = None;
    if let Some(known) = known {
        // One that cannot be opened is sealed anew.
        let held = key.open(folder_place(account_id, &folder.id, known.version), &known.name);
        if held.is_ok_and(|held| *held == *folder.display_name.as_bytes()) {
            (version, name) = (known.version, Some(known.name.clone()));
        }
    }
    let name = match name {
        Some(name) => name,
        None => key.seal(folder_place(account_id, &folder.id, version), folder.display_name.as_bytes())?,
    };
    Ok(FolderRow {
        graph_id: folder.id.clone(),
        parent_id: folder.parent_id.clone(),
        well_known_name: known.and_then(|row| row.well_known_name.clone()),
        name,
        version,
        total: folder.total,
        unread: folder.unread,
        is_synced: false,
        is_search: folder.is_search,
    })
}

/// A name that cannot be told now stays with the folder that has it.
fn own_name(names: &WellKnownFolders, row: &FolderRow) -> Option<String> {
    let kept = || row.well_known_name.clone().filter(|name| names.untold.contains(&name.as_str()));
    names.names.get(&row.graph_id).cloned().or_else(kept)
}

fn differs(known: &FolderRow, row: &FolderRow) -> bool {
    let facts = |row: &FolderRow| (row.version, row.total, row.unread, row.is_synced, row.is_search);
    facts(known) != facts(row) || known.parent_id != row.parent_id || known.well_known_name != row.well_known_name
}

fn link_place(account_id: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "accounts", column: "folder_link", account_id, row: account_id, version }
}
