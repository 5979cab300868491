//! Rounds of changes of small collections: contacts of a folder, events of a view. Each page says where the round goes on or where the next one begins.
//! Mail has its own reader, which never holds a page twice.

use super::delta::is_forgotten;
use super::paging::followed;
use super::wire::{self, Page};
use super::{Caller, Graph, IMMUTABLE, PREFER, fault};
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::Proofs;
use crate::json;
use crate::pipeline::{Response, error_code};
use http::HeaderValue;
use serde_json::value::RawValue;
use url::Url;

/// Items of a page that are asked for: fewer, where so many are too large for one answer.
const SIZES: [u32; 3] = [200, 20, 1];

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
    /// The link leads to what cannot be used, and would do so for ever: a page that cannot be read, or one that leads to itself or away.
    UnusableLink(Error),
    /// There is no such collection.
    Gone,
}

impl Graph {
    /// A page of what changed since `link`; from the beginning, which is `first`, without one. `prefer`: what is asked for beside immutable ids and the size of
    /// a page. `what`: the items, for errors.
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
        let response = self.sized(caller, &url, prefer).await?;
        if !response.status.is_success() {
            let status = response.status.as_u16();
            let is_gone = status == 404 && error_code(&response.body).is_one_of(&["erroritemnotfound", "errorsyncfoldernotfound", "errorfoldernotfound", "resourcenotfound"]);
            // What is wrong with a request that was right before is its link.
            return match (link.is_some() && (status == 400 || is_forgotten(&response)), is_gone) {
                (true, _) => Ok(ChangesAnswer::Lost),
                (false, true) => Ok(ChangesAnswer::Gone),
                _ => Err(fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id)),
            };
        }
        match read(&response, link, what, item, |link| follow(link).map(drop)) {
            Ok(page) => Ok(ChangesAnswer::Page(page)),
            Err(error) => {
                let error = error.with_request_id(response.request_id()).on_account(&caller.account_id);
                if link.is_some() { Ok(ChangesAnswer::UnusableLink(error)) } else { Err(error) }
            }
        }
    }

    /// The answer with as many items as fit into one.
    async fn sized(&self, caller: &Caller, url: &Url, prefer: &str) -> Result<Response> {
        let mut failed = None;
        for size in SIZES {
            let prefer = HeaderValue::from_str(&format!("{IMMUTABLE}, {prefer}odata.maxpagesize={size}")).map_err(|_| Error::internal("A header could not be made."))?;
            match self.pipeline.send(self.get(caller, url.clone()).header(PREFER, prefer)).await {
                Err(error) if error.kind() == ErrorKind::LimitExceeded => failed = Some(error),
                answer => return answer,
            }
        }
        Err(failed.unwrap_or_else(wire::unreadable))
    }
}

fn read<T>(response: &Response, from: Option<&str>, what: &str, item: impl Fn(&str, &Proofs) -> T, follow: impl Fn(&str) -> Result<()>) -> Result<Changes<T>> {
    let text = json::text(&response.body);
    checked(&text, from, &response.secrets.proofs(), what, item, follow)
}

/// What a page says, once where it leads is believed. `from`: the link it was asked for with.
pub(super) fn checked<T>(text: &str, from: Option<&str>, proofs: &Proofs, what: &str, item: impl Fn(&str, &Proofs) -> T, follow: impl Fn(&str) -> Result<()>) -> Result<Changes<T>> {
    let mut page: Page<&RawValue> = wire::page(text)?;
    let items = page.items()?.into_iter().map(|raw| item(raw.get(), proofs)).collect();
    let (link, is_delta) = match (page.next_link, page.delta_link) {
        (Some(next), None) if from != Some(next.as_str()) => (next, false),
        (None, Some(delta)) => (delta, true),
        _ => return Err(Error::new(ErrorKind::Upstream, format!("A page of {what} says neither where it goes on nor that it is the last."))),
    };
    follow(&link)?;
    if proofs.are_in(&link) {
        return Err(wire::repeating());
    }
    Ok(Changes { items, link, is_delta })
}
