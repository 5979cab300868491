//! The sealed cache of attachments: what was read from a mailbox to its end is served from disk the next time.
//!
//! A content is sealed in pieces of one size, each for its place, while a host reads it; it counts once all of it is there. Memory holds two pieces.
//! Whatever fails here fails no read: the mailbox has everything, so a cache that cannot be read or written is as none.

use crate::clock::{Clock, to_ms};
use crate::error::{ErrorKind, Result};
use crate::graph::LONGEST_WHOLE;
use crate::model::{AttachmentInfo, AttachmentKind, Message};
use crate::random;
use crate::runtime::blocking;
use crate::seal::AadContext;
use crate::store::{CachePlace, CacheSweep, CachedPiece, NewPiece, Store};
use crate::vault::Vault;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of one piece.
const PIECE: usize = 512 * 1024;

#[derive(Clone)]
pub struct AttachmentCache {
    store: Arc<dyn Store>,
    vault: Vault,
    clock: Arc<dyn Clock>,
    /// Bytes; 0: nothing is kept, and nothing is looked for.
    most: u64,
}

/// Where the content of an attachment is kept. None: its message is a draft, whose attachments may change, or a mailbox alone tells what it is.
pub fn listed_in(message: &Message, info: &AttachmentInfo) -> Option<CachePlace> {
    let is_kept = match info.kind {
        AttachmentKind::File => !info.content_type.is_empty(),
        // Its content tells what it is.
        AttachmentKind::Item => true,
        AttachmentKind::Reference => false,
    };
    (is_kept && !message.is_draft).then(|| CachePlace {
        account_id: message.account_id.clone(),
        graph_id: message.graph_id.clone(),
        attachment_id: info.id.clone(),
        listed_size: info.size,
    })
}

/// Erases contents whose message is gone. What is left after a failure goes within an hour.
pub async fn erase_gone(store: &dyn Store) {
    let sweep = CacheSweep { most: None, stale_before: 0 };
    while matches!(store.sweep_cached(sweep).await, Ok(true)) {}
}

impl AttachmentCache {
    pub fn new(store: Arc<dyn Store>, vault: Vault, clock: Arc<dyn Clock>, most: u64) -> Self {
        Self { store, vault, clock, most }
    }

    /// A whole content and its first piece, which is all of it up to 1 MB. None: read the mailbox.
    pub async fn find(&self, place: &CachePlace) -> Option<(Hit, Vec<u8>)> {
        if self.most == 0 {
            return None;
        }
        let row = self.store.cached(place, to_ms(self.clock.now())).await.ok().flatten()?;
        let mut hit = Hit { cache: self.clone(), account_id: place.account_id.clone(), id: row.id, size: row.size, next: 0, given: 0 };
        let mut first = hit.piece().await?;
        hit.took(&first);
        while hit.size <= LONGEST_WHOLE as u64 && !hit.is_over() {
            let next = hit.piece().await?;
            hit.took(&next);
            first.extend_from_slice(&next);
        }
        Some((hit, first))
    }

    /// For a content that is about to be read from the mailbox. None: it is not to be kept. `announced`: bytes of it, where they are known.
    pub fn fill(&self, place: CachePlace, announced: Option<u64>) -> Option<Filling> {
        let size = announced.unwrap_or_else(|| place.listed_size.into());
        if self.most == 0 || size > self.most {
            return None;
        }
        let id = random::token::<16>().ok()?;
        Some(Filling { cache: self.clone(), place, id, rest: Zeroizing::new(Vec::new()), parts: 0, seen: 0, is_over: false })
    }

    async fn forget(&self, id: &str) {
        if self.store.drop_cached(id).await.is_ok() {
            erase_gone(&*self.store).await;
        }
    }
}

/// A content that is served from disk.
#[derive(Clone)]
pub struct Hit {
    cache: AttachmentCache,
    account_id: String,
    id: String,
    size: u64,
    next: u32,
    given: u64,
}

impl Hit {
    /// Bytes of the whole content.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// All of it was taken.
    pub fn is_over(&self) -> bool {
        self.next > 0 && self.given >= self.size
    }

    /// The next piece. None: it is there no more, or cannot be read: read the mailbox.
    pub async fn piece(&self) -> Option<Vec<u8>> {
        let AttachmentCache { store, vault, .. } = &self.cache;
        let read = async || {
            let key = vault.content(&self.account_id).await?;
            let Some(sealed) = store.cached_piece(&self.id, self.next).await? else { return Ok(None) };
            let (account, row) = (self.account_id.clone(), piece_row(&self.id, self.next));
            let opened = blocking(move || key.open(piece_place(&account, &row), &sealed)).await;
            opened.map(|piece| Some(piece.to_vec()))
        };
        match vault.with_current_keys(read).await {
            // An empty piece belongs to an empty content alone.
            Ok(piece) => piece.filter(|piece| !piece.is_empty() || self.size == 0),
            Err(error) => {
                if error.kind() == ErrorKind::Corrupt {
                    self.cache.forget(&self.id).await;
                }
                None
            }
        }
    }

    /// The piece was taken.
    pub fn took(&mut self, piece: &[u8]) {
        self.next = self.next.saturating_add(1);
        self.given = self.given.saturating_add(piece.len() as u64);
    }
}

/// A content that is being read from the mailbox, on its way into the cache.
pub struct Filling {
    cache: AttachmentCache,
    place: CachePlace,
    id: String,
    /// What does not fill a piece yet.
    rest: Zeroizing<Vec<u8>>,
    parts: u32,
    seen: u64,
    is_over: bool,
}

impl Filling {
    /// The bytes from the place `at` of the content on, and whether they are its last. What was handed in before is passed over. False: no more of it is wanted,
    /// and nothing of it is left.
    pub async fn add(&mut self, at: u64, bytes: &[u8], is_end: bool) -> bool {
        if self.is_over {
            return is_end;
        }
        let known = usize::try_from(self.seen.saturating_sub(at)).unwrap_or(usize::MAX);
        let stored = self.take(bytes.get(known..).unwrap_or_default(), is_end).await;
        if !matches!(stored, Ok(true)) {
            self.give_up().await;
            return false;
        }
        self.is_over = is_end;
        true
    }

    /// Nothing of it is left. What is whole stays. Repeatable.
    pub async fn give_up(&mut self) {
        self.rest = Zeroizing::new(Vec::new());
        if !std::mem::replace(&mut self.is_over, true) && self.parts > 0 {
            self.cache.forget(&self.id).await;
        }
    }

    async fn take(&mut self, mut bytes: &[u8], is_end: bool) -> Result<bool> {
        while !bytes.is_empty() {
            // Stored when more follows, so that the last piece is known for it.
            if self.rest.len() >= PIECE && !self.store(None).await? {
                return Ok(false);
            }
            let missing = PIECE.saturating_sub(self.rest.len()).min(bytes.len());
            let (now, later) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
            self.rest.extend_from_slice(now);
            self.seen = self.seen.saturating_add(now.len() as u64);
            bytes = later;
        }
        if is_end { self.store(Some(self.seen)).await } else { Ok(true) }
    }

    async fn store(&mut self, whole: Option<u64>) -> Result<bool> {
        let piece = Arc::new(std::mem::take(&mut self.rest));
        let AttachmentCache { store, vault, clock, most } = &self.cache;
        let part = self.parts;
        let keep = async || {
            let key = vault.content(&self.place.account_id).await?;
            let (account, row, plain) = (self.place.account_id.clone(), piece_row(&self.id, part), piece.clone());
            let sealed = blocking(move || key.seal(piece_place(&account, &row), &plain)).await?;
            let new = NewPiece { id: self.id.clone(), place: self.place.clone(), part, sealed, whole, most: *most, now: to_ms(clock.now()) };
            loop {
                match store.cache_piece(&new).await? {
                    CachedPiece::Stored => return Ok(true),
                    CachedPiece::Again => {}
                    CachedPiece::Refused => return Ok(false),
                }
            }
        };
        let is_stored = vault.with_current_keys(keep).await?;
        self.parts = self.parts.saturating_add(u32::from(is_stored));
        Ok(is_stored)
    }
}

fn piece_row(id: &str, part: u32) -> String {
    format!("{id}/{part}")
}

fn piece_place<'a>(account_id: &'a str, row: &'a str) -> AadContext<'a> {
    AadContext { table: "cached_pieces", column: "piece", account_id, row, version: 1 }
}
