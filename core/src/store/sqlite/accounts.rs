//! Accounts from connect to disconnect, their tokens, sign-in attempts.

use super::fault::{Fault, Outcome};
use super::ending::{destroy_key, erase_unused, mark_erasure};
use super::{ERASE_WAIT, SqliteStore, all, delegates, endpoints, exists, first, folders, keys, leases, purge, run, sealed, sealed_opt, word};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountKind, AccountState, AuditKind, Feature};
use crate::seal::Sealed;
use crate::store::{
    AccountChange, AccountQuery, AccountRow, AccountStore, AccountWindow, AttemptRow, Consumed, EndpointRow, Entry, KeyPurpose, Lease, NewAttempt, NewConnection, NewKey, TokenRow, moved_on,
};
use crate::store::words::Word;
use async_trait::async_trait;
use rusqlite::{Connection, Row};

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT id, owner, tenant_id, user_id, state, features, scopes, problem, profile, profile_version, generation, connected_at, \
             kind, app, authority, extra_scopes, state_since, access_ends_at, claims, claims_version, approver, folders, num, delegate, \
             (SELECT d.kind FROM accounts AS d WHERE d.id = accounts.delegate) FROM accounts ",
            $rest
        )
    };
}

fn account_row(row: &Row<'_>) -> Outcome<AccountRow> {
    let features = strings(row, 5)?.iter().map(|f| Feature::parse(f)).collect::<Result<_>>()?;
    Ok(AccountRow {
        id: row.get(0)?,
        number: row.get(22)?,
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
        delegate: row.get(23)?,
        delegate_kind: row.get::<_, Option<String>>(24)?.map(|kind| AccountKind::parse(&kind)).transpose()?,
    })
}

fn strings(row: &Row<'_>, column: usize) -> Outcome<Vec<String>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| Fault::Ours(super::fault::corrupt("a list")))
}

/// A row without an owner is being purged, and is gone for everybody. Workflows are no accounts ([`workflows`](super::workflows)).
pub fn by_id(c: &Connection, id: &str) -> Outcome<Option<AccountRow>> {
    first(c, select_account!("WHERE id = ?1 AND owner <> '' AND kind <> 'workflow'"), [id], account_row)
}

fn by_person(c: &Connection, owner: &str, tenant_id: &str, user_id: &str) -> Outcome<Option<AccountRow>> {
    first(c, select_account!("WHERE owner = ?1 AND tenant_id = ?2 AND user_id = ?3"), (owner, tenant_id, user_id), account_row)
}

fn put_account(c: &Connection, account: &AccountRow) -> Outcome<()> {
    let features: Vec<&str> = account.features.iter().map(|f| f.word()).collect();
    let mut statement = c.prepare_cached(
        "INSERT INTO accounts (id, owner, tenant_id, user_id, state, features, scopes, problem, profile, profile_version, generation, connected_at,
           kind, app, authority, extra_scopes, state_since, access_ends_at, claims, claims_version, approver, delegate)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)
         ON CONFLICT (id) DO UPDATE SET
           tenant_id = excluded.tenant_id, user_id = excluded.user_id, kind = excluded.kind, app = excluded.app, authority = excluded.authority,
           extra_scopes = excluded.extra_scopes, state_since = excluded.state_since, access_ends_at = excluded.access_ends_at, claims = excluded.claims,
           claims_version = excluded.claims_version, approver = excluded.approver, delegate = excluded.delegate, state = excluded.state, features = excluded.features, scopes = excluded.scopes, problem = excluded.problem, profile = excluded.profile,
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
        account.delegate,
    ])?;
    Ok(())
}

/// What is recorded of an account that a sign-in has stored.
fn stored(account: &AccountRow, renewed: bool) -> Entry {
    let entry = match account.state {
        _ if account.delegate.is_some() => Entry::new(AuditKind::StateChanged, "The shared mailbox was added."),
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

/// What a connection brings, owned by the step that stores it.
struct Connecting {
    attempt: Option<Vec<u8>>,
    account: AccountRow,
    token: Option<TokenRow>,
    keys: Vec<NewKey>,
    replaces: Option<String>,
    endpoint: Option<EndpointRow>,
}

/// The account as stored, and whether anything was destroyed for it.
fn connect(store: &SqliteStore, tx: &Connection, new: Connecting, now: i64) -> Outcome<(AccountRow, bool)> {
    let Connecting { attempt, account, token, keys: new_keys, replaces, endpoint } = new;
    purge::refuse_deleted(tx, &account.owner, &account.id)?;
    if let Some(state_hash) = attempt
        && run(tx, "UPDATE attempts SET account_id = ?2 WHERE state_hash = ?1", (state_hash, &account.id))? == 0
    {
        return Err(ended().into());
    }
    let mut entries = Vec::new();
    if let Some(id) = replaces.as_ref().filter(|id| **id != account.id) {
        entries.extend(erase_unused(tx, id, &store.owner_mark(&account.owner)?, now)?);
    }
    // Everything handed in is sealed for `account.id`; under another id it could never be opened.
    if by_person(tx, &account.owner, &account.tenant_id, &account.user_id)?.is_some_and(|earlier| earlier.id != account.id) {
        return Err(Error::new(ErrorKind::Conflict, "This person was connected by another call at the same moment. Use that account, or connect again.").into());
    }
    let earlier = by_id(tx, &account.id)?;
    if account.generation != earlier.as_ref().map_or(1, |earlier| earlier.generation + 1) {
        return Err(moved_on().into());
    }
    delegates::check(tx, &account)?;
    put_account(tx, &account)?;
    entries.push(stored(&account, earlier.is_some()).of(store.owner_mark(&account.owner)?));
    entries.extend(destroy_key(tx, KeyPurpose::Secrets, &account.id)?);
    store.note(tx, &entries, now)?;
    folders::drop_cursors(tx, &account.id, now)?;
    for key in &new_keys {
        if key.purpose == KeyPurpose::Content && keys::active(tx, KeyPurpose::Content, &account.id)?.is_some() {
            return Err(Error::new(ErrorKind::Conflict, "This account has a key for its mail already. Connect again.").into());
        }
        keys::insert(tx, key)?;
    }
    run(tx, "DELETE FROM tokens WHERE account_id = ?1 AND ?2", (&account.id, token.is_none()))?;
    if let Some(token) = &token {
        run(
            tx,
            "INSERT INTO tokens (account_id, version, sealed, expires_at, refreshed_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (account_id) DO UPDATE SET
               version = excluded.version, sealed = excluded.sealed, expires_at = excluded.expires_at, refreshed_at = excluded.refreshed_at",
            (&account.id, token.version, token.sealed.as_bytes(), token.expires_at, token.refreshed_at),
        )?;
    }
    keys::check_active(tx, [Some(&account.profile), account.claims.as_ref(), token.as_ref().map(|token| &token.sealed)].into_iter().flatten())?;
    if earlier.is_some() {
        mark_erasure(tx)?;
    }
    endpoint.iter().try_for_each(|row| endpoints::add(tx, row).map(drop))?;
    keys::announce_account(tx, &account.id, now)?;
    store.tell_opened(tx, account.delegate.as_ref().unwrap_or(&account.id), now)?;
    let account = by_id(tx, &account.id)?.unwrap_or(account);
    let is_destroyed = earlier.is_some() || replaces.is_some();
    Ok((account, is_destroyed))
}

fn change(store: &SqliteStore, tx: &Connection, id: &str, generation: Option<i64>, change: &AccountChange, now: i64) -> Outcome<bool> {
    match change {
        AccountChange::State { state, problem } => {
            let same = exists(
                tx,
                "SELECT 1 FROM accounts WHERE id = ?1 AND (?2 IS NULL OR generation = ?2) AND state = ?3 AND problem IS ?4",
                (id, generation, state.word(), problem),
            )?;
            if same {
                return Ok(true);
            }
            // Only a new connect ends a disconnect.
            let changed = run(
                tx,
                "UPDATE accounts SET state_since = CASE WHEN state = ?3 THEN state_since ELSE ?5 END, state = ?3, problem = ?4
                 WHERE id = ?1 AND (?2 IS NULL OR generation = ?2) AND state <> 'disconnected'",
                (id, generation, state.word(), problem, now),
            )?;
            if changed > 0 {
                keys::announce_account(tx, id, now)?;
                store.note(tx, &[Entry::new(AuditKind::StateChanged, format!("The account is now {}.", state.word())).on(id)], now)?;
                store.tell_opened(tx, id, now)?;
            }
            Ok(changed > 0)
        }
        AccountChange::Waiting(state) => {
            let sql = "UPDATE accounts SET state_since = ?4 WHERE id = ?1 AND (?2 IS NULL OR generation = ?2) AND state = ?3";
            Ok(run(tx, sql, (id, generation, state.word(), now))? > 0)
        }
        AccountChange::Features(features) => {
            let words: Vec<&str> = features.iter().map(|f| f.word()).collect();
            let sql = "UPDATE accounts SET features = ?3 WHERE id = ?1 AND (?2 IS NULL OR generation = ?2) AND state <> 'disconnected'";
            let changed = run(tx, sql, (id, generation, super::json(&words)?))?;
            if changed > 0 {
                keys::announce_account(tx, id, now)?;
            }
            Ok(changed > 0)
        }
        AccountChange::Folders(folders) => {
            let sql = "UPDATE accounts SET folders = ?3 WHERE id = ?1 AND (?2 IS NULL OR generation = ?2) AND owner <> ''";
            Ok(run(tx, sql, (id, generation, super::json(folders)?))? > 0)
        }
        AccountChange::Delegate { account_id, features } => store.open_through(tx, id, generation, account_id, features, now),
        AccountChange::Profile { sealed, version } => {
            let changed = run(
                tx,
                "UPDATE accounts SET profile = ?3, profile_version = ?4 WHERE id = ?1 AND (?2 IS NULL OR generation = ?2) AND profile_version = ?4 - 1",
                (id, generation, sealed.as_bytes(), version),
            )?;
            if changed > 0 {
                keys::check_active(tx, [sealed])?;
                keys::announce_account(tx, id, now)?;
            }
            Ok(changed > 0)
        }
        AccountChange::Claims { sealed, version } => {
            let changed = run(
                tx,
                "UPDATE accounts SET claims = ?3, claims_version = ?4 WHERE id = ?1 AND (?2 IS NULL OR generation = ?2) AND claims_version = ?4 - 1",
                (id, generation, sealed.as_ref().map(Sealed::as_bytes), version),
            )?;
            if changed > 0 {
                keys::check_active(tx, sealed.as_ref())?;
            }
            Ok(changed > 0)
        }
    }
}

fn page(c: &Connection, owner: Option<&str>, state: Option<AccountState>, after: i64, limit: u32) -> Outcome<Vec<AccountRow>> {
    let state = state.map(Word::word);
    match owner {
        Some(owner) => all(
            c,
            select_account!("WHERE owner <> '' AND kind <> 'workflow' AND owner = ?1 AND num > ?2 AND (?3 IS NULL OR state = ?3) ORDER BY num LIMIT ?4"),
            (owner, after, state, limit),
            account_row,
        ),
        None => all(c, select_account!("WHERE owner <> '' AND kind <> 'workflow' AND num > ?1 AND (?2 IS NULL OR state = ?2) ORDER BY num LIMIT ?3"), (after, state, limit), account_row),
    }
}

fn overdue(c: &Connection, owner: Option<&str>, awaiting_since: i64, now: i64) -> Outcome<Vec<AccountRow>> {
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
}

#[async_trait]
impl AccountStore for SqliteStore {
    async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let name = name.to_owned();
        self.read(move |c| keys::meta(c, &name)).await
    }

    async fn meta_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>> {
        if let Some(found) = self.meta(name).await? {
            return Ok(found);
        }
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |tx| {
            run(tx, "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", (&name, &value))?;
            Ok(keys::meta(tx, &name)?.unwrap_or_default())
        })
        .await
    }

    async fn leave_attempt(&self, attempt: &NewAttempt, owner: &str, account_id: Option<&str>) -> Result<()> {
        let (store, attempt, owner, account_id) = (self.clone(), attempt.clone(), owner.to_owned(), account_id.unwrap_or_default().to_owned());
        self.write(move |tx| {
            // Whoever was deleted or purged since the caller looked gets no new one.
            purge::refuse_deleted(tx, &owner, &account_id)?;
            keys::check_active(tx, [&attempt.sealed])?;
            run(
                tx,
                "INSERT INTO attempts (state_hash, sealed, created_at, expires_at, account_id, owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (&attempt.state_hash, attempt.sealed.as_bytes(), attempt.created_at, attempt.expires_at, &account_id, store.owner_mark(&owner)?),
            )?;
            Ok(())
        })
        .await
    }

    async fn attempt(&self, state_hash: &[u8]) -> Result<Option<AttemptRow>> {
        let state_hash = state_hash.to_owned();
        self.read(move |c| {
            first(c, "SELECT sealed, used_at <> 0, expires_at FROM attempts WHERE state_hash = ?1", [state_hash], |row| {
                Ok(AttemptRow { sealed: sealed(row, 0)?, is_used: row.get(1)?, expires_at: row.get(2)? })
            })
        })
        .await
    }

    async fn consume_attempt(&self, state_hash: &[u8], now: i64) -> Result<Consumed> {
        let state_hash = state_hash.to_owned();
        self.write(move |tx| {
            purge::drop_old_attempts(tx, now)?;
            let sql = "UPDATE attempts SET used_at = ?2 WHERE state_hash = ?1 AND used_at = 0 AND expires_at > ?2 AND created_at <= ?2 + ?3";
            if run(tx, sql, (&state_hash, now, leases::SKEW_MS))? == 1 {
                return Ok(Consumed::Fresh);
            }
            let used = first(tx, "SELECT used_at <> 0 FROM attempts WHERE state_hash = ?1", [&state_hash], |row| Ok(row.get::<_, bool>(0)?))?;
            Ok(match used {
                Some(true) => Consumed::AlreadyUsed,
                Some(false) => Consumed::Expired,
                None => Consumed::Unknown,
            })
        })
        .await
    }

    async fn return_attempt(&self, state_hash: &[u8]) -> Result<()> {
        let state_hash = state_hash.to_owned();
        self.write(move |tx| run(tx, "UPDATE attempts SET used_at = 0 WHERE state_hash = ?1", [&state_hash]).map(drop)).await
    }

    async fn connect_account(&self, new: NewConnection<'_>, now: i64) -> Result<AccountRow> {
        let new = Connecting {
            attempt: new.attempt.map(<[u8]>::to_vec),
            account: new.account.clone(),
            token: new.token.cloned(),
            keys: new.keys.to_vec(),
            replaces: new.replaces.map(str::to_owned),
            endpoint: new.endpoint.cloned(),
        };
        let store = self.clone();
        self.destroying(ERASE_WAIT, move |tx| connect(&store, tx, new, now)).await
    }

    async fn change_account(&self, id: &str, generation: Option<i64>, what: AccountChange, now: i64) -> Result<bool> {
        let (store, id) = (self.clone(), id.to_owned());
        self.write(move |tx| change(&store, tx, &id, generation, &what, now)).await
    }

    async fn disconnect_account(&self, id: &str, reason: &str, now: i64) -> Result<Vec<String>> {
        let (store, id, reason) = (self.clone(), id.to_owned(), reason.to_owned());
        self.destroying(ERASE_WAIT, move |tx| Ok((store.disconnect(tx, &id, &reason, now)?, true))).await
    }

    async fn account(&self, id: &str) -> Result<Option<AccountRow>> {
        let id = id.to_owned();
        self.read(move |c| by_id(c, &id)).await
    }

    async fn accounts(&self, query: AccountQuery<'_>) -> Result<Vec<AccountRow>> {
        match query {
            AccountQuery::Owner(owner) => {
                let owner = owner.to_owned();
                self.read(move |c| all(c, select_account!("WHERE owner <> '' AND kind <> 'workflow' AND owner = ?1 ORDER BY num"), [owner], account_row)).await
            }
            AccountQuery::Person { owner, tenant_id, user_id } => {
                let (owner, tenant_id, user_id) = (owner.to_owned(), tenant_id.to_owned(), user_id.to_owned());
                self.read(move |c| Ok(by_person(c, &owner, &tenant_id, &user_id)?.into_iter().collect())).await
            }
            AccountQuery::OpenedThrough(delegate) => {
                let delegate = delegate.to_owned();
                self.read(move |c| all(c, select_account!("WHERE delegate = ?1 AND owner <> '' ORDER BY num"), [delegate], account_row)).await
            }
            AccountQuery::Page(AccountWindow { owner, state, after, limit }) => {
                let owner = owner.map(str::to_owned);
                self.read(move |c| page(c, owner.as_deref(), state, after, limit)).await
            }
            AccountQuery::Overdue { owner, awaiting_since, now } => {
                let owner = owner.map(str::to_owned);
                self.read(move |c| overdue(c, owner.as_deref(), awaiting_since, now)).await
            }
        }
    }

    async fn account_ids(&self, owner: &str, and_gone: bool) -> Result<Vec<String>> {
        let (store, owner) = (self.clone(), owner.to_owned());
        self.read(move |c| {
            let mut ids = purge::of_owner(c, &owner)?;
            if and_gone {
                let mark = store.owner_mark(&owner)?;
                ids.extend(all(c, "SELECT account_id FROM purges WHERE owner = ?1 ORDER BY begun_at, account_id", [mark], |row| Ok(row.get(0)?))?);
            }
            Ok(ids)
        })
        .await
    }

    async fn is_connected_elsewhere(&self, owner: &str, tenant_id: &str, user_id: &str) -> Result<bool> {
        let (owner, tenant_id, user_id) = (owner.to_owned(), tenant_id.to_owned(), user_id.to_owned());
        let [awaiting, declined, disconnected] = [AccountState::AwaitingAdmin, AccountState::Declined, AccountState::Disconnected].map(Word::word);
        self.read(move |c| {
            exists(
                c,
                "SELECT 1 FROM accounts WHERE tenant_id = ?2 AND user_id = ?3 AND owner NOT IN (?1, '') AND state NOT IN (?4, ?5, ?6)",
                (owner, tenant_id, user_id, awaiting, declined, disconnected),
            )
        })
        .await
    }

    async fn token(&self, account_id: &str) -> Result<Option<TokenRow>> {
        let account_id = account_id.to_owned();
        self.read(move |c| first(c, "SELECT account_id, version, sealed, expires_at, refreshed_at FROM tokens WHERE account_id = ?1", [account_id], token_row)).await
    }

    async fn save_token(&self, token: &TokenRow, generation: i64, lease: Option<&Lease>) -> Result<bool> {
        let (token, lease) = (token.clone(), lease.cloned());
        self.write(move |tx| {
            if let Some(lease) = &lease
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
        .await
    }

    async fn take_lease(&self, name: &str, holder: &str, now: i64, for_ms: i64) -> Result<Option<Lease>> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(move |tx| leases::take(tx, &name, &holder, now, for_ms)).await
    }

    async fn renew_lease(&self, lease: &Lease, now: i64, for_ms: i64) -> Result<bool> {
        let lease = lease.clone();
        self.urgently(move |tx| leases::renew(tx, &lease, now, for_ms)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        self.write(move |tx| leases::release(tx, &lease)).await
    }
}
