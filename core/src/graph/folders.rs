//! The tree of folders: which there are, and which of them are Microsoft's own.

use super::batch::Item;
use super::folder_changes::FolderChanges;
use super::list::List;
use super::mail::is_about_one;
use super::{Caller, Graph, fault, segment, wire};
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Properties of a folder that are asked for, always all and by name.
pub(super) const FOLDER: &str = "id,parentFolderId,displayName,childFolderCount,totalItemCount,unreadItemCount";
pub const WELL_KNOWN: [&str; 7] = ["inbox", "sentitems", "drafts", "deleteditems", "junkemail", "archive", "outbox"];
pub(super) const MOST_FOLDERS: usize = 20_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphFolder {
    pub id: String,
    pub parent_id: Option<String>,
    pub display_name: String,
    /// `inbox`, `sentitems` …
    pub well_known_name: Option<String>,
    pub total: u32,
    pub unread: u32,
    /// A search folder: it shows messages of others and holds none.
    pub is_search: bool,
}

/// What could be read of the mailbox's folders. One that cannot be read does not hide the others.
#[derive(Debug, Default)]
pub struct FolderList {
    pub folders: Vec<GraphFolder>,
    /// Well-known names whose folder could not be told now.
    pub untold: Vec<&'static str>,
    /// Folders may be missing in the list.
    pub is_part: bool,
    /// Why something is missing.
    pub problem: Option<Error>,
    /// Where the changes of this list go on. None: the mailbox does not tell.
    pub link: Option<String>,
}

/// Which folders have Microsoft's own names: their display names depend on the mailbox's language, and not every mailbox has all.
#[derive(Debug, Default)]
pub struct WellKnownFolders {
    /// By folder id.
    pub names: HashMap<String, String>,
    /// Names whose folder could not be told now, and why.
    pub untold: Vec<&'static str>,
    pub problem: Option<Error>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireFolder {
    #[serde(deserialize_with = "wire::id")]
    pub(super) id: String,
    #[serde(rename = "@removed", default)]
    pub(super) removed: Option<serde::de::IgnoredAny>,
    #[serde(rename = "@odata.type", default, deserialize_with = "lenient::scalar")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    parent_folder_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub(super) child_folder_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    total_item_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    unread_item_count: Option<i64>,
}

impl WireFolder {
    /// A search folder shows messages of others and holds none.
    fn is_search(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind.ends_with("mailSearchFolder"))
    }

    pub(super) fn read(self) -> GraphFolder {
        let count = |n: Option<i64>| u32::try_from(n.unwrap_or(0).max(0)).unwrap_or(u32::MAX);
        GraphFolder {
            is_search: self.is_search(),
            parent_id: self.parent_folder_id,
            display_name: self.display_name.unwrap_or_default(),
            well_known_name: None,
            total: count(self.total_item_count),
            unread: count(self.unread_item_count),
            id: self.id,
        }
    }
}

/// What lies below a folder says so, unless it says nothing. One that does not may have been moved in this moment.
fn below(parent: Option<&String>, found: Option<List<WireFolder>>) -> Result<Option<List<WireFolder>>> {
    let (Some(parent), Some(list)) = (parent, &found) else { return Ok(found) };
    let is_elsewhere = |folder: &WireFolder| folder.parent_folder_id.as_ref().is_some_and(|told| told != parent);
    if list.items.is_empty() || !list.items.iter().all(is_elsewhere) {
        return Ok(found);
    }
    Err(Error::new(ErrorKind::Upstream, "A list of folders belongs to another folder; nothing of it was kept. Try again later."))
}

impl Graph {
    /// All folders of all levels. What cannot be read of one of them is told in the list; errors are about all of it.
    pub async fn folders(&self, caller: &Caller) -> Result<FolderList> {
        let WellKnownFolders { names, untold, problem } = self.well_known(caller).await?;
        let mut list = self.all_folders(caller).await?;
        for folder in &mut list.folders {
            folder.well_known_name = names.get(&folder.id).cloned();
        }
        list.untold = untold;
        list.problem = problem.or(list.problem);
        Ok(list)
    }

    /// By their changes from the beginning. A mailbox that keeps no changes (it is full, or in a cloud that knows none) is read level by level.
    async fn all_folders(&self, caller: &Caller) -> Result<FolderList> {
        match self.folder_changes(caller, None).await {
            // A mailbox always has folders.
            Ok(Some(FolderChanges { changed, link: Some(link), .. })) if !changed.is_empty() => Ok(FolderList { folders: changed, link: Some(link), ..FolderList::default() }),
            Ok(_) => self.folders_by_level(caller).await,
            Err(error) if is_about_one(&error) => self.folders_by_level(caller).await,
            Err(error) => Err(error),
        }
    }

    async fn folders_by_level(&self, caller: &Caller) -> Result<FolderList> {
        let mut list = FolderList::default();
        let mut seen = HashSet::new();
        let mut open: Vec<Option<String>> = vec![None];
        while let Some(parent) = open.pop() {
            let path = match &parent {
                None => self.path(caller, "mailFolders").await?,
                Some(id) => self.path(caller, &format!("mailFolders/{}/childFolders", segment(id)?)).await?,
            };
            let url = self.url(&path, &[("$select", FOLDER), ("$top", "100")])?;
            let found = match self.list::<WireFolder>(caller, url).await.and_then(|found| below(parent.as_ref(), found)) {
                Ok(Some(found)) => {
                    // A folder that is shown without its id is there all the same.
                    list.is_part |= found.unread > 0;
                    found.items
                }
                // A mailbox always has folders: this one cannot be reached, which must not look as if all of them were deleted.
                Ok(None) if list.folders.is_empty() => return Err(Error::new(ErrorKind::NotFound, "Microsoft has no mailbox for this account now. Try again later, or ask an administrator.").on_account(&caller.account_id)),
                Ok(None) => continue, // deleted since its parent was read
                // The folders below one folder cannot be listed; those beside it can.
                Err(error) if !list.folders.is_empty() && is_about_one(&error) => {
                    list.is_part = true;
                    list.problem.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for wire in found {
                if !seen.insert(wire.id.clone()) {
                    continue;
                }
                if list.folders.len() >= MOST_FOLDERS {
                    return Err(too_many());
                }
                // Not told is not none.
                if wire.child_folder_count.map_or(!wire.is_search(), |count| count > 0) {
                    open.push(Some(wire.id.clone()));
                }
                list.folders.push(wire.read());
            }
        }
        Ok(list)
    }

    /// Ids of Microsoft's own folders.
    pub async fn well_known(&self, caller: &Caller) -> Result<WellKnownFolders> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(deserialize_with = "wire::id")]
            id: String,
        }
        let place = self.place(caller).await?;
        let paths: Vec<String> = WELL_KNOWN.iter().map(|name| format!("/{place}/mailFolders/{name}?$select=id")).collect();
        let found = self.batch_get(caller, &paths, fault::is_absent).await?;
        let mut list = WellKnownFolders::default();
        for (name, item) in WELL_KNOWN.into_iter().zip(found) {
            let told = match item {
                Item::Found(body, proofs) if proofs.are_in(&body) => Err(wire::repeating()),
                Item::Found(body, _) => wire::read::<Wire>(body.as_bytes()),
                Item::Absent => continue,
                Item::Failed(error) => Err(error),
            };
            match told {
                Ok(folder) => {
                    list.names.insert(folder.id, name.to_owned());
                }
                // Its folder keeps the name it has here.
                Err(error) => {
                    list.untold.push(name);
                    list.problem.get_or_insert(error);
                }
            }
        }
        Ok(list)
    }
}

pub(super) fn too_many() -> Error {
    Error::new(ErrorKind::LimitExceeded, "This mailbox has more than 20,000 folders.")
}
