//! Rules by which messages get a host's key.

use super::fault::{Outcome, corrupt};
use super::{SqliteStore, all, exists, first, json, keys, links, run, sealed};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::store::{LinkedMessage, RuleRow, RuleStore};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

macro_rules! select_rule {
    ($more:literal, $rest:literal) => {
        concat!("SELECT r.owner, r.hash, r.version, r.sealed", $more, " FROM link_rules AS r ", $rest)
    };
}

fn hash(row: &Row<'_>, column: usize) -> Outcome<[u8; 32]> {
    Ok(row.get::<_, Vec<u8>>(column)?.try_into().map_err(|_| corrupt("a hash"))?)
}

fn rule_row(row: &Row<'_>) -> Outcome<RuleRow> {
    Ok(RuleRow { owner: row.get(0)?, hash: hash(row, 1)?, version: row.get(2)?, sealed: sealed(row, 3)? })
}

fn id_of(c: &Connection, hash: &[u8; 32]) -> Outcome<Option<(i64, i64)>> {
    first(c, "SELECT id, version FROM link_rules WHERE hash = ?1", [&hash[..]], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn remove(c: &Connection, id: i64) -> Outcome<()> {
    for sql in ["DELETE FROM link_scans WHERE rule = ?1", "DELETE FROM link_terms WHERE rule = ?1", "DELETE FROM link_rules WHERE id = ?1"] {
        run(c, sql, [id])?;
    }
    Ok(())
}

/// Those of an owner who has no account any more.
pub fn forget_owner(c: &Connection, owner: &str) -> Outcome<()> {
    if exists(c, "SELECT 1 FROM accounts WHERE owner = ?1", [owner])? {
        return Ok(());
    }
    let ids = all(c, "SELECT id FROM link_rules WHERE owner = ?1", [owner], |row| Ok(row.get(0)?))?;
    ids.into_iter().try_for_each(|id| remove(c, id))
}

fn put(c: &Connection, rule: &RuleRow, terms: &[[u8; 32]], seen: i64, most: u32) -> Outcome<bool> {
    keys::check_active(c, [&rule.sealed])?;
    let here = id_of(c, &rule.hash)?;
    if here.map_or(0, |(_, version)| version) != seen {
        return Ok(false);
    }
    match here {
        Some((id, _)) => {
            run(c, "UPDATE link_rules SET version = ?2, sealed = ?3 WHERE id = ?1", (id, rule.version, rule.sealed.as_bytes()))?;
            run(c, "DELETE FROM link_terms WHERE rule = ?1", [id])?;
        }
        None => {
            let count: u32 = first(c, "SELECT COUNT(*) FROM link_rules WHERE owner = ?1", [&rule.owner], |row| Ok(row.get(0)?))?.unwrap_or_default();
            if count >= most {
                return Err(Error::new(ErrorKind::LimitExceeded, format!("This owner has {most} rules already. Remove those that are not used any more.")).into());
            }
            run(c, "INSERT INTO link_rules (owner, hash, version, sealed) VALUES (?1, ?2, ?3, ?4)", (&rule.owner, &rule.hash[..], rule.version, rule.sealed.as_bytes()))?;
        }
    }
    let Some((id, _)) = id_of(c, &rule.hash)? else { return Ok(false) };
    for term in terms {
        run(c, "INSERT INTO link_terms (term, rule) VALUES (?1, ?2) ON CONFLICT DO NOTHING", (&term[..], id))?;
    }
    run(
        c,
        "INSERT INTO link_scans (account_id, rule) SELECT id, ?2 FROM accounts WHERE owner = ?1 AND kind <> 'workflow' ON CONFLICT (account_id, rule) DO UPDATE SET after = 0",
        (&rule.owner, id),
    )?;
    Ok(true)
}

#[async_trait]
impl RuleStore for SqliteStore {
    async fn put_rule(&self, rule: RuleRow, terms: Vec<[u8; 32]>, seen: i64, most: u32) -> Result<bool> {
        self.write(move |tx| put(tx, &rule, &terms, seen, most)).await
    }

    async fn rule(&self, hash: &[u8; 32]) -> Result<Option<RuleRow>> {
        let hash = *hash;
        self.read(move |c| first(c, select_rule!("", "WHERE r.hash = ?1"), [&hash[..]], rule_row)).await
    }

    async fn rules(&self, owner: &str) -> Result<Vec<RuleRow>> {
        let owner = owner.to_owned();
        self.read(move |c| all(c, select_rule!("", "WHERE r.owner = ?1 ORDER BY r.id"), [owner], rule_row)).await
    }

    async fn remove_rule(&self, hash: &[u8; 32]) -> Result<bool> {
        let hash = *hash;
        self.write(move |tx| match id_of(tx, &hash)? {
            Some((id, _)) => remove(tx, id).map(|()| true),
            None => Ok(false),
        })
        .await
    }

    async fn has_rules(&self, owner: &str) -> Result<bool> {
        let owner = owner.to_owned();
        self.read(move |c| exists(c, "SELECT 1 FROM link_rules WHERE owner = ?1", [owner])).await
    }

    async fn rules_with(&self, terms: Vec<[u8; 32]>) -> Result<Vec<([u8; 32], RuleRow)>> {
        let terms: Vec<String> = terms.into_iter().map(hex).collect();
        self.read(move |c| {
            let sql = "SELECT r.owner, r.hash, r.version, r.sealed, t.term FROM json_each(?1) AS wanted CROSS JOIN link_terms AS t ON t.term = unhex(wanted.value)
                       CROSS JOIN link_rules AS r ON r.id = t.rule ORDER BY r.id";
            all(c, sql, [json(&terms)?], |row| Ok((hash(row, 4)?, rule_row(row)?)))
        })
        .await
    }

    async fn accounts_to_scan(&self) -> Result<Vec<String>> {
        self.read(move |c| all(c, "SELECT DISTINCT account_id FROM link_scans", [], |row| Ok(row.get(0)?))).await
    }

    async fn next_scan(&self, account_id: &str) -> Result<Option<(RuleRow, i64)>> {
        let id = account_id.to_owned();
        self.read(move |c| first(c, select_rule!(", s.after", "JOIN link_scans AS s ON s.rule = r.id WHERE s.account_id = ?1 ORDER BY r.id LIMIT 1"), [id], |row| Ok((rule_row(row)?, row.get(4)?)))).await
    }

    async fn note_scan(&self, account_id: &str, rule: &RuleRow, found: Vec<LinkedMessage>, after: Option<i64>, now: i64) -> Result<bool> {
        let (id, rule) = (account_id.to_owned(), rule.clone());
        self.write(move |tx| {
            let Some((rule_id, version)) = id_of(tx, &rule.hash)? else { return Ok(false) };
            if version != rule.version {
                return Ok(false);
            }
            keys::check_active(tx, found.iter().filter_map(|message| message.sealed.as_ref()))?;
            found.iter().try_for_each(|message| links::give_by_rule(tx, message, Some(now)))?;
            match after {
                Some(after) => run(tx, "UPDATE link_scans SET after = ?3 WHERE account_id = ?1 AND rule = ?2", (&id, rule_id, after))?,
                None => run(tx, "DELETE FROM link_scans WHERE account_id = ?1 AND rule = ?2", (&id, rule_id))?,
            };
            Ok(true)
        })
        .await
    }
}
