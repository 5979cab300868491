//! What Exchange lets an application on its own do with mailboxes, beside what Entra's token says: an application access policy keeps it out of all but some,
//! RBAC for Applications gives it rights over some.
//! Source: Graph, auth-limit-mailbox-access; Exchange, Role Based Access Control for Applications.

use crate::graph::Caller;
use crate::http::Answer;
use crate::world::World;

pub struct AppAccess {
    pub mailboxes: Vec<usize>,
    /// Roles it has over those mailboxes. Empty: its own roles count there, and nowhere else.
    pub grants: Vec<String>,
}

/// Who asks for this mailbox, with the roles that count there.
pub fn caller(world: &World, caller: &Caller, mailbox: usize) -> Result<Caller, Answer> {
    let mut asking = caller.clone();
    let Some(access) = world.senders.apps.get(&caller.app.to_lowercase()).filter(|_| caller.person.is_none()) else { return Ok(asking) };
    let is_named = access.mailboxes.contains(&mailbox);
    if access.grants.is_empty() && !is_named {
        return Err(Answer::fail(403, "ErrorAccessDenied", "Access to OData is disabled."));
    }
    if is_named {
        asking.scopes.extend(access.grants.iter().cloned());
    }
    Ok(asking)
}
