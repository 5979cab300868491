//! Contents of attachments that were read from a mailbox, kept for the next who reads them, up to a limit over the whole store.

use crate::error::Result;
use crate::seal::Sealed;
use async_trait::async_trait;

/// A content that took no piece for so long is no longer read by whoever began it: another may begin anew.
pub const CACHE_STALE_MS: i64 = 600_000;

/// Which attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePlace {
    pub account_id: String,
    /// Of its message.
    pub graph_id: String,
    pub attachment_id: String,
    /// As the list of the message tells it: with another one it is another content.
    pub listed_size: u32,
}

/// A content all of which is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedRow {
    pub id: String,
    /// Bytes.
    pub size: u64,
}

/// The next piece of a content, which begins with piece 0.
#[derive(Debug, Clone)]
pub struct NewPiece {
    /// Of the content: 128 random bits. Two that are read at the same time have two.
    pub id: String,
    pub place: CachePlace,
    pub part: u32,
    /// Under the content key; table `cached_pieces`, row = `<id>/<part>`, version 1.
    pub sealed: Sealed,
    /// It is the last: bytes of the whole content, which is served from now on.
    pub whole: Option<u64>,
    /// Bytes of all pieces of the store together.
    pub most: u64,
    pub now: i64,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachedPiece {
    Stored,
    /// Others were erased to make room, and there is not enough yet: hand it in again.
    Again,
    /// It is not wanted, and the content is not kept: it is there already, somebody else is storing it, it is larger than all that may be kept, or its message is gone or a draft.
    Refused,
}

/// What a sweep erases beside contents whose message is gone.
#[derive(Debug, Clone, Copy)]
pub struct CacheSweep {
    /// Bytes that may stay; none: no limit.
    pub most: Option<u64>,
    /// Contents that are not whole and took no piece since.
    pub stale_before: i64,
}

#[async_trait]
pub trait CacheStore {
    /// A whole content, if its message is here and no draft. That it is used is noted, to a minute.
    async fn cached(&self, place: &CachePlace, now: i64) -> Result<Option<CachedRow>>;
    /// A piece of a whole content. None: it is not there any more.
    async fn cached_piece(&self, id: &str, part: u32) -> Result<Option<Sealed>>;
    /// Stores a piece. Before that, what was used least recently is erased until it fits, a few pieces at a time.
    async fn cache_piece(&self, piece: &NewPiece) -> Result<CachedPiece>;
    /// From now on it is served to nobody; the next [`sweep_cached`](Self::sweep_cached) erases it.
    async fn drop_cached(&self, id: &str) -> Result<()>;
    /// Erases a few pieces of what is gone, stale or too much, in that order. Answers whether there may be more.
    async fn sweep_cached(&self, sweep: CacheSweep) -> Result<bool>;
}
