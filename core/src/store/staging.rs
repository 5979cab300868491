//! Contents of large attachments: handed in piece by piece, durable before any send names them.

use crate::error::Result;
use crate::seal::Sealed;
use async_trait::async_trait;

/// What the ids of staged contents begin with. Pieces are sealed for the rest of the id.
pub const STAGED_ID: &str = "stg_";

/// A staged content without its pieces.
#[derive(Debug, Clone)]
pub struct StagedRow {
    pub id: String,
    pub account_id: String,
    /// Bytes.
    pub size: u64,
    /// Keyed hash of the whole content; none until all of it is there.
    pub digest: Option<Vec<u8>>,
    /// It is erased. A row that a send names stays, so that the same submission is known.
    pub is_gone: bool,
}

/// The whole content is there.
#[derive(Debug, Clone)]
pub struct Staged {
    pub size: u64,
    pub digest: Vec<u8>,
}

#[async_trait]
pub trait StagingStore {
    /// A new one, without content, erased at that time unless a send names it. `NotConnected`: its account is not connected.
    async fn begin_staging(&self, id: &str, account_id: &str, erase_at: i64) -> Result<()>;
    /// The next piece, sealed for the row `<id>/<part>`. False: it was erased meanwhile.
    async fn stage_part(&self, id: &str, part: u32, sealed: Sealed, erase_at: i64) -> Result<bool>;
    /// All of it is there: from now on sends may name it. False: it was erased meanwhile.
    async fn finish_staging(&self, id: &str, staged: Staged, erase_at: i64) -> Result<bool>;
    /// Those that are known, finished or not.
    async fn staged(&self, ids: &[String]) -> Result<Vec<StagedRow>>;
    /// A piece. None: there is no such piece, or no more.
    async fn staged_part(&self, id: &str, part: u32) -> Result<Option<Sealed>>;
    /// What no send names is erased, by the next [`sweep_staged`](Self::sweep_staged).
    async fn drop_staged(&self, id: &str) -> Result<()>;
    /// Erases a few pieces of what nobody needs any more, or has not needed until `now`. Answers whether there may be more.
    async fn sweep_staged(&self, now: i64) -> Result<bool>;
}
