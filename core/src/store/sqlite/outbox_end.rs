//! How sends end other than by their delivery: taken back, past their deadline, left in doubt; and what they leave behind.

use super::fault::Outcome;
use super::outbox::{columns, item_row};
use super::{SqliteStore, all, announce, exists, first, keys, leases, queues, run, staging};
use crate::model::{AuditKind, ChangeKind};
use crate::seal::Sealed;
use crate::store::{Entry, ItemRow, ItemState, Tidied};
use rusqlite::Connection;

/// A send that was settled.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    pub number: i64,
    pub id: String,
    pub account_id: String,
    ordering_key: String,
}

/// The record of an end, for the audit log.
pub fn settled_entry(state: ItemState) -> Entry {
    let detail = match state {
        ItemState::Sent => "It was sent.",
        ItemState::Failed => "It was not sent.",
        ItemState::Cancelled => "The send was cancelled.",
        _ => "It is unknown whether it was sent.",
    };
    Entry::new(AuditKind::SendSettled, detail)
}

/// What was sent or taken back is never sent again.
pub fn drop_content(c: &Connection, number: i64, has_files: bool) -> Outcome<()> {
    if has_files {
        staging::unneeded(c, number)?;
    }
    drop_own_content(c, number, has_files)
}

/// What is stored with the send itself.
pub fn drop_own_content(c: &Connection, number: i64, has_files: bool) -> Outcome<()> {
    if has_files {
        run(c, "DELETE FROM outbox_parts WHERE item_id = ?1", [number])?;
    }
    run(c, "DELETE FROM outbox_payloads WHERE item_id = ?1", [number])?;
    Ok(())
}

/// Takes back what nobody outside has seen, of an account or one alone. A request that may have had an effect keeps its state: it is no longer ours to
/// call unsent. What a worker is just making in the mailbox is looked for when its claim is over; what nobody had in hand yet has left nothing there.
fn cancel(c: &Connection, account_id: Option<&str>, id: Option<&str>, reason: &str, now: i64) -> Outcome<Vec<Ended>> {
    let ended = end(
        c,
        "UPDATE outbox SET state = 'cancelled', is_open = 0, is_head = 0, reason = ?3, next_at = NULL, fence = fence + 1,
           tidy_at = CASE WHEN progress IS NOT NULL AND fence > 0 AND route IN ('mail', 'reply', 'forward', 'chat', 'channel_post') THEN MIN(MAX(lease_until, ?4), ?4 + ?5) END, lease_until = 0
         WHERE (account_id = ?1 OR (public_id = ?2 AND parked = 0)) AND is_open = 1 AND state IN ('queued', 'claimed', 'prepared', 'retry_wait')",
        (account_id, id, reason, now, leases::SKEW_MS),
    )?;
    for one in &ended {
        drop_content(c, one.number, true)?;
    }
    Ok(ended)
}

/// Settles what `sql` says (`SET is_open = 0, is_head = 0`), in the order in which it was queued. Their lanes go on.
pub fn end(c: &Connection, sql: &str, params: impl rusqlite::Params) -> Outcome<Vec<Ended>> {
    let sql = format!("{sql} RETURNING id, public_id, account_id, lane");
    let mut ended = all(c, &sql, params, |row| Ok(Ended { number: row.get(0)?, id: row.get(1)?, account_id: row.get(2)?, ordering_key: row.get(3)? }))?;
    ended.sort_unstable();
    for one in &ended {
        queues::lift(c, &one.account_id, &one.ordering_key)?;
    }
    Ok(ended)
}

pub fn cancel_unsent(c: &Connection, account_id: &str, reason: &str, now: i64) -> Outcome<Vec<Ended>> {
    cancel(c, Some(account_id), None, reason, now)
}

/// What a dead worker left with a request made: nobody will be able to ask about it any more.
pub fn leave_in_doubt(c: &Connection, account_id: &str, now: i64) -> Outcome<Vec<Ended>> {
    end(
        c,
        "UPDATE outbox SET state = 'unknown', is_open = 0, is_head = 0, next_at = NULL, lease_until = 0, fence = fence + 1,
           reason = CASE route WHEN 'workflow' THEN 'The workflow was removed before it could be found out whether this was posted. Look where it posts to before sending it again.'
             ELSE 'The account was disconnected before it could be found out whether this was sent. Look into the mailbox before sending it again.' END
         WHERE account_id = ?1 AND is_open = 1 AND state IN ('dispatching', 'reconciling') AND lease_until <= ?2",
        (account_id, now),
    )
}

/// Open, past its deadline at ?1, and nobody's: a claim that ends later than ?2 was made when the clock stood ahead.
macro_rules! overdue {
    () => {
        "is_open = 1 AND parked = 0 AND deadline <= ?1 AND (lease_until <= ?1 OR lease_until > ?2)"
    };
}

/// Whether it was sent nobody can say, and nobody can ask now.
macro_rules! unaskable {
    () => {
        "state IN ('dispatching', 'reconciling') AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = outbox.account_id AND a.state = 'connected')"
    };
}

/// Whether any is. Of all that is queued, only what has a deadline is looked at.
pub(super) const OVERDUE: &str =
    concat!("SELECT 1 FROM outbox INDEXED BY outbox_deadline WHERE ", overdue!(), " AND (state IN ('queued', 'claimed', 'prepared', 'retry_wait') OR ", unaskable!(), ")");

pub fn next_upkeep(c: &Connection) -> Outcome<Option<i64>> {
    let time = |sql: &str| first(c, sql, [], |row| Ok(row.get::<_, Option<i64>>(0)?)).map(Option::flatten);
    let deadline = time("SELECT MIN(deadline) FROM outbox WHERE is_open = 1 AND deadline IS NOT NULL AND parked = 0")?;
    let tidy = time(
        "SELECT MIN(tidy_at) FROM outbox WHERE tidy_at IS NOT NULL AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = outbox.account_id AND a.state = 'connected')",
    )?;
    Ok([deadline, tidy].into_iter().flatten().min())
}

impl SqliteStore {
    /// Notes when, and tells readers of the feed and of the audit log.
    pub(super) fn tell_ended(&self, c: &Connection, ended: &[Ended], state: ItemState, now: i64) -> Outcome<()> {
        let mut entries = Vec::with_capacity(ended.len());
        for Ended { number, id, account_id, .. } in ended {
            run(c, "UPDATE outbox SET settled_at = ?2 WHERE id = ?1", (number, now))?;
            announce(c, ChangeKind::SendChanged, account_id, Some(id), now)?;
            entries.push(settled_entry(state).on(account_id).about(id));
        }
        self.note(c, &entries, now)
    }

    pub(super) fn cancel_one(&self, tx: &Connection, id: &str, reason: &str, now: i64) -> Outcome<bool> {
        let ended = cancel(tx, None, Some(id), reason, now)?;
        self.tell_ended(tx, &ended, ItemState::Cancelled, now)?;
        Ok(!ended.is_empty())
    }

    /// Ids of what was settled.
    pub(super) fn end_overdue(&self, tx: &Connection, now: i64) -> Outcome<Vec<String>> {
        if !is_overdue(tx, now)? {
            return Ok(Vec::new());
        }
        let late = late(now);
        let failed = end(
            tx,
            concat!(
                "UPDATE outbox INDEXED BY outbox_deadline SET state = 'failed', is_open = 0, is_head = 0, next_at = NULL, lease_until = 0, fence = fence + 1, reason = ?3,
                   tidy_at = CASE WHEN progress IS NOT NULL AND fence > 0 AND route IN ('mail', 'reply', 'forward', 'chat', 'channel_post') THEN ?1 END
                 WHERE ",
                overdue!(),
                " AND state IN ('queued', 'claimed', 'prepared', 'retry_wait')"
            ),
            (now, late, crate::store::PAST_DEADLINE),
        )?;
        let unknown = end(
            tx,
            concat!(
                "UPDATE outbox INDEXED BY outbox_deadline SET state = 'unknown', is_open = 0, is_head = 0, next_at = NULL, lease_until = 0, fence = fence + 1,
                   reason = 'Its deadline passed before it could be found out whether it was sent. Look into the mailbox before sending it again.'
                 WHERE ",
                overdue!(),
                " AND ",
                unaskable!()
            ),
            (now, late),
        )?;
        self.tell_ended(tx, &failed, ItemState::Failed, now)?;
        self.tell_ended(tx, &unknown, ItemState::Unknown, now)?;
        Ok(failed.into_iter().chain(unknown).map(|one| one.id).collect())
    }
}

/// A claim that ends later than this was made when the clock stood ahead.
fn late(now: i64) -> i64 {
    now.saturating_add(leases::SKEW_MS).saturating_add(crate::store::LEASE_MS)
}

pub fn is_overdue(c: &Connection, now: i64) -> Outcome<bool> {
    exists(c, OVERDUE, (now, late(now)))
}

macro_rules! untidy {
    () => {
        "SELECT o.id FROM outbox o WHERE o.tidy_at <= ?1 AND o.is_open = 0 AND (o.lease_until <= ?1 OR o.lease_until > ?2)
           AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = o.account_id AND a.state = 'connected') ORDER BY o.tidy_at LIMIT 1"
    };
}

/// Whether drafts of a settled send are to be looked for that nobody looks for now.
pub fn is_untidy(c: &Connection, now: i64, lease_ms: i64) -> Outcome<bool> {
    exists(c, untidy!(), (now, now.saturating_add(lease_ms).saturating_add(leases::SKEW_MS)))
}

pub fn claim_tidy(c: &Connection, now: i64, lease_ms: i64) -> Outcome<Option<ItemRow>> {
    let until = now.saturating_add(lease_ms);
    let sql = concat!("UPDATE outbox SET lease_until = ?3, fence = fence + 1 WHERE id = (", untidy!(), ") RETURNING ", columns!());
    first(c, sql, (now, until.saturating_add(leases::SKEW_MS), until), item_row)
}

/// False: the claim was lost, or the send is open.
pub fn tidied(c: &Connection, id: &str, tidied: &Tidied) -> Outcome<bool> {
    let changed = match tidied {
        Tidied::Ended { fence, progress, again_at } => {
            keys::check_active(c, progress)?;
            run(
                c,
                "UPDATE outbox SET lease_until = 0, tidy_at = ?4,
                   progress = COALESCE(?3, progress), progress_version = progress_version + (?3 IS NOT NULL)
                 WHERE public_id = ?1 AND fence = ?2",
                (id, fence, progress.as_ref().map(Sealed::as_bytes), again_at),
            )?
        }
        Tidied::MayFollow { until } => run(
            c,
            "UPDATE outbox SET tidy_at = COALESCE(tidy_at, ?2), tidy_until = MAX(COALESCE(tidy_until, ?2), ?2), fence = fence + 1 WHERE public_id = ?1 AND is_open = 0",
            (id, until),
        )?,
    };
    Ok(changed > 0)
}
