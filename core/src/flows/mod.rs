//! Power Automate: posts to the URL of a workflow, whose trigger is a Teams webhook request. The URL is all that proves that one may post, so it is handed in
//! for each request and kept nowhere here. What a post looks like on the wire stays in this module.
//! Source: Power Automate, “When a Teams webhook request is received”; Azure Logic Apps, request trigger.

mod envelope;
mod fault;

pub use envelope::{of_card, of_text};

use crate::error::{Error, Result};
use crate::pipeline::{Pipeline, Priority, Purpose, Request, Safety};
use crate::seal::AadContext;
use http::Method;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

#[derive(Clone)]
pub struct Flows {
    pipeline: Arc<Pipeline>,
}

/// Where a post goes, and how patient it is.
pub struct PostTo<'a> {
    pub workflow_id: &'a str,
    pub url: &'a str,
    pub priority: Priority,
    /// How long it may pause in all: Retry-After and back-off.
    pub max_wait: Duration,
}

/// A URL that was looked at.
pub struct CheckedUrl {
    /// As it is stored, and sent to.
    pub text: Zeroizing<String>,
    pub host: String,
    /// What may be shown of it.
    pub shown: String,
}

impl Flows {
    pub fn new(pipeline: Arc<Pipeline>) -> Self {
        Self { pipeline }
    }

    /// Errors: InvalidInput for what is no URL of a workflow, LinkRejected for a host that is not one of theirs. Nothing of it is repeated in an error.
    pub fn check(&self, url: &str) -> Result<CheckedUrl> {
        let url = self.pipeline.hosts().workflow(url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(CheckedUrl { shown: format!("{}/…", url.origin().ascii_serialization()), host, text: Zeroizing::new(url.into()) })
    }

    /// Accepted when this returns: the workflow runs. What its run makes of it is not told to anybody who posts. It is repeated only when it is proven that
    /// nothing was accepted. Errors: NotFound, Forbidden, InvalidInput, LimitExceeded when it was refused for good; LinkRejected when nothing was sent.
    pub async fn post(&self, to: &PostTo<'_>, body: Vec<u8>) -> Result<()> {
        // The list of hosts may be another one than when it was stored.
        let url = self.pipeline.hosts().workflow(to.url).map_err(|e| e.on_account(to.workflow_id))?;
        let mut request = Request::get(url, Purpose::Workflow).with_body(Method::POST, "application/json", body);
        request.safety = Safety::Once;
        request.account_id = Some(to.workflow_id.to_owned());
        request.priority = to.priority;
        request.max_wait = to.max_wait;
        let response = self.pipeline.send(request).await?;
        if response.status.is_success() { Ok(()) } else { Err(fault::error(&response).on_account(to.workflow_id)) }
    }
}

/// Where the URL of a workflow is sealed, under its secrets key: as the token of an account.
pub fn url_place(workflow_id: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "tokens", column: "sealed", account_id: workflow_id, row: workflow_id, version }
}

/// The URL as it was sealed.
pub fn url_text(plain: &[u8]) -> Result<&str> {
    std::str::from_utf8(plain).map_err(|_| Error::new(crate::error::ErrorKind::Corrupt, "The stored URL of a workflow is damaged. Remove the workflow and add it again."))
}

#[cfg(test)]
mod tests;
