//! Name and address brought up to date.

use super::{Auth, profile_place};
use crate::config::PERSONAL_TENANT;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Account;

impl Auth {
    /// What the directory says now of the person behind an account. `graph_id`: who the token opens.
    pub async fn renew_profile(&self, account_id: &str, graph_id: Option<&str>, address: Option<String>, name: Option<String>) -> Result<Account> {
        let row = self.row(account_id).await?;
        // Personal accounts have another id in Graph than in their token.
        let is_another = graph_id.is_some_and(|id| row.tenant() != Some(PERSONAL_TENANT) && row.person().is_some_and(|own| !own.eq_ignore_ascii_case(id)));
        if is_another {
            return Err(Error::new(ErrorKind::TokenRejected, "The token opens another person's account. Connect the account again.").on_account(account_id));
        }
        self.step(move |me| {
            let mut profile = me.profile_of(&row)?;
            let shown = |text: Option<String>| text.filter(|t| !t.is_empty() && t.len() <= 1000 && !t.chars().any(char::is_control));
            let (address, name) = (shown(address), shown(name));
            let is_new = address.as_ref().is_some_and(|a| *a != profile.address) || name.as_ref().is_some_and(|n| *n != profile.display_name);
            if is_new {
                profile.address = address.unwrap_or(profile.address);
                profile.display_name = name.unwrap_or(profile.display_name);
                let plain = serde_json::to_vec(&profile).map_err(|_| Error::internal("A profile could not be written."))?;
                let version = row.profile_version + 1;
                me.vault.again(|| {
                    let sealed = me.vault.content(&row.id)?.seal(profile_place(&row.id, version), &plain)?;
                    // False: connected anew at this moment, with what is newer.
                    me.store.set_profile(&row.id, row.generation, &sealed, version, me.now()).map(drop)
                })?;
            }
            let row = me.store.account(&row.id)?.unwrap_or(row);
            me.describe(&row)
        })
        .await
    }
}
