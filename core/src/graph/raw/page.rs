//! Any list of Graph, page by page. Its links are followed on this cloud's Graph alone, in the same version, and none of them twice.
//!
//! Which collection a link is of is not compared, as it is for lists whose spellings are known: Graph names what a host asked for otherwise in its links
//! (`/me/drive/root/children` becomes `/drives/…/items/…/children`). What a link opens, the same token opens by a request.

use super::{RawCall, answered};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, Graph, delta, fault, wire};
use crate::json;
use crate::model::RawPage;
use crate::pipeline::Response;
use http::Method;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use url::Url;

/// A walk over a list.
pub struct PageWalk {
    call: RawCall,
    place: Place,
    /// Links that were followed.
    met: HashSet<u64>,
}

/// Where a walk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Before this page.
    At(Url),
    End,
}

impl PageWalk {
    /// Errors: InvalidInput, unless it asks for something.
    pub fn of(call: RawCall) -> Result<Self> {
        if call.request.method != Method::GET {
            return Err(Error::invalid("Pages are asked for with GET."));
        }
        let place = Place::At(call.request.url.clone());
        let met = HashSet::from([hash(&call.request.url)]);
        Ok(Self { call, place, met })
    }

    /// What is to be asked for now. None: the end is reached.
    pub fn call(&self) -> Option<RawCall> {
        let Place::At(url) = &self.place else { return None };
        let mut call = self.call.clone();
        call.request.url = url.clone();
        Some(call)
    }

    /// The page was handed out. Errors: Upstream at a link that was followed before, since the list would never end.
    pub fn advance(&mut self, place: Place) -> Result<()> {
        if let Place::At(url) = &place
            && !self.met.insert(hash(url))
        {
            return Err(circle());
        }
        self.place = place;
        Ok(())
    }
}

fn circle() -> Error {
    Error::new(ErrorKind::Upstream, "The pages of a list of Microsoft's lead in a circle. Try again later.")
}

impl Graph {
    /// One page, and where it goes on. Errors: a refusal by its kind, CursorExpired for a delta whose state is gone; InvalidInput, when it is no list;
    /// LinkRejected, when its links lead away.
    pub async fn raw_page(&self, caller: &Caller, call: &RawCall) -> Result<(RawPage, Place)> {
        let mut request = call.of(caller);
        // A list is never nothing at all.
        request.may_be_empty = false;
        let response = self.pipeline.send(request).await?;
        self.read_raw_page(call, response).map_err(|e| e.on_account(&caller.account_id))
    }

    fn read_raw_page(&self, call: &RawCall, response: Response) -> Result<(RawPage, Place)> {
        let (status, request_id) = (response.status, response.request_id());
        if !status.is_success() {
            let refused = fault::error(status, &response.body, &response.secrets);
            let lost = || Error::new(ErrorKind::CursorExpired, "Microsoft no longer knows the place that this link stands for. Read the list anew.");
            return Err(if delta::is_forgotten(&response) { lost() } else { refused }.with_request_id(request_id));
        }
        let answer = answered(response, call.request.safety)?;
        let text = json::text(&answer.body);
        let no_list = || Error::invalid("Microsoft's answer is no list. Ask for it with request.").with_request_id(request_id.clone());
        let mut members: BTreeMap<String, &RawValue> = json::of_text(&text).map_err(|_| wire::unreadable())?;
        let items: Vec<&RawValue> = members.remove("value").and_then(|value| serde_json::from_str(value.get()).ok()).ok_or_else(no_list)?;
        let envelope = serde_json::to_string(&members).map_err(|_| wire::unreadable())?;
        let page: wire::Page<serde::de::IgnoredAny> = json::of_text(&envelope).map_err(|_| wire::unreadable())?;
        let checked = |link: Option<String>| link.map(|link| self.pipeline.hosts().received(&link, call.request.purpose).map(|url| (link, url))).transpose();
        let (next, delta) = (checked(page.next_link)?, checked(page.delta_link)?);
        let place = next.as_ref().map_or(Place::End, |(_, url)| Place::At(url.clone()));
        let page = RawPage { items: items.iter().map(|item| item.get().to_owned()).collect(), envelope, next_link: next.map(|(link, _)| link), delta_link: delta.map(|(link, _)| link) };
        Ok((page, place))
    }
}

fn hash(url: &Url) -> u64 {
    let mut hasher = DefaultHasher::new();
    url.as_str().hash(&mut hasher);
    hasher.finish()
}
