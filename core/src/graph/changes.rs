//! Rounds of changes of small collections: contacts of a folder, events of a view. Each page says where the round goes on or where the next one begins.
//! Mail has its own reader, which never holds a page twice.

use super::delta::is_forgotten;
use super::paging::followed;
use super::wire::{self, Page};
use super::{Caller, Graph, IMMUTABLE, PREFER, fault};
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::Proofs;
use crate::json;
use crate::pipeline::error_code;
use http::HeaderValue;
use serde_json::value::RawValue;
use url::Url;

#[derive(Debug)]
pub struct Changes<T> {
    pub items: Vec<T>,
    pub link: String,
    /// The round is complete; `link` starts the next one.
    pub is_delta: bool,
}

#[derive(Debug)]
pub enum ChangesAnswer<T> {
    Page(Changes<T>),
    /// The link is no longer good.
    Lost,
    /// There is no such collection.
    Gone,
}

impl Graph {
    /// A page of what changed since `link`; from the beginning, which is `first`, without one. `prefer`: what is asked for beside immutable ids. `what`: the
    /// items, for errors.
    pub(super) async fn changes<T>(&self, caller: &Caller, first: &Url, link: Option<&str>, prefer: &str, what: &str, item: impl Fn(&str, &Proofs) -> T) -> Result<ChangesAnswer<T>> {
        let follow = |link: &str| followed(self.pipeline.hosts(), &self.root, caller, first, link);
        let url = match link {
            // A stored link is received data like a fresh one.
            Some(link) => match follow(link) {
                Ok(url) => url,
                Err(_) => return Ok(ChangesAnswer::Lost),
            },
            None => first.clone(),
        };
        let prefer = HeaderValue::from_str(&format!("{IMMUTABLE}, {prefer}")).map_err(|_| Error::internal("A header could not be made."))?;
        let response = self.pipeline.send(self.get(caller, url).header(PREFER, prefer)).await?;
        if !response.status.is_success() {
            let is_gone = response.status.as_u16() == 404 && error_code(&response.body).is_one_of(&["erroritemnotfound", "errorsyncfoldernotfound", "errorfoldernotfound", "resourcenotfound"]);
            return match (link.is_some() && is_forgotten(&response), is_gone) {
                (true, _) => Ok(ChangesAnswer::Lost),
                (false, true) => Ok(ChangesAnswer::Gone),
                _ => Err(fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id)),
            };
        }
        let text = json::text(&response.body);
        let mut page: Page<&RawValue> = wire::of_text(&text)?;
        let proofs = response.secrets.proofs();
        let items = page.items()?.into_iter().map(|raw| item(raw.get(), &proofs)).collect();
        let (link, is_delta) = match (page.next_link, page.delta_link) {
            (Some(next), None) if link != Some(next.as_str()) => (next, false),
            (None, Some(delta)) => (delta, true),
            _ => return Err(Error::new(ErrorKind::Upstream, format!("A page of {what} says neither where it goes on nor that it is the last.")).on_account(&caller.account_id)),
        };
        follow(&link)?;
        Ok(ChangesAnswer::Page(Changes { items, link, is_delta }))
    }
}
