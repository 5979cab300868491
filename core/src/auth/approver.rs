//! Who may approve for an organisation. The callback of Microsoft's page for administrators comes through a browser, so whoever holds the browser can
//! write it; and once one owner's administrator has approved, the application has tokens of the organisation for every owner. So an organisation is
//! connected for an owner only when somebody who may approve has signed in for that owner: the roles stand in the signed id token (`wids`).
//!
//! Application permissions of Graph may be approved by Global Administrators and Privileged Role Administrators. Application Administrators and Cloud
//! Application Administrators may approve any others, but not these. A custom role cannot be told by its id and proves nothing.
//! Source: Microsoft Entra, Grant tenant-wide admin consent to an application; Built-in roles.

use crate::error::{Error, ErrorKind, Remedy};
use crate::store::{AccountRow, Approver};
use crate::trust::Identity;

/// Role template ids, the same in every organisation.
const MAY_APPROVE: [&str; 2] = [
    "62e90394-69f5-4237-9190-012177145e10", // Global Administrator
    "e8611ab8-c189-46e8-94e1-60213ab1f814", // Privileged Role Administrator
];

const UNSAID: &str = "Microsoft does not say whether the person who signed in is an administrator. Set groupMembershipClaims to DirectoryRole in the registration in Entra (see Setting up Entra), then let an administrator sign in with connect_tenant.";
const REFUSED: &str = "The person who signed in may not approve for the organisation. Let a Global Administrator or a Privileged Role Administrator sign in with connect_tenant.";

/// What a sign-in proves. Guests do not come so far.
pub(super) fn approver_of(identity: &Identity) -> Approver {
    match &identity.roles {
        _ if identity.is_guest => Approver::Refused,
        None => Approver::Unsaid,
        Some(roles) if roles.iter().any(|role| MAY_APPROVE.contains(&role.as_str())) => Approver::Proven,
        Some(_) => Approver::Refused,
    }
}

impl Approver {
    /// Why nobody is proven, and what to do.
    pub(super) fn problem(self) -> Option<&'static str> {
        match self {
            Self::Unsaid => Some(UNSAID),
            Self::Refused => Some(REFUSED),
            Self::Proven => None,
        }
    }
}

/// Nothing is asked in an organisation's name before somebody has proven to decide for it.
pub(super) fn check_approver(row: &AccountRow) -> Result<(), Error> {
    let Some(problem) = row.approver.problem() else { return Ok(()) };
    let remedy = if row.approver == Approver::Unsaid { Remedy::Developer } else { Remedy::Admin };
    Err(Error::new(ErrorKind::Forbidden, problem).with_remedy(remedy).on_account(&row.id))
}
