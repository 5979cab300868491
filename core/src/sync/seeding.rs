//! Where the walk of a folder begins: at the link that is stored or, to seed one, with an enumeration of all that the folder holds. An enumeration begins
//! anew when its place is lost; what is here stays until the new one is complete.

use super::folder::FolderSync;
use super::page::cursor_place;
use super::round::Round;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::DeltaFrom;
use crate::store::{Cursor, CursorEvent};
use std::sync::atomic::Ordering;

/// Times a folder may lose its delta state within one sync before that is an error.
const MOST_RESYNCS: u32 = 2;
/// Refusals in a row of one stored link, in words that mean nothing to us, after which the folder is enumerated anew.
const MOST_REFUSALS: u32 = 3;

impl FolderSync {
    pub(super) async fn start(&mut self) -> Result<DeltaFrom> {
        // Mail that came without a usable id can be asked for in one way only.
        if self.note(CursorEvent::Nameless).await?.is_some_and(|count| count > 0) {
            return self.resync(None).await;
        }
        let Some(cursor) = self.folder.cursor.clone() else { return Ok(self.beginning()) };
        let (context, folder_id) = (self.context.clone(), self.id());
        let account_id = context.account.id.as_str();
        let read = |_: Cursor| async {
            let folder = context.store.folders(account_id).await?.into_iter().find(|folder| folder.row.graph_id == folder_id);
            Ok(folder.and_then(|folder| folder.cursor))
        };
        let open = |cursor: Cursor| {
            let (vault, folder_id) = (&context.vault, &folder_id);
            async move { vault.secrets(account_id).await?.open(cursor_place(account_id, folder_id, cursor.version), &cursor.link) }
        };
        let link = context.vault.with_current_row(cursor, read, open).await.and_then(|(_, plain)| {
            String::from_utf8(plain.to_vec()).map_err(|_| Error::new(ErrorKind::Corrupt, "A stored delta link cannot be read."))
        });
        match link {
            Ok(link) => Ok(self.link(link)),
            // Connected anew since the folders were read: the new key does not open the old link, and nothing is damaged.
            Err(e) if matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::StoreBusy) && self.context.is_over().await => Err(self.context.taken_over().await),
            Err(e) => Err(e),
        }
    }

    async fn note(&self, event: CursorEvent) -> Result<Option<u32>> {
        let context = &self.context;
        context.store.note_cursor(&context.account.id, &self.id(), context.account.generation, &context.lease, event, context.now()).await
    }

    pub(super) fn beginning(&self) -> DeltaFrom {
        DeltaFrom::Start { folder_id: self.id(), page_size: self.page_size.now() }
    }

    /// What a refusal means for the place that was asked for. An outage says nothing of it; anything else, a few times in a row, means that the stored link
    /// leads nowhere, in whatever words: the folder is then enumerated anew.
    pub(super) async fn refused(&mut self, from: DeltaFrom, error: Error) -> Result<DeltaFrom> {
        let is_outage = error.kind() == ErrorKind::Upstream && !self.context.is_reached.load(Ordering::Relaxed);
        if matches!(from, DeltaFrom::Start { .. }) || is_outage || !is_about_the_link(&error) {
            return Err(error);
        }
        let Some(refusals) = self.note(CursorEvent::Refused).await? else {
            return Err(self.context.taken_over().await);
        };
        if refusals < MOST_REFUSALS {
            return Err(error);
        }
        tracing::warn!(target: "tidings::sync", account = self.context.account.id, kind = ?error.kind(), refusals, "a stored delta link is given up; the folder is read anew");
        self.resync(None).await
    }

    /// The delta state is lost: enumerate anew, keep what is here until the new enumeration is complete.
    pub(super) async fn resync(&mut self, restart: Option<String>) -> Result<DeltaFrom> {
        self.tally.resynced += 1;
        if self.tally.resynced > MOST_RESYNCS {
            return Err(Error::new(ErrorKind::Upstream, "Microsoft lost its place in a folder several times in a row. Sync again later; nothing here is lost."));
        }
        if self.note(CursorEvent::Lost).await?.is_none_or(|count| count == 0) {
            return Err(self.context.taken_over().await);
        }
        failpoint!("sync.begun_resync");
        self.folder.enumeration += 1;
        self.folder.cursor = None;
        self.round = Round::default();
        Ok(restart.map_or_else(|| self.beginning(), |link| self.link(link)))
    }
}

/// The mailbox was reached and the person is welcome, so it is rather the link that was refused.
pub(super) fn is_about_the_link(error: &Error) -> bool {
    use ErrorKind::{Conflict, Forbidden, InvalidInput, LimitExceeded, LinkRejected, NotFound, OutcomeUnknown, Upstream};
    matches!(error.kind(), InvalidInput | NotFound | Conflict | Forbidden | LimitExceeded | LinkRejected | OutcomeUnknown | Upstream)
}
