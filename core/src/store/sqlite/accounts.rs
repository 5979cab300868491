//! Accounts from connect to disconnect, their tokens, sign-in attempts.

use super::fault::{Fault, Outcome};
use super::ending::{destroy_key, end_sign_ins, mark_erasure};
use super::{ERASE_WAIT, SqliteStore, all, exists, first, keys, leases, purge, run, sealed, sealed_opt, word};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountState, AuditKind, Feature};
use crate::seal::Sealed;
use crate::store::{AccountRow, AccountStore, AccountWindow, AttemptRow, Consumed, Entry, KeyPurpose, KeyRow, Lease, NewAttempt, NewKey, TokenRow, moved_on};
use crate::store::words::Word;
use async_trait::async_trait;
use rusqlite::{Connection, Row};

const DAY_MS: i64 = 86_400_000;

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT id, owner, tenant_id, user_id, state, features, scopes, problem, profile, profile_version, generation, connected_at, \
             kind, app, authority, extra_scopes, state_since, access_ends_at, claims, claims_version, approver, folders, num FROM accounts ",
            $rest
        )
    };
}

fn account_row(row: &Row<'_>) -> Outcome<AccountRow> {
    let features = strings(row, 5)?.iter().map(|f| Feature::parse(f)).collect::<Result<_>>()?;
    Ok(AccountRow {
        id: row.get(0)?,
        owner: row.get(1)?,
        tenant_id: row.get(2)?,
        user_id: row.get(3)?,
        state: word(row, 4)?,
        features,
        scopes: strings(row, 6)?,
        problem: row.get(7)?,
        profile: sealed(row, 8)?,
        profile_version: row.get(9)?,
        generation: row.get(10)?,
        connected_at: row.get(11)?,
        kind: word(row, 12)?,
        app: row.get(13)?,
        authority: row.get(14)?,
        extra_scopes: strings(row, 15)?,
        state_since: row.get(16)?,
        access_ends_at: row.get(17)?,
        claims: sealed_opt(row, 18)?,
        claims_version: row.get(19)?,
        approver: word(row, 20)?,
        folders: strings(row, 21)?,
    })
}

fn numbered(row: &Row<'_>) -> Outcome<(i64, AccountRow)> {
    Ok((row.get(22)?, account_row(row)?))
}

fn strings(row: &Row<'_>, column: usize) -> Outcome<Vec<String>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| Fault::Ours(super::fault::corrupt("a list")))
}

/// A row without an owner is being purged, and is gone for everybody.
pub fn by_id(c: &Connection, id: &str) -> Outcome<Option<AccountRow>> {
    first(c, select_account!("WHERE id = ?1 AND owner <> ''"), [id], account_row)
}

fn by_person(c: &Connection, owner: &str, tenant_id: &str, user_id: &str) -> Outcome<Option<AccountRow>> {
    first(c, select_account!("WHERE owner = ?1 AND tenant_id = ?2 AND user_id = ?3"), (owner, tenant_id, user_id), account_row)
}

fn put_account(c: &Connection, account: &AccountRow) -> Outcome<()> {
    let features: Vec<&str> = account.features.iter().map(|f| f.word()).collect();
    let mut statement = c.prepare_cached(
        "INSERT INTO accounts (id, owner, tenant_id, user_id, state, features, scopes, problem, profile, profile_version, generation, connected_at,
           kind, app, authority, extra_scopes, state_since, access_ends_at, claims, claims_version, approver)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
         ON CONFLICT (id) DO UPDATE SET
           tenant_id = excluded.tenant_id, user_id = excluded.user_id, kind = excluded.kind, app = excluded.app, authority = excluded.authority,
           extra_scopes = excluded.extra_scopes, state_since = excluded.state_since, access_ends_at = excluded.access_ends_at, claims = excluded.claims,
           claims_version = excluded.claims_version, approver = excluded.approver, state = excluded.state, features = excluded.features, scopes = excluded.scopes, problem = excluded.problem, profile = excluded.profile,
           profile_version = excluded.profile_version, generation = excluded.generation, connected_at = excluded.connected_at",
    )?;
    statement.execute(rusqlite::params![
        account.id,
        account.owner,
        account.tenant_id,
        account.user_id,
        account.state.word(),
        super::json(&features)?,
        super::json(&account.scopes)?,
        account.problem,
        account.profile.as_bytes(),
        account.profile_version,
        account.generation,
        account.connected_at,
        account.kind.word(),
        account.app,
        account.authority,
        super::json(&account.extra_scopes)?,
        account.state_since,
        account.access_ends_at,
        account.claims.as_ref().map(Sealed::as_bytes),
        account.claims_version,
        account.approver.word(),
    ])?;
    Ok(())
}

/// Delta links are sealed with the secrets key, so they go with it; the next pass of each folder is a comparison with what is held.
pub fn drop_cursors(c: &Connection, account_id: &str, now: i64) -> Outcome<()> {
    run(
        c,
        "UPDATE folders SET link = NULL, link_is_delta = 0, pass = pass + 1, resync_since = CASE WHEN was_complete = 1 OR stored > 0 THEN ?2 ELSE resync_since END
         WHERE account_id = ?1 AND link IS NOT NULL",
        (account_id, now),
    )?;
    run(c, "UPDATE accounts SET folder_link = NULL WHERE id = ?1 AND folder_link IS NOT NULL", [account_id])?;
    Ok(())
}

/// An account nobody ever signed in to holds nothing but its keys. One that somebody has signed in to meanwhile is another matter.
/// `owner`: the mark of its owner, whose feed tells that it is gone.
fn erase_unused(c: &Connection, account_id: &str, owner: &str, now: i64) -> Outcome<Vec<Entry>> {
    if !by_id(c, account_id)?.is_some_and(|row| row.is_nobodys()) {
        return Err(moved_on().into());
    }
    let mut entries = Vec::new();
    for purpose in [KeyPurpose::Secrets, KeyPurpose::Content] {
        entries.extend(destroy_key(c, purpose, account_id)?);
    }
    run(c, "DELETE FROM tokens WHERE account_id = ?1", [account_id])?;
    end_sign_ins(c, account_id)?;
    if run(c, "DELETE FROM accounts WHERE id = ?1", [account_id])? > 0 {
        run(
            c,
            "INSERT INTO purges (account_id, owner, begun_at, erased, ended_at) VALUES (?1, ?2, ?3, 1, ?3) ON CONFLICT (account_id) DO NOTHING",
            (account_id, owner, now),
        )?;
        keys::announce_account(c, account_id, now)?;
        mark_erasure(c)?;
    }
    Ok(entries)
}

/// What is recorded of an account that a sign-in has stored.
fn stored(account: &AccountRow, renewed: bool) -> Entry {
    let entry = match account.state {
        AccountState::Connected if renewed => Entry::new(AuditKind::SignedIn, "A sign-in renewed the account."),
        AccountState::Connected => Entry::new(AuditKind::SignedIn, "A sign-in connected the account."),
        state => Entry::new(AuditKind::StateChanged, format!("The account is now {}.", state.word())),
    };
    entry.on(&account.id)
}

fn token_row(row: &Row<'_>) -> Outcome<TokenRow> {
    Ok(TokenRow { account_id: row.get(0)?, version: row.get(1)?, sealed: sealed(row, 2)?, expires_at: row.get(3)?, refreshed_at: row.get(4)? })
}

fn ended() -> Error {
    Error::new(ErrorKind::Cancelled, "This sign-in ended before it was finished: its account was disconnected, or its owner deleted or purged. Nothing was stored; start it again.")
}

impl SqliteStore {
    fn connect(&self, attempt: Option<&[u8]>, account: &AccountRow, token: Option<&TokenRow>, new_keys: &[NewKey], replaces: Option<&str>, now: i64) -> Result<AccountRow> {
        let (erases, folders) = self.write(|tx| {
            purge::refuse_deleted(tx, &account.owner, &account.id)?;
            if let Some(state_hash) = attempt
                && run(tx, "UPDATE attempts SET account_id = ?2 WHERE state_hash = ?1", (state_hash, &account.id))? == 0
            {
                return Err(ended().into());
            }
            let mut entries = Vec::new();
            if let Some(id) = replaces.filter(|id| *id != account.id) {
                entries.extend(erase_unused(tx, id, &self.owner_mark(&account.owner)?, now)?);
            }
            // Everything handed in is sealed for `account.id`; under another id it could never be opened.
            if by_person(tx, &account.owner, &account.tenant_id, &account.user_id)?.is_some_and(|earlier| earlier.id != account.id) {
                return Err(Error::new(ErrorKind::Conflict, "This person was connected by another call at the same moment. Use that account, or connect again.").into());
            }
            let earlier = by_id(tx, &account.id)?;
            if account.generation != earlier.as_ref().map_or(1, |earlier| earlier.generation + 1) {
                return Err(moved_on().into());
            }
            put_account(tx, account)?;
            entries.push(stored(account, earlier.is_some()).of(self.owner_mark(&account.owner)?));
            entries.extend(destroy_key(tx, KeyPurpose::Secrets, &account.id)?);
            self.note(tx, &entries, now)?;
            drop_cursors(tx, &account.id, now)?;
            for key in new_keys {
                if key.purpose == KeyPurpose::Content && keys::active(tx, KeyPurpose::Content, &account.id)?.is_some() {
                    return Err(Error::new(ErrorKind::Conflict, "This account has a key for its mail already. Connect again.").into());
                }
                keys::insert(tx, key)?;
            }
            run(tx, "DELETE FROM tokens WHERE account_id = ?1 AND ?2", (&account.id, token.is_none()))?;
            if let Some(token) = token {
                run(
                tx,
                "INSERT INTO tokens (account_id, version, sealed, expires_at, refreshed_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (account_id) DO UPDATE SET
                   version = excluded.version, sealed = excluded.sealed, expires_at = excluded.expires_at, refreshed_at = excluded.refreshed_at",
                (&account.id, token.version, token.sealed.as_bytes(), token.expires_at, token.refreshed_at),
                )?;
            }
            keys::check_active(tx, [Some(&account.profile), account.claims.as_ref(), token.map(|token| &token.sealed)].into_iter().flatten())?;
            if earlier.is_some() {
                mark_erasure(tx)?;
            }
            keys::announce_account(tx, &account.id, now)?;
            Ok((earlier.is_some() || replaces.is_some(), earlier.map(|earlier| earlier.folders).unwrap_or_default()))
        })?;
        if erases {
            self.erase_now(ERASE_WAIT);
        }
        Ok(AccountRow { folders, ..account.clone() })
    }
}

#[async_trait]
impl AccountStore for SqliteStore {
    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read(|c| keys::meta(c, name))
    }

    fn meta_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>> {
        if let Some(found) = self.meta(name)? {
            return Ok(found);
        }
        self.write(|tx| {
            run(tx, "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", (name, value))?;
            Ok(keys::meta(tx, name)?.unwrap_or_default())
        })
    }

    fn insert_store_key(&self, key: &NewKey, canary: &Sealed, wrapped_root: Option<&[u8]>) -> Result<()> {
        self.put_store_key(key, canary, wrapped_root)
    }

    fn canary(&self) -> Result<Option<Sealed>> {
        self.read_canary()
    }

    #[cfg(test)]
    fn key(&self, id: i64) -> Result<Option<KeyRow>> {
        self.read(|c| keys::by_id(c, id))
    }

    fn active_key(&self, purpose: KeyPurpose, account_id: Option<&str>) -> Result<Option<KeyRow>> {
        self.read(|c| keys::active(c, purpose, account_id.unwrap_or_default()))
    }

    fn reserve_uses(&self, key_id: i64, count: i64) -> Result<i64> {
        self.reserve(key_id, count)
    }

    fn leave_attempt(&self, attempt: &NewAttempt, owner: &str, account_id: Option<&str>) -> Result<()> {
        self.write(|tx| {
            let account_id = account_id.unwrap_or_default();
            // Whoever was deleted or purged since the caller looked gets no new one.
            purge::refuse_deleted(tx, owner, account_id)?;
            keys::check_active(tx, [&attempt.sealed])?;
            run(
                tx,
                "INSERT INTO attempts (state_hash, sealed, created_at, expires_at, account_id, owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (&attempt.state_hash, attempt.sealed.as_bytes(), attempt.created_at, attempt.expires_at, account_id, self.owner_mark(owner)?),
            )?;
            Ok(())
        })
    }

    fn attempt(&self, state_hash: &[u8]) -> Result<Option<AttemptRow>> {
        self.read(|c| {
            first(c, "SELECT sealed, used_at <> 0, expires_at FROM attempts WHERE state_hash = ?1", [state_hash], |row| {
                Ok(AttemptRow { sealed: sealed(row, 0)?, is_used: row.get(1)?, expires_at: row.get(2)? })
            })
        })
    }

    fn consume_attempt(&self, state_hash: &[u8], now: i64) -> Result<Consumed> {
        self.write(|tx| {
            run(tx, "DELETE FROM attempts WHERE expires_at < ?1", [now.saturating_sub(DAY_MS)])?;
            let fresh = run(tx, "UPDATE attempts SET used_at = ?2 WHERE state_hash = ?1 AND used_at = 0 AND expires_at > ?2 AND created_at <= ?2 + ?3", (state_hash, now, leases::SKEW_MS))?;
            if fresh == 1 {
                return Ok(Consumed::Fresh);
            }
            let used = first(tx, "SELECT used_at <> 0 FROM attempts WHERE state_hash = ?1", [state_hash], |row| Ok(row.get::<_, bool>(0)?))?;
            Ok(match used {
                Some(true) => Consumed::AlreadyUsed,
                Some(false) => Consumed::Expired,
                None => Consumed::Unknown,
            })
        })
    }

    fn return_attempt(&self, state_hash: &[u8]) -> Result<()> {
        self.write(|tx| {
            run(tx, "UPDATE attempts SET used_at = 0 WHERE state_hash = ?1", [state_hash])?;
            Ok(())
        })
    }

    fn connect_account(&self, account: &AccountRow, token: Option<&TokenRow>, keys: &[NewKey], replaces: Option<&str>, now: i64) -> Result<AccountRow> {
        self.connect(None, account, token, keys, replaces, now)
    }

    fn finish_attempt(&self, state_hash: &[u8], account: &AccountRow, token: Option<&TokenRow>, keys: &[NewKey], replaces: Option<&str>, now: i64) -> Result<AccountRow> {
        self.connect(Some(state_hash), account, token, keys, replaces, now)
    }

    fn find_account(&self, owner: &str, tenant_id: &str, user_id: &str) -> Result<Option<AccountRow>> {
        self.read(|c| by_person(c, owner, tenant_id, user_id))
    }

    fn is_connected_elsewhere(&self, owner: &str, tenant_id: &str, user_id: &str) -> Result<bool> {
        let [awaiting, declined, disconnected] = [AccountState::AwaitingAdmin, AccountState::Declined, AccountState::Disconnected].map(Word::word);
        self.read(|c| {
            exists(
                c,
                "SELECT 1 FROM accounts WHERE tenant_id = ?2 AND user_id = ?3 AND owner NOT IN (?1, '') AND state NOT IN (?4, ?5, ?6)",
                (owner, tenant_id, user_id, awaiting, declined, disconnected),
            )
        })
    }

    async fn account(&self, id: &str) -> Result<Option<AccountRow>> {
        let id = id.to_owned();
        self.reading(move |c| by_id(c, &id)).await
    }

    fn account_blocking(&self, id: &str) -> Result<Option<AccountRow>> {
        self.read(|c| by_id(c, id))
    }

    fn accounts(&self, owner: &str) -> Result<Vec<AccountRow>> {
        self.read(|c| all(c, select_account!("WHERE owner <> '' AND owner = ?1 ORDER BY num"), [owner], account_row))
    }

    fn account_page(&self, window: &AccountWindow<'_>) -> Result<Vec<(i64, AccountRow)>> {
        let (state, after, limit) = (window.state.map(Word::word), window.after, window.limit);
        self.read(|c| match window.owner {
            Some(owner) => all(
                c,
                select_account!("WHERE owner <> '' AND owner = ?1 AND num > ?2 AND (?3 IS NULL OR state = ?3) ORDER BY num LIMIT ?4"),
                (owner, after, state, limit),
                numbered,
            ),
            None => all(c, select_account!("WHERE owner <> '' AND num > ?1 AND (?2 IS NULL OR state = ?2) ORDER BY num LIMIT ?3"), (after, state, limit), numbered),
        })
    }

    fn overdue_accounts(&self, owner: Option<&str>, awaiting_since: i64, now: i64) -> Result<Vec<AccountRow>> {
        self.read(|c| {
            let mut rows = all(
                c,
                select_account!("WHERE state = 'awaiting_admin' AND state_since <= ?1 AND owner <> '' AND (?2 IS NULL OR owner = ?2)"),
                (awaiting_since, owner),
                account_row,
            )?;
            rows.extend(all(
                c,
                select_account!("WHERE access_ends_at <= ?1 AND state = 'connected' AND owner <> '' AND (?2 IS NULL OR owner = ?2)"),
                (now, owner),
                account_row,
            )?);
            Ok(rows)
        })
    }

    fn choose_folders(&self, id: &str, folders: &[String]) -> Result<bool> {
        let folders = super::json(folders)?;
        self.write(|tx| Ok(run(tx, "UPDATE accounts SET folders = ?2 WHERE id = ?1 AND owner <> ''", (id, &folders))? > 0))
    }

    fn account_ids(&self, owner: &str, and_gone: bool) -> Result<Vec<String>> {
        let mark = and_gone.then(|| self.owner_mark(owner)).transpose()?;
        self.read(|c| {
            let mut ids = purge::of_owner(c, owner)?;
            if let Some(mark) = mark {
                ids.extend(all(c, "SELECT account_id FROM purges WHERE owner = ?1 ORDER BY begun_at, account_id", [mark], |row| Ok(row.get(0)?))?);
            }
            Ok(ids)
        })
    }

    fn set_account_state(&self, id: &str, generation: i64, state: AccountState, problem: Option<&str>, now: i64) -> Result<bool> {
        self.write(|tx| {
            let same = exists(
                tx,
                "SELECT 1 FROM accounts WHERE id = ?1 AND generation = ?2 AND state = ?3 AND problem IS ?4",
                (id, generation, state.word(), problem),
            )?;
            if same {
                return Ok(true);
            }
            // Only a new connect ends a disconnect.
            let changed = run(tx, "UPDATE accounts SET state_since = CASE WHEN state = ?3 THEN state_since ELSE ?5 END, state = ?3, problem = ?4
                 WHERE id = ?1 AND generation = ?2 AND state <> 'disconnected'", (id, generation, state.word(), problem, now))?;
            if changed > 0 {
                keys::announce_account(tx, id, now)?;
                self.note(tx, &[Entry::new(AuditKind::StateChanged, format!("The account is now {}.", state.word())).on(id)], now)?;
            }
            Ok(changed > 0)
        })
    }

    fn restart_wait(&self, id: &str, generation: i64, state: AccountState, now: i64) -> Result<bool> {
        self.write(|tx| Ok(run(tx, "UPDATE accounts SET state_since = ?4 WHERE id = ?1 AND generation = ?2 AND state = ?3", (id, generation, state.word(), now))? > 0))
    }

    fn set_features(&self, id: &str, generation: i64, features: &[Feature], now: i64) -> Result<bool> {
        let words: Vec<&str> = features.iter().map(|f| f.word()).collect();
        self.write(|tx| {
            let changed = run(tx, "UPDATE accounts SET features = ?3 WHERE id = ?1 AND generation = ?2 AND state <> 'disconnected'", (id, generation, super::json(&words)?))?;
            if changed > 0 {
                keys::announce_account(tx, id, now)?;
            }
            Ok(changed > 0)
        })
    }

    fn set_profile(&self, id: &str, generation: i64, profile: &Sealed, version: i64, now: i64) -> Result<bool> {
        self.write(|tx| {
            let changed = run(
                tx,
                "UPDATE accounts SET profile = ?3, profile_version = ?4 WHERE id = ?1 AND generation = ?2 AND profile_version = ?4 - 1",
                (id, generation, profile.as_bytes(), version),
            )?;
            if changed > 0 {
                keys::check_active(tx, [profile])?;
                keys::announce_account(tx, id, now)?;
            }
            Ok(changed > 0)
        })
    }

    fn set_claims(&self, id: &str, generation: i64, claims: Option<&Sealed>, version: i64) -> Result<bool> {
        self.write(|tx| {
            let changed = run(
                tx,
                "UPDATE accounts SET claims = ?3, claims_version = ?4 WHERE id = ?1 AND generation = ?2 AND claims_version = ?4 - 1",
                (id, generation, claims.map(Sealed::as_bytes), version),
            )?;
            if changed > 0 {
                keys::check_active(tx, claims)?;
            }
            Ok(changed > 0)
        })
    }

    fn disconnect_account(&self, id: &str, reason: &str, now: i64) -> Result<Vec<String>> {
        let cancelled = self.write(|tx| self.disconnect(tx, id, reason, now))?;
        self.erase_now(ERASE_WAIT);
        Ok(cancelled)
    }

    fn token(&self, account_id: &str) -> Result<Option<TokenRow>> {
        self.read(|c| first(c, "SELECT account_id, version, sealed, expires_at, refreshed_at FROM tokens WHERE account_id = ?1", [account_id], token_row))
    }

    fn save_token(&self, token: &TokenRow, generation: i64, lease: Option<&Lease>, _now: i64) -> Result<bool> {
        self.write(|tx| {
            if let Some(lease) = lease
                && !leases::is_held(tx, lease)?
            {
                return Ok(false);
            }
            let changed = run(
                tx,
                "UPDATE tokens SET version = ?2, sealed = ?3, expires_at = ?4, refreshed_at = ?5
                 WHERE account_id = ?1 AND version = ?2 - 1
                   AND EXISTS (SELECT 1 FROM accounts WHERE id = ?1 AND generation = ?6 AND state <> 'disconnected')",
                (&token.account_id, token.version, token.sealed.as_bytes(), token.expires_at, token.refreshed_at, generation),
            )?;
            if changed > 0 {
                keys::check_active(tx, [&token.sealed])?;
            }
            Ok(changed > 0)
        })
    }

    async fn take_lease(&self, name: &str, holder: &str, now: i64, for_ms: i64) -> Result<Option<Lease>> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.writing(move |tx| leases::take(tx, &name, &holder, now, for_ms)).await
    }

    async fn renew_lease(&self, lease: &Lease, now: i64, for_ms: i64) -> Result<bool> {
        let lease = lease.clone();
        self.urgently(move |tx| leases::renew(tx, &lease, now, for_ms)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        self.writing(move |tx| leases::release(tx, &lease)).await
    }

    fn take_lease_blocking(&self, name: &str, holder: &str, now: i64, for_ms: i64) -> Result<Option<Lease>> {
        self.write(|tx| leases::take(tx, name, holder, now, for_ms))
    }

    fn renew_lease_blocking(&self, lease: &Lease, now: i64, for_ms: i64) -> Result<bool> {
        self.write(|tx| leases::renew(tx, lease, now, for_ms))
    }

    fn release_lease_blocking(&self, lease: &Lease) -> Result<()> {
        self.write(|tx| leases::release(tx, lease))
    }
}
