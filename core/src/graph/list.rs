//! Lists that are read whole, page by page.

use super::paging::Pages;
use super::wire;
use super::{Caller, Graph};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use http::{HeaderName, HeaderValue};
use url::Url;

/// Pages of a list that are read; more of them do not end.
pub(super) const MOST_PAGES: usize = 1_000;

/// A list that was read to its end.
pub struct List<T> {
    pub items: Vec<T>,
    /// Items of no usable form, above all without an id: they cannot be asked about.
    pub(super) unread: usize,
}

impl<T> List<T> {
    /// Where one that cannot be read may be the very one that is looked for.
    pub fn all(self) -> Result<Vec<T>> {
        if self.unread > 0 { Err(wire::unreadable()) } else { Ok(self.items) }
    }
}

const CONSISTENCY: HeaderName = HeaderName::from_static("consistencylevel");

impl Graph {
    /// Every item of every page; None: there is no such collection.
    pub(super) async fn list<T: serde::de::DeserializeOwned>(&self, caller: &Caller, first: Url) -> Result<Option<List<T>>> {
        self.list_on(caller, first.clone(), Pages::of(first), usize::MAX, false).await
    }

    /// The first of them, at most this many.
    pub(super) async fn list_some<T: serde::de::DeserializeOwned>(&self, caller: &Caller, first: Url, most: usize) -> Result<Option<List<T>>> {
        self.list_by(caller, first, most, false).await
    }

    /// `is_eventual`: it is a search in the directory, which Graph answers from its index alone (advanced queries on directory objects).
    pub(super) async fn list_by<T: serde::de::DeserializeOwned>(&self, caller: &Caller, first: Url, most: usize, is_eventual: bool) -> Result<Option<List<T>>> {
        self.list_on(caller, first.clone(), Pages::of(first), most, is_eventual).await
    }

    /// The same from a later page on.
    pub(super) async fn list_on<T: serde::de::DeserializeOwned>(&self, caller: &Caller, mut url: Url, mut pages: Pages, most: usize, is_eventual: bool) -> Result<Option<List<T>>> {
        let mut list = List { items: Vec::new(), unread: 0 };
        for _ in 0..MOST_PAGES {
            let mut request = self.get(caller, url.clone());
            if is_eventual {
                request = request.header(CONSISTENCY, HeaderValue::from_static("eventual"));
            }
            let Some(response) = self.look(request).await? else { return Ok(None) };
            let text = json::text(&response.body);
            let mut page = wire::page(&text)?;
            if response.repeats(&text) {
                return Err(wire::repeating().on_account(&caller.account_id));
            }
            for raw in page.items()? {
                match wire::item(raw.get()) {
                    Some(item) => list.items.push(item),
                    None => list.unread += 1,
                }
            }
            if list.items.len() >= most {
                list.items.truncate(most);
                return Ok(Some(list));
            }
            let Some(link) = page.next_link else { return Ok(Some(list)) };
            url = pages.next(self.pipeline.hosts(), &self.root, caller, &link)?;
        }
        Err(Error::new(ErrorKind::Upstream, "A list of Microsoft's does not end."))
    }
}
