//! Verbs of Teams workflows.

use super::{Engine, scope};
use crate::error::Result;
use crate::model::Workflow;
use crate::outbox::REMOVED;
use zeroize::Zeroizing;

impl Engine {
    /// Registers the URL of a Teams workflow whose trigger is a webhook request. The URL is a secret and is not shown again; nothing is sent to it here: send a
    /// first post to try it. `name` is for display, 1 to 100 characters; `context` is anything you want to find again at the workflow, at most 1000
    /// characters, stored sealed. Durable when it returns; runs to its end when the caller stops waiting. Errors: InvalidInput (owner, name, context, or the URL
    /// is none of a workflow), LinkRejected (its host is not one that workflows are at: see `workflow_hosts`), LimitExceeded (1,000 of one owner), Conflict (the
    /// owner was deleted).
    /// Source: Power Automate, “When a Teams webhook request is received”.
    pub async fn add_workflow(&self, owner: String, name: String, url: String, context: Option<String>) -> Result<Workflow> {
        let url = Zeroizing::new(url);
        self.finish(|inner| async move {
            scope::check(&owner)?;
            let added = inner.workflows.add(owner, name, url, context).await?;
            inner.account_changed();
            Ok(added)
        })
        .await
    }

    /// Workflows of an owner, in the order in which they were added. Touches no network. Errors: InvalidInput (the owner).
    pub async fn workflows(&self, owner: String) -> Result<Vec<Workflow>> {
        self.finish(|inner| async move {
            scope::check(&owner)?;
            inner.workflows.list(&owner).await
        })
        .await
    }

    /// Destroys the URL and takes back what was not posted yet; works offline. Receipts stay until `purge`, which takes its id. In Power Automate the workflow
    /// is as it was. With `owner`, a workflow of another owner is NotFound. Errors: NotFound.
    pub async fn remove_workflow(&self, workflow_id: String, owner: Option<String>) -> Result<()> {
        self.finish(|inner| async move {
            owner.as_deref().map_or(Ok(()), scope::check)?;
            inner.workflows.remove(&workflow_id, owner.as_deref(), REMOVED).await?;
            inner.account_changed();
            Ok(())
        })
        .await
    }
}
