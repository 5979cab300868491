//! Whose things a call is about: the one place where a named owner is held against an account.

use super::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{AccountRow, Scope};

const LONGEST_OWNER: usize = 200;

impl Inner {
    /// The account, if it is this owner's; of any owner when none is named. To others it is as if there were none.
    pub(super) async fn owned(&self, account_id: &str, owner: Option<&str>) -> Result<AccountRow> {
        owner.map_or(Ok(()), check)?;
        self.row(account_id).await.and_then(|row| if owner.is_none_or(|owner| owner == row.owner) { Ok(row) } else { Err(no_account()) })
    }

    /// What a query over several accounts is about. Without owner and account it would be about everybody, and a mistake of the host show one person
    /// another's mail. Errors: InvalidInput, NotFound.
    pub(super) async fn scope(&self, owner: Option<&str>, account_id: Option<&str>) -> Result<Scope> {
        named(owner, account_id)?;
        match (owner, account_id) {
            (owner, Some(account_id)) => Ok(Scope::Account(self.owned(account_id, owner).await?.id)),
            (owner, None) => {
                let owner = owner.unwrap_or_default();
                Ok(Scope::Owner { account_ids: self.store.account_ids(owner, false).await?, owner: owner.to_owned() })
            }
        }
    }

    /// `scope` for the change feed, which tells of accounts that are gone as well.
    pub(super) async fn scope_of_feed(&self, owner: Option<&str>, account_id: Option<&str>) -> Result<Scope> {
        named(owner, account_id)?;
        match (owner, account_id) {
            (Some(owner), account_id) => {
                let account_ids = self.store.account_ids(owner, true).await?;
                match account_id {
                    None => Ok(Scope::Owner { owner: owner.to_owned(), account_ids }),
                    Some(id) if account_ids.iter().any(|known| known == id) => Ok(Scope::Account(id.to_owned())),
                    Some(_) => Err(no_account()),
                }
            }
            (None, Some(id)) if self.store.sender_state(id).await?.is_some() || self.store.purge(id).await?.is_some() => Ok(Scope::Account(id.to_owned())),
            (None, _) => Err(no_account()),
        }
    }
}

/// Before anything is looked up.
fn named(owner: Option<&str>, account_id: Option<&str>) -> Result<()> {
    owner.map_or(Ok(()), check)?;
    if owner.is_none() && account_id.is_none() {
        return Err(Error::invalid("Name an owner or an account_id: without one of them this would be about everybody's accounts."));
    }
    Ok(())
}

pub(super) fn check(owner: &str) -> Result<()> {
    if (1..=LONGEST_OWNER).contains(&owner.chars().count()) { Ok(()) } else { Err(Error::invalid("owner must be 1 to 200 characters.")) }
}

pub(super) fn no_account() -> Error {
    Error::new(ErrorKind::NotFound, "There is no account with this id.")
}
