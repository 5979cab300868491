//! The staged contents that drafts name: looked up once, before the drafts are compared and stored.

use super::channel::{Channel, by_draft};
use super::job::Tools;
use super::staging::{ATTACHMENTS_TOTAL, too_large};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::model::{RouteDraft, FileAttachment};
use crate::store::StagedRow;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// By id.
#[derive(Default)]
pub struct StagedFiles(HashMap<String, StagedRow>);

impl StagedFiles {
    /// What these drafts name, as far as it is known.
    pub async fn of<'a>(tools: &Tools, drafts: impl IntoIterator<Item = &'a RouteDraft>) -> Result<Self> {
        let ids: BTreeSet<String> = drafts.into_iter().flat_map(files).filter_map(|file| file.staged.clone()).collect();
        if ids.is_empty() {
            return Ok(Self::default());
        }
        let rows = tools.store.staged(&Vec::from_iter(ids)).await?;
        Ok(Self(rows.into_iter().map(|row| (row.id.clone(), row)).collect()))
    }

    /// Bytes of the largest.
    pub fn largest(&self) -> u64 {
        self.0.values().map(|row| row.size).max().unwrap_or_default()
    }

    /// Every content that this draft names is there, of its account, and all together are small enough. Errors: NotFound, LimitExceeded.
    pub fn check(&self, draft: &RouteDraft) -> Result<()> {
        let mut total = 0_u64;
        for file in files(draft) {
            total = total.saturating_add(match &file.staged {
                None => file.content.len() as u64,
                Some(id) => self.0.get(id).filter(|row| row.account_id == draft.account_id() && row.digest.is_some() && !row.is_gone).ok_or_else(|| unknown(draft))?.size,
            });
        }
        if total > ATTACHMENTS_TOTAL { Err(too_large().on_account(draft.account_id())) } else { Ok(()) }
    }

    /// The draft with the hash of each staged content in the place of its id: the same content staged twice is the same content.
    pub fn named_by_content<'a>(&self, draft: &'a RouteDraft) -> Cow<'a, RouteDraft> {
        if files(draft).iter().all(|file| file.staged.is_none()) {
            return Cow::Borrowed(draft);
        }
        let digest = |id: &str| self.0.get(id).filter(|row| row.account_id == draft.account_id())?.digest.as_ref().map(hex);
        let named = |file: &FileAttachment| FileAttachment { staged: file.staged.as_ref().map(|id| digest(id).unwrap_or_else(|| id.clone())), ..file.clone() };
        let renamed = files(draft).iter().map(named).collect();
        let mut named: RouteDraft = by_draft!(draft, C, one => C::without_attachments(one).into());
        by_draft!(&mut named, C, one => C::set_attachments(one, renamed));
        Cow::Owned(named)
    }
}

/// Something that is attached to it is staged.
pub fn has_staged(draft: &RouteDraft) -> bool {
    files(draft).iter().any(|file| file.staged.is_some())
}

/// What is attached to it.
pub fn files(draft: &RouteDraft) -> &[FileAttachment] {
    by_draft!(draft, C, one => C::attachments(one))
}

fn unknown(draft: &RouteDraft) -> Error {
    Error::new(ErrorKind::NotFound, "An attachment names a content that this account has not staged, or that is not there any more: it is kept for a day, and as long as a send needs it. Stage it again.")
        .on_account(draft.account_id())
}
