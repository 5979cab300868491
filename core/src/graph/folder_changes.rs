//! What is new in the tree of folders since a link: one request where nothing is. Source: Graph, mailFolder: delta.

use super::delta::is_forgotten;
use super::folders::{FOLDER, GraphFolder, MOST_FOLDERS, WireFolder, too_many};
use super::list::MOST_PAGES;
use super::paging::Pages;
use super::wire::{self, Page};
use super::{Caller, Graph, IMMUTABLE, PREFER, fault};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use http::HeaderValue;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Folders of a page.
const PAGE: u32 = 500;

#[derive(Debug, Default)]
pub struct FolderChanges {
    /// New ones, and those that are not as they were; without their well-known names.
    pub changed: Vec<GraphFolder>,
    /// Ids of those that were removed.
    pub gone: Vec<String>,
    /// Where the next changes begin. None: something of these could not be read, so a link would leave it out for ever.
    pub link: Option<String>,
}

/// What was said of one folder last.
enum Told {
    Changed(Box<GraphFolder>),
    Gone,
}

impl Graph {
    /// Changes since a link of an earlier answer; all that there are, without one. None: the link is no longer good.
    pub async fn folder_changes(&self, caller: &Caller, from: Option<&str>) -> Result<Option<FolderChanges>> {
        let first = self.url(&self.path(caller, "mailFolders/delta").await?, &[("$select", FOLDER)])?;
        let mut pages = Pages::of(first.clone());
        let mut url = match from {
            Some(link) => match pages.next(self.pipeline.hosts(), &self.root, caller, link) {
                Ok(url) => url,
                // A stored link is received data like a fresh one.
                Err(_) => return Ok(None),
            },
            None => first,
        };
        let prefer = HeaderValue::from_str(&format!("{IMMUTABLE}, odata.maxpagesize={PAGE}")).map_err(|_| Error::internal("A header could not be made."))?;
        let (mut told, mut order, mut is_clear) = (HashMap::new(), Vec::new(), true);
        for _ in 0..MOST_PAGES {
            let response = self.pipeline.send(self.get(caller, url).header(PREFER, prefer.clone())).await?;
            if !response.status.is_success() {
                if from.is_some() && is_forgotten(&response) {
                    return Ok(None);
                }
                return Err(fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id));
            }
            let text = json::text(&response.body);
            let mut page: Page<&RawValue> = wire::of_text(&text)?;
            if response.repeats(&text) {
                return Err(wire::repeating().on_account(&caller.account_id));
            }
            for raw in page.items()? {
                let Some(folder) = wire::item::<WireFolder>(raw.get()) else {
                    is_clear = false;
                    continue;
                };
                let id = folder.id.clone();
                let news = if folder.removed.is_some() { Told::Gone } else { Told::Changed(Box::new(folder.read())) };
                if told.insert(id.clone(), news).is_none() {
                    order.push(id);
                }
            }
            if order.len() > MOST_FOLDERS {
                return Err(too_many().on_account(&caller.account_id));
            }
            match (page.next_link, page.delta_link) {
                (Some(next), None) => url = pages.next(self.pipeline.hosts(), &self.root, caller, &next)?,
                (None, Some(link)) => {
                    // It is checked before it is stored; the same one again means that nothing happened.
                    super::paging::followed(self.pipeline.hosts(), &self.root, caller, pages.first(), &link)?;
                    let mut changes = FolderChanges { link: Some(link).filter(|_| is_clear), ..FolderChanges::default() };
                    for id in order {
                        match told.remove(&id) {
                            Some(Told::Changed(folder)) => changes.changed.push(*folder),
                            Some(Told::Gone) => changes.gone.push(id),
                            None => {}
                        }
                    }
                    return Ok(Some(changes));
                }
                _ => return Err(Error::new(ErrorKind::Upstream, "A page of folders says neither where it goes on nor that it is the last.")),
            }
        }
        Err(Error::new(ErrorKind::Upstream, "A list of Microsoft's does not end."))
    }
}
