//! Whether an account may be used for something, and why not.

use super::Inner;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::auth::has_scope;
use crate::model::{AccountKind, AccountState, RouteDraft, Feature, SendRoute};
use crate::outbox::{Sender, has_staged, scopes_for, sender_for, sender_of};
use crate::store::AccountRow;

/// The part of it that is asked again in the transaction that stores a send. The account is connected.
pub fn may_send(row: &AccountRow, route: SendRoute) -> bool {
    match sender_of(route) {
        Sender::Account(feature) => crate::auth::allows(row, feature),
        Sender::Bot => row.kind == AccountKind::Tenant,
        Sender::Workflow => false,
    }
}

/// Microsoft may be asked to tell what changes in its mailbox: a person's own, or one that an organisation opens.
pub fn may_be_watched(row: &AccountRow) -> bool {
    (row.kind == AccountKind::Person || row.is_app_only()) && crate::auth::allows(row, Feature::MailSync)
}

/// It needs more than every message of its kind, so the account is looked at.
pub(super) fn asks_for_more(draft: &RouteDraft) -> bool {
    draft.named_sender().is_some() || !scopes_for(draft).is_empty() || has_staged(draft)
}

impl Inner {
    /// That sends of this kind may leave. Errors: NotConnected, and those of an account that is not usable.
    pub(super) async fn may_send(&self, id: &str, sender: Sender) -> Result<()> {
        match sender {
            Sender::Account(feature) => self.usable(id, feature).await.map(drop),
            Sender::Workflow => self.workflows.usable(id).await,
            Sender::Bot => self.usable_by_bot(id).await.map(drop),
        }
    }

    /// That this one may leave: what it needs beside its feature was granted as well, and so is the name it gives. Errors: ConsentMissing, InvalidInput (a
    /// personal account in another name), and those of an account that is not usable.
    pub(super) async fn may_send_draft(&self, draft: &RouteDraft) -> Result<()> {
        let (id, sender, scopes) = (draft.account_id(), sender_for(draft), scopes_for(draft));
        let Sender::Account(feature) = sender else { return self.may_send(id, sender).await };
        let row = self.usable(id, feature).await?;
        if let Some(scope) = scopes.iter().find(|scope| !has_scope(&row, scope)) {
            let reason = format!("The files of this message cannot be uploaded and shared with what this account was granted. Connect it again with {scope} among the extra scopes (extra_scopes of connect).");
            return Err(Error::new(ErrorKind::ConsentMissing, reason).with_remedy(Remedy::User).on_account(id));
        }
        self.check_shared_draft(&row, draft).await?;
        match draft.named_sender() {
            Some(from) => self.auth.check_sender(&row, from).await,
            None => Ok(()),
        }
    }

    /// An account that is connected, whatever it was granted.
    pub(super) async fn connected(&self, account_id: &str) -> Result<AccountRow> {
        let none = || Error::new(ErrorKind::NotConnected, "There is no account with this id. Connect one.");
        let mut row = self.store.account(account_id).await?.ok_or_else(none)?;
        if row.state == AccountState::Misconfigured {
            // Perhaps mended meanwhile. Only a renewal can tell, and nothing else would ask for one.
            self.auth.try_again(account_id).await.map_err(|e| e.on_account(account_id))?;
            row = self.store.account(account_id).await?.ok_or_else(none)?;
        }
        let refuse = |kind, reason: &str| Err(Error::new(kind, reason.to_owned()).on_account(account_id));
        match row.state {
            AccountState::Connected => Ok(row),
            AccountState::Disconnected => refuse(ErrorKind::NotConnected, "The account is disconnected. Connect it again."),
            AccountState::NeedsReconnect => refuse(ErrorKind::NeedsReconnect, row.problem.as_deref().unwrap_or("Microsoft asks for a new sign-in. Connect the account again.")),
            AccountState::AwaitingAdmin => refuse(ErrorKind::ConsentMissing, "The connection waits for the approval of an administrator."),
            AccountState::Declined => refuse(ErrorKind::ConsentMissing, "The approval was declined. Ask for it again."),
            AccountState::Misconfigured => refuse(ErrorKind::Forbidden, row.problem.as_deref().unwrap_or("The application's registration in Entra needs attention.")),
        }
    }

    /// An organisation that is connected, in which the bot of this engine may speak.
    pub(super) async fn usable_by_bot(&self, account_id: &str) -> Result<AccountRow> {
        if self.bots.connector.is_none() {
            return Err(crate::bot::no_bot());
        }
        let row = self.connected(account_id).await?;
        match row.kind {
            AccountKind::Tenant => Ok(row),
            _ => {
                let words = "A bot speaks in an organisation, and this account is that of a person. Use the account that connect_tenant gave.";
                Err(Error::new(ErrorKind::Forbidden, words).with_remedy(Remedy::Developer).on_account(account_id))
            }
        }
    }

    /// The same for one of several features, of which the first is named when none of them is there.
    pub(super) async fn usable_for_any(&self, account_id: &str, features: &[Feature]) -> Result<AccountRow> {
        let row = self.connected(account_id).await?;
        let (Some(first), false) = (features.first(), features.iter().any(|feature| crate::auth::allows(&row, *feature))) else { return Ok(row) };
        self.usable(account_id, *first).await
    }

    /// An account that is connected and was granted what the feature needs.
    pub(super) async fn usable(&self, account_id: &str, feature: Feature) -> Result<AccountRow> {
        let row = self.connected(account_id).await?;
        if crate::auth::allows(&row, feature) {
            return Ok(row);
        }
        if row.kind == AccountKind::SharedMailbox {
            return Err(not_of_shared(&row, feature));
        }
        let other = match row.kind {
            AccountKind::Person | AccountKind::SharedMailbox => None,
            // Teams: chatMessage post and channel: post messages have no application permission but for migrations.
            AccountKind::Tenant if matches!(feature, Feature::Chat | Feature::Channels) => {
                Some("This account is that of an organisation, and Microsoft lets no application post in chats or channels by itself. Use connect for a person and post in their name, or add_workflow for a channel.")
            }
            AccountKind::Link => Some("This account only tells who somebody is. Use connect for a mailbox or chats of that person."),
            AccountKind::Tenant => Some("This account is that of an organisation, which has no mailbox of its own. Add the mailbox (add_shared_mailbox) and use the account that gives, or use connect for a person."),
        };
        if let Some(words) = other {
            return Err(Error::new(ErrorKind::Forbidden, words).with_remedy(crate::error::Remedy::Developer).on_account(account_id));
        }
        Err(not_connected_for(&row, feature, None))
    }
}

/// What a person's account lacks was never asked for, which the person can be asked now; or it was refused, which may take an administrator.
/// `scope`: what it takes, where that is to be said.
pub(super) fn not_connected_for(row: &AccountRow, feature: Feature, scope: Option<&str>) -> Error {
    let name = crate::auth::feature_name(feature);
    let scope = scope.map(|scope| format!(", which asks for {scope}")).unwrap_or_default();
    let error = match row.features.contains(&feature) {
        false => Error::new(ErrorKind::ConsentMissing, format!("The account was not connected for {name}. Ask the person for it with add_features{scope}.")).with_remedy(Remedy::User),
        true => Error::new(ErrorKind::ConsentMissing, format!("The permission for {name} was not granted{scope}. Ask the person again with add_features, or an administrator with approval.")),
    };
    error.on_account(&row.id)
}

/// Why a shared mailbox does not have it.
fn not_of_shared(row: &AccountRow, feature: Feature) -> Error {
    let delegate = row.delegate.as_deref().unwrap_or_default();
    let lacking = crate::auth::lacking_of_mailbox(row, feature);
    let error = match lacking {
        None => {
            let reason = format!("A shared mailbox has mail and nothing else. Use the account it is opened through ({delegate}) for {}.", crate::auth::feature_name(feature));
            Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Developer)
        }
        Some(lacking) if row.is_app_only() && !lacking.is_empty() => not_granted(delegate, &lacking.join(" and ")),
        Some(_) if row.is_app_only() => {
            let reason = "The application may read this mailbox, but write nothing in it, so nothing is sent from it. Ask an administrator whether it has Mail.ReadWrite and whether a policy of Exchange keeps it out, then add the mailbox again (add_shared_mailbox).";
            Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Admin)
        }
        Some(_) if row.features.contains(&feature) => Error::new(
            ErrorKind::ConsentMissing,
            format!("The account the shared mailbox is opened through ({delegate}) was not granted what that needs. Add the feature shared_mailboxes there (add_features)."),
        ),
        Some(_) => {
            let reason = "Exchange lets the account the shared mailbox is opened through read it, but write nothing in it, so nothing is sent from it. Ask an administrator for Full Access and Send As, then add it again (add_shared_mailbox).";
            Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Admin)
        }
    };
    error.on_account(&row.id)
}

/// `organisation`: id of the account whose application it is.
pub(super) fn not_granted(organisation: &str, permissions: &str) -> Error {
    let reason = format!("The application was not granted {permissions} as a permission of its own. Add it in Entra and have an administrator approve it (approval of the organisation's account {organisation}), or call resume once that was done in Entra.");
    Error::new(ErrorKind::ConsentMissing, reason).with_remedy(Remedy::Admin)
}

/// Microsoft is asked first, and only its refusal is explained: what was granted may be known here later than there.
pub(super) fn missing(row: &AccountRow, error: Error, permission: &str) -> Error {
    let error = error.on_account(&row.id);
    if error.kind() != ErrorKind::Forbidden || has_scope(row, permission) {
        return error;
    }
    let way = match row.kind {
        AccountKind::Tenant => "Add it to the application's permissions in Entra and have an administrator approve them again (approval), or call resume once that was done in Entra",
        _ => "Connect the account again with it among the extra scopes",
    };
    Error::new(ErrorKind::ConsentMissing, format!("The permission {permission} was not granted, nor a larger one. {way}.")).with_request_of(&error).on_account(&row.id)
}
