//! Messages of one folder by the date they came, page by page. A list shows a part of a folder at once; it tells of no removal and leads to no cursor, so
//! it never replaces the folder's delta.

use super::batch::Item;
use super::delta::{DeltaItem, MESSAGE, checked_items};
use super::paging::Pages;
use super::reading::{KeepBody, PageReader};
use super::{Caller, Graph, fault, segment, wire};
use crate::error::{Error, Result};
use crate::json::lenient;
use crate::model::rfc3339;
use crate::pipeline::{MAX_STREAMED, Sink};
use serde::Deserialize;
use std::sync::Arc;
use std::time::SystemTime;
use url::Url;

/// Which messages are listed. A message without a date is in no range but the open one.
#[derive(Debug, Clone)]
pub struct ListingRange {
    pub folder_id: String,
    /// Received then or later.
    pub from: Option<SystemTime>,
    /// Received before.
    pub to: Option<SystemTime>,
    pub order: ListingOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingOrder {
    NewestFirst,
    #[allow(dead_code)] // decided here ahead of the first back-fill of a range that goes forward
    OldestFirst,
}

impl ListingRange {
    /// Graph refuses an order by what is not filtered by, or is not filtered by first, so the range comes first and alone.
    fn filter(&self) -> Option<String> {
        let from = self.from.map(|at| format!("receivedDateTime ge {}", rfc3339::to_text(at)));
        let to = self.to.map(|at| format!("receivedDateTime lt {}", rfc3339::to_text(at)));
        let bounds: Vec<String> = from.into_iter().chain(to).collect();
        (!bounds.is_empty()).then(|| bounds.join(" and "))
    }
}

/// A list under way.
pub struct Listing {
    folder_id: String,
    page_size: u32,
    pages: Pages,
    /// None: the last page was read.
    next: Option<Url>,
    /// Why what follows cannot be asked for; told once what came is taken.
    fault: Option<Error>,
}

impl Listing {
    /// The link of the page that came last cannot be followed.
    pub fn has_unusable_link(&self) -> bool {
        self.fault.is_some()
    }

    /// The last page was not read yet.
    pub fn has_more(&self) -> bool {
        self.next.is_some() || self.fault.is_some()
    }
}

impl Graph {
    /// Nothing is asked yet. `page_size`: 1 to 1,000 messages. Errors: InvalidInput, for a folder id that cannot be part of an address.
    pub async fn listing(&self, caller: &Caller, range: &ListingRange, page_size: u32) -> Result<Listing> {
        let order = match range.order {
            ListingOrder::NewestFirst => "receivedDateTime desc",
            ListingOrder::OldestFirst => "receivedDateTime asc",
        };
        let (page_size, filter) = (page_size.clamp(1, 1000), range.filter());
        let top = page_size.to_string();
        let mut query = vec![("$select", MESSAGE), ("$top", top.as_str()), ("$orderby", order)];
        query.extend(filter.as_deref().map(|filter| ("$filter", filter)));
        let first = self.url(&self.path(caller, &format!("mailFolders/{}/messages", segment(&range.folder_id)?)).await?, &query)?;
        Ok(Listing { folder_id: range.folder_id.clone(), page_size, pages: Pages::of(first.clone()), next: Some(first), fault: None })
    }

    /// How many messages each folder holds, all of them or those received at `from` or later, in the order of the folders; None where it cannot be told, or the folder is gone.
    /// Errors are about the mailbox or the way there. Source: Graph, list messages; `$count`.
    pub async fn count_messages(&self, caller: &Caller, folder_ids: &[String], from: Option<SystemTime>) -> Result<Vec<Option<u32>>> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(rename = "@odata.count", default, deserialize_with = "lenient::scalar")]
            count: Option<i64>,
        }
        let mut paths = Vec::with_capacity(folder_ids.len());
        for id in folder_ids {
            let folder = self.path(caller, &format!("mailFolders/{}/messages", segment(id)?)).await?;
            let filter = from.map(|from| format!("&$filter=receivedDateTime%20ge%20{}", rfc3339::to_text(from))).unwrap_or_default();
            paths.push(format!("/{folder}?$select=id&$top=1&$count=true{filter}"));
        }
        let read = |item: Item| match item {
            Item::Found(body, proofs) if !proofs.are_in(&body) => wire::read::<Wire>(body.as_bytes()).ok().and_then(|wire| u32::try_from(wire.count?).ok()),
            Item::Found(..) | Item::Absent | Item::Failed(_) => None,
        };
        Ok(self.batch_get(caller, &paths, fault::is_absent).await?.into_iter().map(read).collect())
    }

    /// The next page; None after the last. It is read while it arrives; `keep` makes of each body what is kept of it. After an error the same page can be asked for again. A link that cannot be followed is the error of the call after its page, and ends the list.
    pub async fn listed(&self, caller: &Caller, listing: &mut Listing, keep: KeepBody) -> Result<Option<Vec<DeltaItem>>> {
        if let Some(fault) = listing.fault.take() {
            return Err(fault);
        }
        let Some(url) = listing.next.clone() else { return Ok(None) };
        let mut request = self.get(caller, url);
        // As with delta: a smaller page is the better next try.
        if listing.page_size > 1 {
            request.attempts = 2;
            request.max_body = MAX_STREAMED;
        }
        let reader = Arc::new(PageReader::new(&listing.folder_id, keep, request.max_body));
        request.sink = Some(Sink(reader.clone()));
        let response = self.ask(request).await?;
        let proofs = response.secrets.proofs();
        let read = || {
            let mut page = reader.finish()?.page;
            let items = checked_items(page.items()?, &listing.folder_id, &proofs)?;
            if page.next_link.as_ref().is_some_and(|link| proofs.are_in(link)) {
                return Err(wire::repeating());
            }
            Ok((items, page.next_link))
        };
        let (items, link) = read().map_err(|e| e.with_request_id(response.request_id()).on_account(&caller.account_id))?;
        let next = link.map(|link| listing.pages.next(self.pipeline.hosts(), &self.root, caller, &link)).transpose();
        (listing.next, listing.fault) = next.map_or_else(|error| (None, Some(error)), |next| (next, None));
        Ok(Some(items))
    }
}
