//! Name and address brought up to date.

use super::{Auth, profile_place};
use crate::config::PERSONAL_TENANT;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Account;
use crate::store::{AccountChange, AccountRow};

impl Auth {
    /// What the directory says now of the person behind an account. `graph_id`: who the token opens.
    pub async fn renew_profile(&self, account_id: &str, graph_id: Option<&str>, address: Option<String>, name: Option<String>) -> Result<Account> {
        let row = self.row(account_id).await?;
        // Personal accounts have another id in Graph than in their token.
        let is_another = graph_id.is_some_and(|id| row.tenant() != Some(PERSONAL_TENANT) && row.person().is_some_and(|own| !own.eq_ignore_ascii_case(id)));
        if is_another {
            return Err(Error::new(ErrorKind::TokenRejected, "The token opens another person's account. Connect the account again.").on_account(account_id));
        }
        let shown = |text: Option<String>| text.filter(|t| !t.is_empty() && t.len() <= 1000 && !t.chars().any(char::is_control));
        let (address, name) = (shown(address), shown(name));
        self.vault.with_current_keys(async || self.rewrite_profile(&row, address.as_deref(), name.as_deref()).await).await?;
        let row = self.store.account(&row.id).await?.unwrap_or(row);
        self.describe(&row).await
    }

    /// Nothing is written when nothing is new, or when somebody wrote first: what is there is newer.
    async fn rewrite_profile(&self, row: &AccountRow, address: Option<&str>, name: Option<&str>) -> Result<()> {
        // Read anew each time: its key may just have been replaced.
        let Some(row) = self.store.account(&row.id).await?.filter(|now| now.generation == row.generation) else { return Ok(()) };
        let mut profile = self.profile_of(&row).await?;
        let (address, name) = (address.unwrap_or(&profile.address), name.unwrap_or(&profile.display_name));
        if address == profile.address && name == profile.display_name {
            return Ok(());
        }
        (profile.address, profile.display_name) = (address.to_owned(), name.to_owned());
        let plain = serde_json::to_vec(&profile).map_err(|_| Error::internal("A profile could not be written."))?;
        let version = row.profile_version + 1;
        let sealed = self.vault.content(&row.id).await?.seal(profile_place(&row.id, version), &plain)?;
        self.store.change_account(&row.id, Some(row.generation), AccountChange::Profile { sealed, version }, self.now()).await.map(drop)
    }
}
