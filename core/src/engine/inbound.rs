//! What Microsoft tells by itself.

use super::{Engine, Inner, scope};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::bots::{Received, invoke_response};
use crate::model::{AccountKind, BotAnswer, BotInvoke, BotReceived, Feature, HttpRequest, HttpResponse};
use crate::notify::SyncNow;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Looks after subscriptions, and syncs what was told, until the engine stops.
pub(super) fn start(inner: &Arc<Inner>) {
    let notify = &inner.notify;
    if !notify.is_on() {
        return;
    }
    // The engine is not kept open by what works for it.
    let weak: Weak<Inner> = Arc::downgrade(inner);
    let sync: SyncNow = Arc::new(move |account_id, stop| {
        let weak = weak.clone();
        Box::pin(async move {
            let inner = weak.upgrade().ok_or_else(crate::runtime::closed)?;
            let synced = inner.sync_parts(&account_id, super::sync::Looks::ByItself, stop).await?;
            let is_done = synced.foremost().is_ok();
            match synced.whole() {
                Err(error) if is_done => tracing::info!(target: "tidings::engine", account = account_id, kind = ?error.kind(), reason = error.reason(), "the mail of an account is up to date, another part of it is not"),
                outcome => drop(outcome?),
            }
            Ok(())
        })
    });
    inner.runtime.background(notify.clone().follow(sync, inner.runtime.stop()));
    inner.runtime.background(notify.clone().keep(inner.runtime.stop()));
}

impl Inner {
    /// Deletes the subscriptions of what is about to be erased, while there are tokens for it. Whether it may be erased, the erasure itself says.
    pub(super) async fn end_subscriptions(&self, account_id: Option<&str>, owner: Option<&str>) {
        let ids = match (account_id, owner) {
            (Some(id), None) => self.with_opened(id).await,
            (None, Some(owner)) => self.store.account_ids(owner, false).await.unwrap_or_default(),
            _ => return,
        };
        self.notify.end(&ids).await;
    }

    /// `is_answered`: the host answers what Teams asks and waits for.
    async fn received(&self, request: HttpRequest, is_answered: bool) -> BotReceived {
        let response = match self.bots.may_take(&request, !self.notify.is_on()) {
            false => self.notify.receive(request).await,
            true => match self.bots.receive(&request, is_answered).await {
                Err(_) if self.notify.is_on() => self.notify.receive(request).await,
                Ok(Received::Answer(answer)) | Err(answer) => answer,
                Ok(Received::Asked(invoke)) => {
                    let response = HttpResponse { status: 501, headers: HashMap::new(), body: Vec::new() };
                    return BotReceived { response, invoke: Some(*invoke) };
                }
            },
        };
        BotReceived { response, invoke: None }
    }
}

impl Engine {
    /// Takes a request that came to `notification_url`, whatever it holds, and gives the answer to send back. Mount it as one route that takes POST; the body must
    /// be whole. Answered within three seconds, without a request to anybody: Microsoft's question whether the route is there by its token as plain text;
    /// notifications by 202 once they are durable, good and bad ones alike (a bad one is dropped, and counted by `metrics`); what is no list of notifications by
    /// 400, more than 4 MB or 1,000 of them by 413, and 503 when the store cannot be written, upon which Microsoft comes again. The accounts that were told of are
    /// synced in the background, each once for all that was told of it meanwhile, and after a restart as well. What the Bot Connector posts to the bot comes the same way: an activity that is
    /// proven is durable before its 202 and told by `changes`; 401 and 403 refuse what is not proven, 400 what cannot be read, 501 what waits for an answer of the host (see `receive_invoke`). Errors: Closed, Forked.
    /// Source: Graph, receive change notifications through webhooks.
    pub async fn receive(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.finish(|inner| async move { Ok(inner.received(request, false).await.response) }).await
    }

    /// `receive` for a host that answers what Teams asks the bot and waits for (activities of the type `invoke`). Such a one is proven like any other; 403 refuses one
    /// of an organisation that is not connected, or in a conversation of another organisation. It comes in `invoke`: make the answer with `invoke_response` within ten
    /// seconds, since Teams waits for about fifteen at the most. The button of a card that somebody pressed is durable by then and told by `changes` (BotCardAction),
    /// once for each activity; posted again, it comes again, as Teams wants an answer. Errors: Closed, Forked.
    /// Source: Adaptive Cards, Universal Action Model; Bot Framework, invoke activity.
    pub async fn receive_invoke(&self, request: HttpRequest) -> Result<BotReceived> {
        self.finish(|inner| async move { Ok(inner.received(request, true).await) }).await
    }

    /// `receive_invoke`, and the answer of `handler` to what Teams asks. When that takes longer than `limit` (take 10 seconds), fails, or gives an answer that cannot
    /// be sent, the person is told so, and it is logged as a warning; a handler that takes longer is dropped. Errors: Closed, Forked.
    pub async fn receive_with<F, A, E>(&self, request: HttpRequest, limit: Duration, handler: F) -> Result<HttpResponse>
    where
        F: FnOnce(BotInvoke) -> A,
        A: Future<Output = std::result::Result<BotAnswer, E>>,
    {
        let BotReceived { response, invoke } = self.receive_invoke(request).await?;
        let Some(invoke) = invoke else { return Ok(response) };
        let (name, account_id) = (invoke.name.clone(), invoke.account_id.clone());
        let over = self.guard(|inner, stop| async move {
            stop.until(async {
                inner.clock.deadline(limit).await;
                Ok(())
            })
            .await
        });
        let answer = tokio::select! {
            answer = handler(invoke) => answer.map_err(|_| "Something went wrong. Try again later."),
            _ = over => Err("The answer took too long. Try again later."),
        };
        let (reason, refused) = match answer.map(|answer| invoke_response(&name, &answer)) {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => ("Something went wrong. Try again later.", Some(error)),
            Err(reason) => (reason, None),
        };
        tracing::warn!(target: "tidings::bots", account = account_id, shown = reason, reason = refused.as_ref().map(Error::reason), "what Teams asked was not answered by the host");
        invoke_response(&name, &BotAnswer::Failure { status: 500, reason: reason.to_owned() })
    }

    /// Whether Microsoft is to tell what changes in the account's mailbox. Every account with `mail_sync` is watched when `notification_url` is set; this takes
    /// one out, or in again. Stores the wish and answers at once; the subscription is made or deleted in the background, and `health` tells by which way news
    /// come. Errors: InvalidInput (`notification_url` is not set), NotFound; to watch it also NotConnected, NeedsReconnect, ConsentMissing, Forbidden (an account without
    /// a mailbox, or a shared mailbox that a person opens).
    pub async fn watch(&self, account_id: String, on: bool, owner: Option<String>) -> Result<()> {
        self.finish(|inner| async move {
            if on && !inner.notify.is_on() {
                return Err(Error::invalid("No mailbox is watched without notification_url. Set it to the address of the route that hands its requests to receive."));
            }
            let row = inner.owned(&account_id, owner.as_deref()).await?;
            if on {
                inner.usable(&row.id, Feature::MailSync).await?;
                if row.kind == AccountKind::SharedMailbox && !row.is_app_only() {
                    let reason = "Microsoft tells nothing of a shared mailbox. It is looked at every few minutes once the engine has started.";
                    return Err(Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Developer).on_account(&row.id));
                }
            }
            if !inner.store.want_subscription(&row.id, on, to_ms(inner.clock.now())).await? {
                return Err(scope::no_account());
            }
            inner.notify.nudge();
            Ok(())
        })
        .await
    }
}
