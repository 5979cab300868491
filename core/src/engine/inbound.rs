//! What Microsoft tells by itself.

use super::{Engine, Inner, scope};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::{AccountKind, Feature, HttpRequest, HttpResponse};
use crate::notify::SyncNow;
use std::sync::{Arc, Weak};

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
            inner.sync_one(&account_id, super::sync::Looks::ByItself, stop).await.map(drop)
        })
    });
    inner.runtime.background(notify.clone().follow(sync, inner.runtime.stop()));
    inner.runtime.background(notify.clone().keep(inner.runtime.stop()));
}

impl Inner {
    /// Deletes the subscriptions of what is about to be erased, while there are tokens for it. Whether it may be erased, the erasure itself says.
    pub(super) async fn end_subscriptions(&self, account_id: Option<&str>, owner: Option<&str>) {
        let ids = match (account_id, owner) {
            (Some(id), None) => vec![id.to_owned()],
            (None, Some(owner)) => self.store.account_ids(owner, false).await.unwrap_or_default(),
            _ => return,
        };
        self.notify.end(&ids).await;
    }
}

impl Engine {
    /// Takes a request that came to `notification_url`, whatever it holds, and gives the answer to send back. Mount it as one route that takes POST; the body must
    /// be whole. Answered within three seconds, without a request to anybody: Microsoft's question whether the route is there by its token as plain text;
    /// notifications by 202 once they are durable, good and bad ones alike (a bad one is dropped, and counted by `metrics`); what is no list of notifications by
    /// 400, more than 4 MB or 1,000 of them by 413, and 503 when the store cannot be written, upon which Microsoft comes again. The accounts that were told of are
    /// synced in the background, each once for all that was told of it meanwhile, and after a restart as well. Errors: Closed, Forked.
    /// Source: Graph, receive change notifications through webhooks.
    pub async fn receive(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.finish(|inner| async move { Ok(inner.notify.receive(request).await) }).await
    }

    /// Whether Microsoft is to tell what changes in the account's mailbox. Every account with `mail_sync` is watched when `notification_url` is set; this takes
    /// one out, or in again. Stores the wish and answers at once; the subscription is made or deleted in the background, and `health` tells by which way news
    /// come. Errors: InvalidInput (`notification_url` is not set), NotFound; to watch it also NotConnected, NeedsReconnect, ConsentMissing, Forbidden (it is no person's).
    pub async fn watch(&self, account_id: String, on: bool, owner: Option<String>) -> Result<()> {
        self.finish(|inner| async move {
            if on && !inner.notify.is_on() {
                return Err(Error::invalid("No mailbox is watched without notification_url. Set it to the address of the route that hands its requests to receive."));
            }
            let row = inner.owned(&account_id, owner.as_deref()).await?;
            if on {
                inner.usable(&row.id, Feature::MailSync).await?;
                if row.kind == AccountKind::SharedMailbox {
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
