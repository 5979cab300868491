//! Subscriptions, and which accounts have news.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, first, keys, run, sealed, word};
use crate::error::Result;
use crate::store::words::{Word, corrupt};
use crate::store::{CertificateRow, KnownSubscription, Lifecycle, NewsRow, SubscriptionRow, SubscriptionStore};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

/// Most of them asked for in one statement.
const TOGETHER: usize = 50;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT s.account_id, s.is_wanted, s.state, s.state_since, s.graph_id, s.client_hash, s.expires_at, s.next_at, s.tries, s.must_reauthorize, s.problem, s.generation, s.version, s.certificate
             FROM subscriptions s JOIN accounts a ON a.id = s.account_id ",
            $rest
        )
    };
}

/// Accounts that have none and are to have one: those of people, and mailboxes that an organisation opens.
macro_rules! without {
    ($what:literal) => {
        concat!(
            "SELECT ", $what, " FROM accounts a WHERE a.state = 'connected' AND a.owner <> ''
               AND (a.kind = 'person' OR EXISTS (SELECT 1 FROM accounts d WHERE d.id = a.delegate AND d.kind = 'tenant'))
               AND EXISTS (SELECT 1 FROM json_each(a.features) WHERE value = 'mail_sync') AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.account_id = a.id)"
        )
    };
}

macro_rules! select_certificate {
    ($rest:literal) => {
        concat!("SELECT name, certificate, made_at, sealed FROM certificates ", $rest)
    };
}

fn certificate_row(row: &Row<'_>) -> Outcome<CertificateRow> {
    Ok(CertificateRow { name: row.get(0)?, certificate: row.get(1)?, made_at: row.get(2)?, sealed: sealed(row, 3)? })
}

fn hash(bytes: Vec<u8>) -> Outcome<[u8; 32]> {
    Ok(bytes.try_into().map_err(|_| corrupt("a hash of another length"))?)
}

fn read(row: &Row<'_>) -> Outcome<SubscriptionRow> {
    Ok(SubscriptionRow {
        account_id: row.get(0)?,
        is_wanted: row.get(1)?,
        state: word(row, 2)?,
        state_since: row.get(3)?,
        graph_id: row.get(4)?,
        client_hash: row.get::<_, Option<Vec<u8>>>(5)?.map(hash).transpose()?,
        expires_at: row.get(6)?,
        next_at: row.get(7)?,
        tries: row.get(8)?,
        must_reauthorize: row.get(9)?,
        problem: row.get(10)?,
        generation: row.get(11)?,
        version: row.get(12)?,
        certificate: row.get(13)?,
    })
}

fn news_row(row: &Row<'_>) -> Outcome<NewsRow> {
    Ok(NewsRow { account_id: row.get(0)?, holder: row.get(1)?, number: row.get(2)?, at: row.get(3)? })
}

/// Of an account that ends.
pub fn drop_all(c: &Connection, account_id: &str) -> Outcome<()> {
    run(c, "DELETE FROM subscriptions WHERE account_id = ?1", [account_id])?;
    run(c, "DELETE FROM news WHERE account_id = ?1", [account_id])?;
    Ok(())
}

#[async_trait]
impl SubscriptionStore for SqliteStore {
    async fn add_subscriptions(&self, now: i64) -> Result<()> {
        if !self.read(|c| exists(c, without!("1"), [])).await? {
            return Ok(());
        }
        self.write(move |tx| {
            let add = concat!("INSERT INTO subscriptions (account_id, is_wanted, state, state_since, next_at) ", without!("a.id, 1, 'absent', ?1, ?1"));
            run(tx, add, [now])?;
            Ok(())
        })
        .await
    }

    async fn due_subscriptions(&self, now: i64, limit: u32) -> Result<Vec<SubscriptionRow>> {
        self.read(move |c| {
            let due = select!("WHERE a.state = 'connected' AND a.owner <> '' AND (s.next_at <= ?1 OR (s.is_wanted AND s.generation <> a.generation AND s.tries = 0)) ORDER BY s.next_at LIMIT ?2");
            all(c, due, (now, limit), read)
        })
        .await
    }

    async fn next_subscription(&self) -> Result<Option<i64>> {
        self.read(|c| {
            let next = "SELECT MIN(s.next_at) FROM subscriptions s JOIN accounts a ON a.id = s.account_id WHERE a.state = 'connected' AND a.owner <> ''";
            Ok(first(c, next, [], |row| Ok(row.get(0)?))?.flatten())
        })
        .await
    }

    async fn subscription(&self, account_id: &str) -> Result<Option<SubscriptionRow>> {
        let id = account_id.to_owned();
        self.read(move |c| first(c, select!("WHERE s.account_id = ?1"), [&id], read)).await
    }

    async fn save_subscription(&self, row: &SubscriptionRow) -> Result<bool> {
        let row = row.clone();
        self.write(move |tx| {
            let changed = run(
                tx,
                "UPDATE subscriptions SET state = ?3, state_since = ?4, graph_id = ?5, client_hash = ?6, expires_at = ?7, next_at = ?8, tries = ?9, must_reauthorize = ?10, problem = ?11,
                   generation = ?12, certificate = ?13, version = version + 1
                 WHERE account_id = ?1 AND version = ?2",
                (
                    &row.account_id,
                    row.version,
                    row.state.word(),
                    row.state_since,
                    &row.graph_id,
                    row.client_hash.as_ref().map(|hash| &hash[..]),
                    row.expires_at,
                    row.next_at,
                    row.tries,
                    row.must_reauthorize,
                    &row.problem,
                    row.generation,
                    &row.certificate,
                ),
            )?;
            Ok(changed > 0)
        })
        .await
    }

    async fn want_subscription(&self, account_id: &str, is_wanted: bool, now: i64) -> Result<bool> {
        let id = account_id.to_owned();
        self.write(move |tx| {
            let changed = run(
                tx,
                "INSERT INTO subscriptions (account_id, is_wanted, state, state_since, next_at) SELECT id, ?2, 'absent', ?3, ?3 FROM accounts WHERE id = ?1 AND owner <> ''
                 ON CONFLICT (account_id) DO UPDATE SET is_wanted = excluded.is_wanted, next_at = excluded.next_at, tries = 0, problem = NULL, version = version + 1
                   WHERE is_wanted <> excluded.is_wanted",
                (&id, is_wanted, now),
            )?;
            Ok(changed > 0 || exists(tx, "SELECT 1 FROM subscriptions WHERE account_id = ?1", [&id])?)
        })
        .await
    }

    async fn known_subscriptions(&self, client_hashes: &[[u8; 32]]) -> Result<Vec<KnownSubscription>> {
        let hashes = client_hashes.to_vec();
        self.read(move |c| {
            let mut found = Vec::new();
            for hash in &hashes {
                found.extend(first(
                    c,
                    "SELECT s.account_id, s.graph_id, a.tenant_id, a.app FROM subscriptions s JOIN accounts a ON a.id = s.account_id
                     WHERE s.client_hash = ?1 AND s.is_wanted AND a.state <> 'disconnected' AND a.owner <> ''",
                    [&hash[..]],
                    |row| Ok(KnownSubscription { client_hash: *hash, account_id: row.get(0)?, graph_id: row.get(1)?, tenant_id: row.get(2)?, app: row.get(3)? }),
                )?);
            }
            Ok(found)
        })
        .await
    }

    async fn tell_subscriptions(&self, told: &[([u8; 32], Lifecycle)], now: i64) -> Result<()> {
        let told = told.to_vec();
        self.write(move |tx| {
            for (hash, event) in &told {
                let change = match event {
                    Lifecycle::MustReauthorize => {
                        "UPDATE subscriptions SET must_reauthorize = 1, next_at = MIN(next_at, ?2), version = version + 1 WHERE client_hash = ?1 AND state = 'active' AND NOT must_reauthorize"
                    }
                    Lifecycle::Removed => {
                        "UPDATE subscriptions SET state = 'absent', state_since = ?2, graph_id = NULL, client_hash = NULL, expires_at = 0, must_reauthorize = 0, tries = 0, next_at = ?2,
                           version = version + 1
                         WHERE client_hash = ?1 AND state = 'active'"
                    }
                };
                run(tx, change, (&hash[..], now))?;
            }
            Ok(())
        })
        .await
    }

    async fn mark_news(&self, account_ids: &[String], holder: &str, now: i64) -> Result<()> {
        for some in account_ids.chunks(TOGETHER) {
            let (ids, holder) = (some.to_vec(), holder.to_owned());
            self.write(move |tx| {
                for id in &ids {
                    run(
                        tx,
                        "INSERT INTO news (account_id, holder, number, at) SELECT id, ?2, 1, ?3 FROM accounts WHERE id = ?1 AND owner <> '' AND state <> 'disconnected'
                         ON CONFLICT (account_id, holder) DO UPDATE SET number = number + 1, at = excluded.at",
                        (id, &holder, now),
                    )?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn newest_certificate(&self) -> Result<Option<CertificateRow>> {
        self.read(|c| first(c, select_certificate!("ORDER BY made_at DESC, id DESC LIMIT 1"), [], certificate_row)).await
    }

    async fn certificate(&self, name: &str) -> Result<Option<CertificateRow>> {
        let name = name.to_owned();
        self.read(move |c| first(c, select_certificate!("WHERE name = ?1"), [name], certificate_row)).await
    }

    async fn add_certificate(&self, row: &CertificateRow) -> Result<()> {
        let row = row.clone();
        self.write(move |tx| {
            keys::check_active(tx, [&row.sealed])?;
            run(tx, "INSERT INTO certificates (name, certificate, made_at, sealed) VALUES (?1, ?2, ?3, ?4)", (&row.name, &row.certificate, row.made_at, row.sealed.as_bytes()))?;
            Ok(())
        })
        .await
    }

    async fn drop_certificates(&self, now: i64, before: i64) -> Result<Vec<String>> {
        if !self.read(|c| exists(c, "SELECT 1 FROM certificates LIMIT 1 OFFSET 1", [])).await? {
            return Ok(Vec::new());
        }
        self.write(move |tx| {
            run(
                tx,
                "UPDATE certificates SET unused_since = CASE WHEN EXISTS (SELECT 1 FROM subscriptions AS s WHERE s.certificate = certificates.name)
                     OR id = (SELECT id FROM certificates ORDER BY made_at DESC, id DESC LIMIT 1) THEN NULL ELSE COALESCE(unused_since, ?1) END",
                [now],
            )?;
            let names = all(tx, "SELECT name FROM certificates WHERE unused_since < ?1", [before], |row| Ok(row.get(0)?))?;
            run(tx, "DELETE FROM certificates WHERE unused_since < ?1", [before])?;
            Ok(names)
        })
        .await
    }

    async fn news(&self) -> Result<Vec<NewsRow>> {
        self.read(|c| all(c, "SELECT account_id, holder, number, at FROM news ORDER BY at", [], news_row)).await
    }

    async fn news_of(&self, account_id: &str, holder: &str) -> Result<Option<NewsRow>> {
        let (id, holder) = (account_id.to_owned(), holder.to_owned());
        self.read(move |c| first(c, "SELECT account_id, holder, number, at FROM news WHERE account_id = ?1 AND holder = ?2", (&id, &holder), news_row)).await
    }

    async fn clear_news(&self, row: &NewsRow) -> Result<()> {
        let row = row.clone();
        self.write(move |tx| {
            run(tx, "DELETE FROM news WHERE account_id = ?1 AND holder = ?2 AND number = ?3", (&row.account_id, &row.holder, row.number))?;
            Ok(())
        })
        .await
    }
}
