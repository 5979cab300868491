//! Shared mailboxes: opened with the token of somebody who may, once Exchange has shown that it lets them; and any mailbox of an organisation, opened with the
//! application's own token.

use super::usable::not_granted;
use super::{Engine, Inner};
use crate::auth::features_beside_mail;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::graph::Caller;
use crate::model::{Account, AccountKind, Address, Feature, MailboxState, Verification};
use crate::outbox::IN_SESSION;
use crate::pipeline::Priority;
use crate::store::AccountRow;
use std::time::Duration;

/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(10);
const NOT_LET_IN: &str = "Exchange does not let this account open that mailbox. Ask an administrator for Full Access to it, or its owner to share its folders; it takes up to an hour until \
     that counts. Then add it again.";
const KEPT_OUT: &str = "Exchange keeps the application out of that mailbox, though it was granted mail: an application access policy, or a scope of RBAC for Applications, does not include it. \
     Ask an administrator of Exchange to include the mailbox there; it can take longer than an hour until that counts. Then add it again.";

impl Engine {
    /// Adds a shared mailbox of the organisation, or another person's mailbox that is shared with this account, as an account of its own: with its own id,
    /// folders, messages, health and schedule, and the owner of the account that opens it, its delegate. Exchange has to show first that it lets the delegate
    /// in: the inbox is read, and a draft is made and removed. Where only reading works, the mailbox is synced and nothing is sent from it; whether Exchange
    /// lets mail out in its name (Send As, Send on Behalf) only a send tells. Microsoft tells nothing of such mailboxes, so it is looked at every few minutes
    /// once the engine has started. A mailbox that is there already keeps its id, mail and queue, and is opened through this account from then on. When its
    /// delegate is disconnected or purged, so is the mailbox. With the account of an organisation any mailbox of it is added, a person's as well: it needs `Mail.Read` as a permission of the
    /// application, `Mail.ReadWrite` to change mail, `Mail.Send` beside that to send; with `Contacts.Read` and `Calendars.Read` it has those as well. Such a mailbox is told of by Microsoft like a
    /// person's. Runs to its end when the caller stops waiting.
    /// Errors: InvalidInput (the address, the account's own address, a personal account, an account that is a shared mailbox itself), ConsentMissing (Mail.ReadWrite.Shared was not granted: add the
    /// feature shared_mailboxes; of an organisation the permission is named), Forbidden (no right in Exchange, or a policy of it), NotFound (no such account, or no such mailbox), NotConnected,
    /// NeedsReconnect, Throttled, Network.
    /// Source: Graph, outlook-share-messages-folders and outlook-send-mail-from-other-user, auth-limit-mailbox-access.
    pub async fn add_shared_mailbox(&self, account_id: String, address: String, owner: Option<String>) -> Result<Account> {
        self.finish(|inner| async move { inner.add_shared_mailbox(account_id, address, owner).await }).await
    }
}

impl Inner {
    async fn add_shared_mailbox(&self, account_id: String, address: String, owner: Option<String>) -> Result<Account> {
        crate::outbox::check_address("address", &address)?;
        let row = self.owned(&account_id, owner.as_deref()).await?;
        self.retention.check_not_deleted(&row.owner).await?;
        self.auth.check_delegate(&row, &address).await?;
        let row = self.connected(&account_id).await?;
        let features = self.open_mailbox(&row, &address).await?;
        let account = self.auth.keep_shared(&row, &address, features).await?;
        tracing::info!(target: "tidings::engine", account = account.id, delegate = row.id, "shared mailbox added");
        self.account_changed();
        Ok(account)
    }

    /// What Exchange lets the account do in this mailbox.
    async fn open_mailbox(&self, row: &AccountRow, address: &str) -> Result<Vec<Feature>> {
        let caller = Caller { mailbox: Some(address.to_owned()), ..Caller::new(&row.id, Priority::Interactive, PATIENCE) };
        self.reader.graph.try_to_read(&caller, kept_out(row)).await.map_err(|e| e.on_account(&row.id))?;
        let from = Address { address: address.to_owned(), name: String::new() };
        let can_write = self.reader.graph.try_to_write(&caller, &from).await.map_err(|e| e.on_account(&row.id))?;
        let mut features = if can_write { vec![Feature::MailSend, Feature::MailSync] } else { vec![Feature::MailSync] };
        if row.kind == AccountKind::Tenant {
            features.extend(features_beside_mail(&row.scopes));
        }
        Ok(features)
    }

    /// Exchange is asked once more what its delegate may do; what changed is kept.
    pub(super) async fn verify_shared(&self, row: &AccountRow) -> Result<Verification> {
        let account = self.auth.account(&row.id).await?;
        let delegate = self.connected(row.delegate.as_deref().unwrap_or_default()).await?;
        let (mailbox, account, refused) = match self.open_mailbox(&delegate, &account.address).await {
            Ok(features) => (MailboxState::Reachable, self.auth.keep_shared(&delegate, &account.address, features).await?, None),
            Err(e) if matches!(e.kind(), ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::ConsentMissing) => (MailboxState::Forbidden, account, Some(e.reason().to_owned())),
            Err(e) => return Err(e.on_account(&row.id)),
        };
        let problems = refused.into_iter().chain(account.warnings.iter().cloned()).collect();
        Ok(Verification { account, mailbox, test_message: None, problems })
    }

    /// Errors: LimitExceeded, for an attachment of which Exchange takes none that large in a shared mailbox. Source: Graph, known issues: large attachments
    /// are uploaded into the mailbox of the person who has signed in and no other; an application's own token uploads into any.
    pub(super) async fn check_shared_draft(&self, row: &AccountRow, draft: &crate::model::RouteDraft) -> Result<()> {
        if row.kind != AccountKind::SharedMailbox || row.is_app_only() || self.outbox.largest_staged(draft).await? < IN_SESSION {
            return Ok(());
        }
        let delegate = row.delegate.as_deref().unwrap_or_default();
        let reason = format!("An attachment is larger than 3 MB, and Microsoft takes no such attachment in a shared mailbox. Send it from the account the mailbox is opened through ({delegate}), with the mailbox's address as from_address.");
        Err(Error::new(ErrorKind::LimitExceeded, reason).on_account(&row.id))
    }
}

/// What it means when Exchange does not let this account read a mailbox.
fn kept_out(row: &AccountRow) -> Error {
    match (row.kind, crate::auth::has_scope(row, "Mail.Read")) {
        (AccountKind::Tenant, true) => Error::new(ErrorKind::Forbidden, KEPT_OUT).with_remedy(Remedy::Admin),
        (AccountKind::Tenant, false) => not_granted(&row.id, "Mail.Read"),
        _ => Error::new(ErrorKind::Forbidden, NOT_LET_IN).with_remedy(Remedy::Admin),
    }
}
