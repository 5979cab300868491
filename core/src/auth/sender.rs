//! Whether an account may write in another name than its own: what Microsoft's permissions say of it. The rights in Exchange are known to Exchange alone.

use super::{Auth, scopes};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountKind, Address, Feature};
use crate::store::AccountRow;

const SEND_SHARED: &str = "Mail.Send.Shared";

impl Auth {
    /// The account is connected and may send in its own name. Touches no network. Errors: InvalidInput (a personal account), ConsentMissing.
    pub async fn check_sender(&self, row: &AccountRow, from: &Address) -> Result<()> {
        let own = self.profile_of(row).await?.address;
        if own.to_lowercase() == from.address.to_lowercase() {
            return Ok(());
        }
        if row.kind == AccountKind::SharedMailbox {
            return Err(Error::invalid("A shared mailbox sends in its own name. Leave from_address out, or send from the account of a person who may use the other name.").on_account(&row.id));
        }
        if scopes::is_personal_tenant(row.tenant()) {
            let why = scopes::not_for_personal(Feature::SharedMailboxes).unwrap_or_default();
            return Err(Error::invalid(format!("{why} Leave from_address out, or give the account's own address.")).on_account(&row.id));
        }
        // Both: what was granted to others of the organisation is no leave of this person, who was never asked.
        let is_asked = row.features.contains(&Feature::SharedMailboxes) || row.extra_scopes.iter().any(|scope| scopes::short(scope).eq_ignore_ascii_case(SEND_SHARED));
        if is_asked && scopes::has(&row.scopes, SEND_SHARED) {
            return Ok(());
        }
        let reason = format!(
            "The from_address is not the account's own address, and sending in another name needs the permission {SEND_SHARED}, which this account was not granted. Add the feature {} (add_features), or leave from_address out.",
            scopes::name(Feature::SharedMailboxes)
        );
        Err(Error::new(ErrorKind::ConsentMissing, reason).on_account(&row.id))
    }
}
