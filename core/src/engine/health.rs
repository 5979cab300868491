//! How accounts are doing: judged from recorded facts when somebody asks, so that a badge cannot be out of date.

use super::{Engine, Inner};
use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountHealth, AccountKind, AccountState, Badge, Feature, Health, Transport};
use crate::store::{AccountQuery, AccountRow, HealthError, HealthRow, PollState, SubscriptionRow, SubscriptionState};
use std::time::{Duration, SystemTime};

/// A daily sync that is an hour late is still healthy.
const FRESH_MS: i64 = 25 * 3_600_000;
/// So long after its time, nobody looks.
const LATE_MS: i64 = 3_600_000;
/// How far two clocks of one company are apart; more than that, and time went back.
const SKEW_MS: i64 = 5 * 60_000;

impl Engine {
    /// How all accounts of an owner are doing. Touches no network. Errors: NotFound.
    pub async fn health(&self, owner: String) -> Result<Health> {
        self.finish(|inner| async move { inner.health(owner).await }).await
    }
}

impl Inner {
    async fn health(&self, owner: String) -> Result<Health> {
        // What time alone changes about a state is brought about by looking at the accounts.
        self.auth.settle_all(Some(&owner)).await?;
        let found = self.store.accounts(AccountQuery::Owner(&owner)).await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in found {
            let count = self.store.count_quarantine(&row.id).await?;
            let oldest = if count > 0 { self.store.quarantine(&row.id, 1).await?.pop() } else { None };
            let facts = Facts {
                health: self.store.health(&row.id).await?,
                parked: self.store.parked_sends(&row.id).await?,
                count,
                reason: oldest.map(|item| item.reason),
                polled: self.store.poll_state(&row.id).await?,
                subscription: self.store.subscription(&row.id).await?,
            };
            rows.push((facts, row));
        }
        let now = to_ms(self.clock.now());
        let insecure = self.pipeline.insecure();
        let accounts: Vec<AccountHealth> = rows
            .iter()
            .map(|(facts, row)| {
                let health = judge(row, &facts.health, now, self.sync.since_success(&row.id, facts.health.last_success_at));
                let health = with_push(facts.subscription.as_ref().filter(|_| self.notify.is_on()), with_polling(facts.polled, health, now), now);
                let health = with_parked(facts.parked, with_quarantine(health, row, facts.count, facts.reason.as_deref().unwrap_or_default()));
                match &insecure {
                    Some((at, error)) if row.state == AccountState::Connected => cut_off(health, *at, error),
                    _ => health,
                }
            })
            .collect();
        let badge = accounts.iter().map(|a| a.badge).max();
        let badge = badge.ok_or_else(|| Error::new(ErrorKind::NotFound, "This owner has no account. Connect one first."))?;
        Ok(Health { owner, badge, accounts })
    }
}

/// What is known of an account.
struct Facts {
    health: HealthRow,
    parked: u32,
    /// Set aside, and why the oldest is.
    count: u32,
    reason: Option<String>,
    polled: Option<PollState>,
    subscription: Option<SubscriptionRow>,
}

/// A mailbox is polled as long as some process looks at it when it is due.
fn with_polling(polled: Option<PollState>, mut health: AccountHealth, now: i64) -> AccountHealth {
    if let Some(polled) = polled.filter(|polled| health.state == AccountState::Connected && polled.next_at.saturating_add(LATE_MS) > now) {
        health.transport = Transport::Polling;
        health.transport_since = Some(from_ms(polled.since));
    }
    health
}

/// Sends that wait for the host are the host's to deal with, whatever else there is.
fn with_parked(parked_sends: u32, mut health: AccountHealth) -> AccountHealth {
    if parked_sends > 0 {
        const GO: &str = "The store was copied or restored, and sends that were open then wait: look whether they were sent, then open the store with on_copied_store = go.";
        health.badge = Badge::Error;
        health.next_step = if health.next_step.is_empty() { GO.to_owned() } else { format!("{GO} {}", health.next_step) };
        health.parked_sends = parked_sends;
    }
    health
}

/// `since`: monotonic time since that success, if it happened in this process; wall time alone could be set back.
fn judge(row: &AccountRow, facts: &HealthRow, now: i64, since: Option<Duration>) -> AccountHealth {
    let connected = row.state == AccountState::Connected;
    // What failed before the account was connected anew, or mended, is over.
    let again = if connected { row.connected_at.max(row.state_since) } else { row.connected_at };
    let error = facts.error.as_ref().filter(|error| error.at >= again);
    let (badge, next_step) = verdict(row, facts.last_success_at, error, now, since);
    let next_step = step_of_shared(row, error).unwrap_or(next_step);
    AccountHealth {
        account_id: row.id.clone(),
        badge,
        state: row.state,
        transport: Transport::Manual,
        last_success_at: facts.last_success_at.map(from_ms),
        last_error_at: error.map(|e| from_ms(e.at)),
        last_error_kind: error.map(|e| e.kind),
        last_error: error.map(|e| e.reason.clone()).or_else(|| row.problem.clone().filter(|_| !connected)),
        quarantined: 0,
        parked_sends: 0,
        next_step,
        transport_since: None,
    }
}

/// Whether Microsoft tells what is new, and what is in the way.
fn with_push(subscription: Option<&SubscriptionRow>, mut health: AccountHealth, now: i64) -> AccountHealth {
    let Some(row) = subscription.filter(|row| row.is_wanted && health.state == AccountState::Connected) else { return health };
    if row.state == SubscriptionState::Active && row.expires_at > now {
        health.transport = Transport::Push;
        health.transport_since = Some(from_ms(row.state_since));
    } else if let Some(problem) = &row.problem {
        let step = if health.transport == Transport::Manual { format!("Nothing is told by Microsoft now, so sync it: {problem}") } else { format!("Nothing is told by Microsoft now, so it is looked at every few minutes: {problem}") };
        health.next_step = if health.next_step.is_empty() { step } else { format!("{} {step}", health.next_step) };
    }
    health
}

/// What is set aside keeps an account that is otherwise well below healthy. `reason`: that of the oldest.
fn with_quarantine(mut health: AccountHealth, row: &AccountRow, count: u32, reason: &str) -> AccountHealth {
    health.quarantined = count;
    if count > 0 && health.badge == Badge::Healthy && row.features.contains(&Feature::MailSync) {
        health.badge = Badge::Incomplete;
        let reason = reason.trim_end_matches('.');
        let step = format!("{count} of the mailbox could not be read ({reason}). Later syncs ask again by themselves; if it lasts, see what quarantined lists.");
        health.next_step = if health.next_step.is_empty() { step } else { format!("{} {step}", health.next_step) };
    }
    health
}

/// No connection of this engine is secure, so no account works until somebody mends a setting.
fn cut_off(health: AccountHealth, at: SystemTime, error: &Error) -> AccountHealth {
    AccountHealth {
        badge: Badge::Error,
        last_error_at: Some(at),
        last_error_kind: Some(error.kind()),
        last_error: Some(error.reason().to_owned()),
        next_step: of_kind(ErrorKind::InvalidInput).to_owned(),
        ..health
    }
}

fn verdict(row: &AccountRow, success: Option<i64>, error: Option<&HealthError>, now: i64, since: Option<Duration>) -> (Badge, String) {
    if row.state != AccountState::Connected {
        return (Badge::Error, of_state(row.state).to_owned());
    }
    if !row.features.contains(&Feature::MailSync) {
        return (Badge::Healthy, String::new());
    }
    if !crate::auth::allows(row, Feature::MailSync) {
        return (if success.is_some() { Badge::Stale } else { Badge::NeverSynced }, of_kind(ErrorKind::ConsentMissing).to_owned());
    }
    if let Some(error) = error.filter(|error| !error.kind.is_retryable()) {
        return (Badge::Error, of_kind(error.kind).to_owned());
    }
    let Some(success) = success else {
        return (Badge::NeverSynced, if error.is_some() { "Sync it again; nothing was fetched completely yet." } else { "Sync it; nothing was fetched yet." }.to_owned());
    };
    if success > now.saturating_add(SKEW_MS) {
        return (Badge::Stale, "The last sync lies in the future, so this machine's clock was set back. Set the clock right and sync again.".to_owned());
    }
    let counted = since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    match (now.saturating_sub(success).max(counted) <= FRESH_MS, error) {
        (true, None) => (Badge::Healthy, String::new()),
        (true, Some(error)) => (Badge::Healthy, of_kind(error.kind).to_owned()),
        (false, None) => (Badge::Stale, "Sync it; the last complete sync is more than 25 hours ago.".to_owned()),
        (false, Some(error)) => (Badge::Stale, format!("{} The last complete sync is more than 25 hours ago.", of_kind(error.kind))),
    }
}

/// Where it is its delegate, or what its delegate may do, that is to be mended.
fn step_of_shared(row: &AccountRow, error: Option<&HealthError>) -> Option<String> {
    let delegate = row.delegate.as_deref().filter(|_| row.kind == AccountKind::SharedMailbox)?;
    match (row.state, error.map(|error| error.kind)) {
        (AccountState::Disconnected, _) => Some("Add it again (add_shared_mailbox), or purge it.".to_owned()),
        (AccountState::Connected, Some(ErrorKind::Forbidden)) if row.is_app_only() => Some(format!(
            "Exchange keeps the application out: a permission of it was taken back, or an application access policy or a scope of RBAC for Applications does not include the mailbox. Ask an administrator; verify tells which. The organisation's account is {delegate}. It is tried again every hour."
        )),
        (AccountState::Connected, Some(ErrorKind::ConsentMissing)) if row.is_app_only() => {
            Some(format!("Have an administrator approve Mail.Read as a permission of the application (approval of the organisation's account {delegate})."))
        }
        (AccountState::Connected, Some(ErrorKind::Forbidden | ErrorKind::NotFound)) => Some(format!(
            "Exchange does not let the account it is opened through ({delegate}) in. Ask an administrator for Full Access, or add it again through another account (add_shared_mailbox). It is tried again every hour."
        )),
        (AccountState::Connected, Some(ErrorKind::ConsentMissing)) => Some(format!("Add the feature shared_mailboxes to the account it is opened through ({delegate}).")),
        (AccountState::Connected, _) => None,
        _ => Some(format!("It is opened through the account {delegate}, which does not work now: mend that one, or add the mailbox again through another account (add_shared_mailbox).")),
    }
}

fn of_state(state: AccountState) -> &'static str {
    match state {
        AccountState::Connected => "",
        AccountState::NeedsReconnect => "Let the person sign in again: start a reconnect.",
        AccountState::AwaitingAdmin => "Send an administrator the link that approval gives.",
        AccountState::Declined => "Talk to the administrator, then ask again with approval.",
        AccountState::Misconfigured => "Let the developer mend the application's registration in Entra; the next call tries it again.",
        AccountState::Disconnected => "Connect it again, or purge it.",
    }
}

fn of_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Network => "Nothing needs mending here: check the network if it lasts, and sync again.",
        ErrorKind::Throttled | ErrorKind::Upstream | ErrorKind::StoreBusy => "Nothing needs mending here: sync again later.",
        ErrorKind::NeedsReconnect | ErrorKind::NotConnected | ErrorKind::TokenRejected => "Let the person sign in again: start a reconnect.",
        ErrorKind::ConsentMissing => "A permission is missing: connect it again with mail_sync, or send an administrator the link that approval gives.",
        ErrorKind::Forbidden => "Let an administrator look at the mailbox and its policies, then sync again.",
        ErrorKind::InvalidInput => "Let the developer mend the settings that the error names, then sync again.",
        ErrorKind::StoreFull => "Free some disk space, then sync again.",
        ErrorKind::Corrupt => "Keep a copy of the store and restore it from a backup.",
        ErrorKind::WrongKey | ErrorKind::VaultLocked => "Open the store with its own root key, then sync again.",
        ErrorKind::NotFound
        | ErrorKind::LimitExceeded
        | ErrorKind::Conflict
        | ErrorKind::OutcomeUnknown
        | ErrorKind::CursorExpired
        | ErrorKind::AppNotInstalled
        | ErrorKind::BotBlocked
        | ErrorKind::ConversationGone
        | ErrorKind::LinkRejected
        | ErrorKind::Cancelled
        | ErrorKind::Closed
        | ErrorKind::Forked
        | ErrorKind::Internal => "Sync again; if it fails the same way, report it with the log.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite_account;

    const NOW: i64 = 1_790_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn row(state: AccountState) -> AccountRow {
        AccountRow { state, features: vec![Feature::MailSync], scopes: vec!["Mail.ReadWrite".into()], connected_at: NOW - 1_000 * HOUR, state_since: NOW - 700 * HOUR, ..suite_account("a") }
    }

    fn of(success: Option<i64>, error: Option<(i64, ErrorKind)>) -> AccountHealth {
        let error = error.map(|(at, kind)| HealthError { at, kind, reason: "why".into() });
        judge(&row(AccountState::Connected), &HealthRow { last_success_at: success, error }, NOW, None)
    }

    #[test]
    fn badges_follow_the_facts() {
        for (success, error, wanted) in [
            (None, None, Badge::NeverSynced),
            (Some(NOW), None, Badge::Healthy),
            (Some(NOW - 25 * HOUR), None, Badge::Healthy),
            (Some(NOW - 25 * HOUR - 1), None, Badge::Stale),
            (Some(NOW + SKEW_MS), None, Badge::Healthy),
            (Some(NOW + SKEW_MS + 1), None, Badge::Stale),
            (Some(NOW - HOUR), Some((NOW, ErrorKind::Network)), Badge::Healthy),
            (Some(NOW - HOUR), Some((NOW, ErrorKind::Throttled)), Badge::Healthy),
            (Some(NOW - 26 * HOUR), Some((NOW, ErrorKind::Upstream)), Badge::Stale),
            (None, Some((NOW, ErrorKind::Network)), Badge::NeverSynced),
            (Some(NOW - HOUR), Some((NOW, ErrorKind::Forbidden)), Badge::Error),
            (None, Some((NOW, ErrorKind::Internal)), Badge::Error),
            (None, Some((NOW - 600 * HOUR, ErrorKind::Forbidden)), Badge::Error),
            (None, Some((NOW - 800 * HOUR, ErrorKind::Forbidden)), Badge::NeverSynced),
            // Before the last sign-in.
            (None, Some((NOW - 2_000 * HOUR, ErrorKind::NeedsReconnect)), Badge::NeverSynced),
        ] {
            let health = of(success, error);
            assert_eq!(health.badge, wanted, "{success:?} {error:?}");
            assert_eq!(health.next_step.is_empty(), wanted == Badge::Healthy && error.is_none(), "{}", health.next_step);
            let told = error.filter(|(at, _)| *at > NOW - 700 * HOUR);
            assert_eq!((health.last_error_kind, health.last_error.as_deref()), (told.map(|e| e.1), told.map(|_| "why")));
        }
    }

    #[test]
    fn what_is_set_aside_is_below_healthy_and_hides_nothing_worse() {
        let account = row(AccountState::Connected);
        let health = with_quarantine(of(Some(NOW), None), &account, 2, "it broke.");
        assert_eq!((health.badge, health.quarantined), (Badge::Incomplete, 2));
        assert!(health.next_step.contains("2 of the mailbox could not be read (it broke)"), "{}", health.next_step);
        assert_eq!(with_quarantine(of(Some(NOW), None), &account, 0, "").badge, Badge::Healthy);
        assert_eq!(with_quarantine(of(Some(NOW - 26 * HOUR), None), &account, 2, "it broke.").badge, Badge::Stale);
        assert!(Badge::Healthy < Badge::Incomplete && Badge::Incomplete < Badge::NeverSynced);
    }

    #[test]
    fn a_clock_that_went_back_does_not_make_it_fresh() {
        let facts = HealthRow { last_success_at: Some(NOW - HOUR), error: None };
        let account = row(AccountState::Connected);
        assert_eq!(judge(&account, &facts, NOW, Some(Duration::from_secs(26 * 3600))).badge, Badge::Stale);
        assert_eq!(judge(&account, &facts, NOW, Some(Duration::from_secs(2 * 3600))).badge, Badge::Healthy);
        assert!(of(Some(NOW + HOUR), None).next_step.contains("clock was set back"));
    }

    #[test]
    fn states_come_first_and_accounts_without_mail_are_judged_by_them_alone() {
        let facts = HealthRow { last_success_at: Some(NOW), error: None };
        for state in [AccountState::NeedsReconnect, AccountState::AwaitingAdmin, AccountState::Declined, AccountState::Misconfigured, AccountState::Disconnected] {
            let health = judge(&AccountRow { problem: Some("the problem".into()), ..row(state) }, &facts, NOW, None);
            assert_eq!((health.badge, health.last_error.as_deref()), (Badge::Error, Some("the problem")));
            assert!(!health.next_step.is_empty());
        }
        let sender = AccountRow { features: vec![Feature::MailSend, Feature::Chat], ..row(AccountState::Connected) };
        assert_eq!(judge(&sender, &HealthRow::default(), NOW, None).badge, Badge::Healthy);
        let refused = AccountRow { scopes: vec!["User.Read".into()], ..row(AccountState::Connected) };
        let health = judge(&refused, &HealthRow::default(), NOW, None);
        assert!(health.badge == Badge::NeverSynced && health.next_step.contains("permission"));
        assert!(Badge::Healthy < Badge::NeverSynced && Badge::NeverSynced < Badge::Stale && Badge::Stale < Badge::Error, "the worst is the greatest");
    }
}
