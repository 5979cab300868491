//! Syncs of many accounts, and what of each is synced.

use super::{Inner, scope};
use crate::auth::{allows, has_scope};
use crate::config::check_folders;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Account, AccountKind, AccountState, Feature, SyncOutcome, SyncReport};
use crate::runtime::Stop;
use crate::store::{AccountChange, AccountQuery, AccountRow, AccountWindow};
use futures_util::StreamExt;
use std::sync::Arc;

/// Accounts synced at a time; what they ask of Microsoft has its own limits.
const AT_ONCE: usize = 16;
/// Accounts read at a time.
const PAGE: u32 = 500;
/// What is synced; the first is named when an account is connected for none of them.
const SYNCED: &[Feature] = &[Feature::MailSync, Feature::Contacts, Feature::Calendar];

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    /// The host asked for it.
    Asked,
    /// The engine by itself, which keeps to what Microsoft allows.
    ByItself,
}

/// It was connected for chats, and may read them, which sending does not need.
pub(super) fn reads_chats(row: &AccountRow) -> bool {
    allows(row, Feature::Chat) && has_scope(row, "Chat.Read")
}

impl Inner {
    pub(super) async fn sync_all(self: Arc<Self>, owner: Option<String>, stop: Stop) -> Result<Vec<SyncOutcome>> {
        owner.as_deref().map_or(Ok(()), scope::check)?;
        let ids = self.synced_accounts(owner).await?;
        let me = &self;
        let syncs = futures_util::stream::iter(ids.into_iter().enumerate()).map(|(number, id)| {
            let stop = stop.clone();
            async move { (number, outcome(id.clone(), me.sync_one(&id, Looks::Asked, stop).await)) }
        });
        let mut outcomes: Vec<(usize, SyncOutcome)> = syncs.buffer_unordered(AT_ONCE).collect().await;
        stop.check()?;
        outcomes.sort_unstable_by_key(|(number, _)| *number);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    pub(super) async fn sync_one(&self, account_id: &str, looks: Looks, stop: Stop) -> Result<SyncReport> {
        self.sync_parts(account_id, looks, stop).await?.whole()
    }

    /// What of the account is synced, one after the other.
    pub(super) async fn sync_parts(&self, account_id: &str, looks: Looks, stop: Stop) -> Result<Synced> {
        stop.check()?;
        let account = match self.connected(account_id).await? {
            row if reads_chats(&row) => row,
            _ => self.usable_for_any(account_id, SYNCED).await?,
        };
        // Each on the heap: a sync is large, and callers join several of them on one stack.
        let mut parts = Synced { report: SyncReport { account_id: account.id.clone(), ..SyncReport::default() }, failed: None, has_mail: false };
        if allows(&account, Feature::MailSync)
            && let Some(report) = parts.tried(Box::pin(self.sync.run(account.clone(), stop.clone())).await)?
        {
            (parts.report, parts.has_mail) = (report, true);
        }
        if allows(&account, Feature::Contacts) {
            parts.report.contacts = parts.tried(Box::pin(self.contacts.sync(&account, &stop)).await)?.unwrap_or_default();
        }
        if allows(&account, Feature::Calendar) {
            parts.report.events = parts.tried(Box::pin(self.calendar.sync(&account, &stop)).await)?.unwrap_or_default();
        }
        if reads_chats(&account) && (looks == Looks::Asked || self.chats.are_due(&account.id).await?) {
            parts.report.chat_messages = parts.tried(Box::pin(self.chats.sync(&account, &stop)).await)?.unwrap_or_default();
        }
        Ok(parts)
    }

    /// Those that have something to sync, or would have if somebody signed in.
    async fn synced_accounts(&self, owner: Option<String>) -> Result<Vec<String>> {
        let (mut ids, mut after) = (Vec::new(), 0);
        loop {
            let rows = self.store.accounts(AccountQuery::Page(AccountWindow { owner: owner.as_deref(), state: None, after, limit: PAGE })).await?;
            let Some(last) = rows.last() else { return Ok(ids) };
            after = last.number;
            let is_synced = |row: &AccountRow| matches!(row.kind, AccountKind::Person | AccountKind::SharedMailbox) && row.state != AccountState::Disconnected && (reads_chats(row) || SYNCED.iter().any(|feature| row.features.contains(feature)));
            ids.extend(rows.into_iter().filter(is_synced).map(|row| row.id));
        }
    }

    pub(super) async fn choose_folders(&self, account_id: String, folders: Vec<String>, owner: Option<String>) -> Result<Account> {
        check_folders(&folders)?;
        let row = self.owned(&account_id, owner.as_deref()).await?;
        let mut chosen = Vec::with_capacity(folders.len());
        for name in folders {
            chosen.push(self.reader.chosen_folder(&row.id, name).await?);
        }
        if !self.store.change_account(&row.id, None, AccountChange::Folders(chosen), 0).await? {
            return Err(scope::no_account());
        }
        self.auth.account(&account_id).await
    }
}

/// Mail, contacts, calendar and chats of one account. What one of them fails with stops no other; the first of these errors is what the caller hears,
/// unless the account as a whole fails after it.
pub(super) struct Synced {
    report: SyncReport,
    failed: Option<Error>,
    /// Its mail is synced, and up to date.
    has_mail: bool,
}

impl Synced {
    /// None: it failed, and the next one is tried. Errors: those of the whole account, of the store, and of who stopped it.
    fn tried<T>(&mut self, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_of_all(error.kind()) => Err(error),
            Err(error) => {
                self.failed.get_or_insert(error);
                Ok(None)
            }
        }
    }

    /// Every part, or the error of the first that failed.
    pub(super) fn whole(self) -> Result<SyncReport> {
        self.failed.map_or(Ok(self.report), Err)
    }

    /// What decides when the account is looked at again: its mail, if that is synced. Else what fails for good beside it, such as contacts that may not be read,
    /// would make its mail late.
    pub(super) fn foremost(&self) -> std::result::Result<&SyncReport, &Error> {
        match &self.failed {
            Some(error) if !self.has_mail => Err(error),
            _ => Ok(&self.report),
        }
    }
}

/// The next part would fail with the same, or must not begin.
fn is_of_all(kind: ErrorKind) -> bool {
    use ErrorKind::{Cancelled, Closed, Forked, NeedsReconnect, NotConnected, StoreBusy, StoreFull, VaultLocked, WrongKey};
    matches!(kind, NotConnected | NeedsReconnect | Cancelled | Closed | Forked | VaultLocked | WrongKey | StoreBusy | StoreFull)
}

pub(super) fn outcome(account_id: String, synced: Result<SyncReport>) -> SyncOutcome {
    let failed = |error: Error| (Some(error.kind()), Some(error.reason().to_owned()), error.retry_after_ms());
    let (report, (error_kind, error, retry_after_ms)) = match synced {
        Ok(report) => (Some(report), (None, None, None)),
        Err(error) => (None, failed(error)),
    };
    SyncOutcome { account_id, report, error_kind, error, retry_after_ms }
}
