//! Name and address brought up to date.

use super::{Auth, profile_place};
use crate::config::PERSONAL_TENANT;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Account;
use crate::store::AccountRow;

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
        self.step(move |me| {
            me.vault.with_current_keys_blocking(|| me.rewrite_profile(&row, address.as_deref(), name.as_deref()))?;
            let row = me.store.account_blocking(&row.id)?.unwrap_or(row);
            me.describe(&row)
        })
        .await
    }

    /// Nothing is written when nothing is new, or when somebody wrote first: what is there is newer.
    fn rewrite_profile(&self, row: &AccountRow, address: Option<&str>, name: Option<&str>) -> Result<()> {
        // Read anew each time: its key may just have been replaced.
        let Some(row) = self.store.account_blocking(&row.id)?.filter(|now| now.generation == row.generation) else { return Ok(()) };
        let mut profile = self.profile_of(&row)?;
        let (address, name) = (address.unwrap_or(&profile.address), name.unwrap_or(&profile.display_name));
        if address == profile.address && name == profile.display_name {
            return Ok(());
        }
        (profile.address, profile.display_name) = (address.to_owned(), name.to_owned());
        let plain = serde_json::to_vec(&profile).map_err(|_| Error::internal("A profile could not be written."))?;
        let version = row.profile_version + 1;
        let sealed = self.vault.content_blocking(&row.id)?.seal(profile_place(&row.id, version), &plain)?;
        self.store.set_profile(&row.id, row.generation, &sealed, version, self.now()).map(drop)
    }
}
