//! A post to a Teams workflow. The service tells nothing of a post but that it was accepted, and knows no key to recognise a repetition by: a post whose answer
//! is lost stays unknown. Source: Power Automate, “When a Teams webhook request is received”.


use crate::error::{Error, ErrorKind, Result};
use crate::flows::{self, PostTo};
use crate::markup::check_card;
use crate::model::{RouteDraft, SendRoute, WorkflowDraft};
use crate::outbox::channel::{Channel, Finding, Ids, Order, Outcome, Prepared, Sender, Terms};
use crate::outbox::content::Fields;
use crate::outbox::job::{Job, PATIENCE};
use crate::pipeline::Priority;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Posts to one workflow keep this distance: four a second, as Teams takes of a webhook. Source: Teams, incoming webhooks.
const DISTANCE: Duration = Duration::from_millis(250);

pub struct Workflow;

/// Nothing but what every send knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowProgress {}

impl Channel for Workflow {
    type Draft = WorkflowDraft;
    type Progress = WorkflowProgress;

    const ROUTE: SendRoute = SendRoute::Workflow;
    const SENDER: Sender = Sender::Workflow;

    fn of(draft: RouteDraft) -> Option<WorkflowDraft> {
        if let RouteDraft::Workflow { workflow } = draft { Some(workflow) } else { None }
    }

    fn terms(draft: &WorkflowDraft) -> Terms<'_> {
        Terms { key: draft.key.as_deref(), deadline: draft.deadline, send_at: draft.send_at }
    }

    fn check(draft: &WorkflowDraft) -> Result<()> {
        body(draft).map(drop)
    }

    fn order(draft: &WorkflowDraft) -> Order {
        Order::By("workflow", draft.workflow_id.clone())
    }

    fn weight(draft: &WorkflowDraft) -> usize {
        [&draft.text, &draft.card].into_iter().flatten().map(String::len).sum()
    }

    fn canonical(draft: &WorkflowDraft) -> Vec<u8> {
        let mut out = Fields::new(b'w');
        out.text(1, draft.text.as_deref().unwrap_or_default());
        out.text(2, draft.card.as_deref().unwrap_or_default());
        out.into_bytes()
    }

    async fn prepare(job: &mut Job<Self>) -> Result<Prepared> {
        let wait = job.tools.memory.posts.turn(&job.item.account_id, job.tools.clock.elapsed());
        if !wait.is_zero() && !job.pause(wait).await {
            return Err(crate::runtime::closed());
        }
        Ok(Prepared::Ready)
    }

    async fn dispatch(job: &mut Job<Self>) -> Result<()> {
        let body = body(&job.draft)?;
        let url = url(job).await?;
        let priority = if job.item.is_bulk { Priority::Send } else { Priority::Interactive };
        job.tools.flows.post(&PostTo { workflow_id: &job.item.account_id, url: flows::url_text(&url)?, priority, max_wait: PATIENCE }, body).await
    }

    /// Nothing can be asked: honest is `unknown`.
    async fn reconcile(_: &mut Job<Self>) -> Result<Finding> {
        Ok(Finding::Settled(Outcome::Unknown(
            "Power Automate did not confirm the post; the workflow may have run. Look into the chat or channel it posts to before sending it again.".to_owned(),
        )))
    }

    async fn refused(job: &mut Job<Self>, error: Error) -> Option<Outcome> {
        Some(match job.progress.doubted {
            false => Outcome::Failed(error),
            true => Outcome::Unknown(format!("An earlier request may have run the workflow; the last one was refused. {}", error.reason())),
        })
    }

    fn ids(_: WorkflowProgress) -> Ids {
        Ids::default()
    }
}

/// What is posted. Errors: InvalidInput, LimitExceeded.
fn body(draft: &WorkflowDraft) -> Result<Vec<u8>> {
    match (&draft.text, &draft.card) {
        (Some(text), None) if text.trim().is_empty() => Err(Error::invalid("The post is empty. Fill in text.")),
        (Some(text), None) => flows::of_text(text),
        (None, Some(card)) => {
            check_card(card)?;
            flows::of_card(card)
        }
        (None, None) => Err(Error::invalid("The post has neither text nor card. Fill in one of them.")),
        (Some(_), Some(_)) => Err(Error::invalid("The post has both text and card. Put the text into the card, or leave one out.")),
    }
}

/// Opened for this one request.
async fn url(job: &Job<Workflow>) -> Result<Zeroizing<Vec<u8>>> {
    let (tools, id) = (&job.tools, &job.item.account_id);
    tools
        .vault
        .with_current_keys(async || {
            let gone = || Error::new(ErrorKind::NotConnected, "The workflow was removed.").on_account(id.as_str());
            let row = tools.store.token(id).await?.ok_or_else(gone)?;
            tools.vault.secrets(id).await?.open(flows::url_place(id, row.version), &row.sealed)
        })
        .await
}

/// When the next post may go to each workflow, by the clock of this process.
#[derive(Debug, Default)]
pub struct Posts {
    next: Mutex<HashMap<String, Duration>>,
}

impl Posts {
    /// Takes the next turn. Answers how long to wait for it.
    fn turn(&self, workflow_id: &str, now: Duration) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.retain(|_, at| *at > now);
        let at = next.get(workflow_id).copied().unwrap_or(now);
        next.insert(workflow_id.to_owned(), at.saturating_add(DISTANCE));
        at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests;
