//! Whether Exchange lets somebody use a mailbox that is not their own. Nothing lists what one may open: it is tried.

use super::mail::OutgoingMail;
use super::wire::{self, Recipient};
use super::{Caller, Graph, fault};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::{Address, MailDraft};
use crate::pipeline::error_code;
use crate::random;

const NOT_THERE: &str = "There is no mailbox of that address in the organisation, or nothing of it is shared with this account. Check the address, or ask an administrator for Full Access to it";
const NOT_USABLE: &str = "That mailbox cannot be used by programs: it has no Exchange Online licence where it needs one, is switched off, or is on a server of the organisation's own. Ask an administrator";

impl Graph {
    /// That the caller's mailbox can be read. `kept_out`: what it means to this caller when Exchange refuses. Errors: that one, Forbidden (no mailbox that
    /// programs may use), NotFound, and those of the way there. Source: Graph, outlook-share-messages-folders.
    pub async fn try_to_read(&self, caller: &Caller, kept_out: Error) -> Result<()> {
        let url = self.url(&self.path(caller, "mailFolders/inbox").await?, &[("$select", "id")])?;
        let response = self.pipeline.send(self.get(caller, url)).await?;
        let code = error_code(&response.body);
        let refused = match response.status.as_u16() {
            200..=299 => return wire::read::<Seen>(&response.body).map(drop),
            _ if fault::is_no_mailbox(code.to_compare()) => Error::new(ErrorKind::Forbidden, NOT_USABLE).with_remedy(Remedy::Admin),
            403 => kept_out,
            404 => Error::new(ErrorKind::NotFound, NOT_THERE),
            _ => return Err(fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id())),
        };
        let shown = code.shown(&response.secrets).map(|code| format!(", {code}")).unwrap_or_default();
        let reason = format!("{} (HTTP {}{shown}).", refused.reason().trim_end_matches('.'), response.status.as_u16());
        Err(refused.with_reason(reason).with_request_id(response.request_id()))
    }

    /// Whether a draft can be made in the caller's mailbox, which sending from it begins with. The draft is made, and removed. That it would be let out in
    /// the mailbox's name, only a send tells. Errors: those of the way there.
    pub async fn try_to_write(&self, caller: &Caller, from: &Address) -> Result<bool> {
        let draft = MailDraft { from_address: Some(from.clone()), subject: "Access test".to_owned(), body: "This draft shows that mail can be written here. It may be deleted.".to_owned(), ..MailDraft::default() };
        let mark = random::token::<16>()?;
        let internet_message_id = format!("<{mark}@access-test.invalid>");
        let mail = OutgoingMail { draft: &draft, internet_message_id: &internet_message_id, mark: &mark };
        let made = match self.create_draft(caller, &mail).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => return Ok(false),
            Err(error) => Err(error),
        };
        // Also when it is in doubt: by its mark it is found wherever it lies.
        let left = self.remove_marked(caller, &mark).await;
        match (made, left) {
            (Ok(()), Err(error)) => {
                tracing::warn!(target: "tidings::engine", account = caller.account_id, kind = ?error.kind(), "a draft that showed access was left in the mailbox");
                Ok(true)
            }
            (Err(_), Ok(removed)) if removed => Ok(true),
            (made, _) => made.map(|()| true),
        }
    }

    /// Whether there was one.
    async fn remove_marked(&self, caller: &Caller, mark: &str) -> Result<bool> {
        let mut removed = false;
        for state in self.find_by_mark(caller, mark).await? {
            if let Some(change_key) = state.change_key.as_ref().filter(|_| state.is_draft) {
                self.delete_draft(caller, &state.id, change_key).await?;
                removed = true;
            }
        }
        Ok(removed)
    }

    /// Whose name a mail leaves in that names nobody: what is written in a shared mailbox is the mailbox's. None: the service fills in the person's.
    pub(super) async fn usual_sender(&self, caller: &Caller) -> Result<Option<Recipient>> {
        let address = self.pipeline.shared_mailbox(&caller.account_id).await?.filter(|_| caller.mailbox.is_none());
        Ok(address.map(|address| Recipient::from(&Address { address: address.to_string(), name: String::new() })))
    }
}

/// An inbox has an id; an answer without one is not of Graph.
#[derive(serde::Deserialize)]
struct Seen {
    #[serde(deserialize_with = "wire::id")]
    #[allow(dead_code)] // that it is there is all
    id: String,
}
