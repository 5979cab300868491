//! Staging: a large content is made durable before any send names it. It comes in pieces of any size, is sealed in pieces of one size, each for its place,
//! and is hashed on the way, so that two sends with the same content are known for the same, wherever it was staged.
//!
//! What is not finished, or named by no send, is erased a day later; what is given up is erased at once. While it is written, memory holds two pieces.

use super::job::Tools;
use super::payload::work_of;
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::random;
use crate::seal::AadContext;
use crate::store::{STAGED_ID, Staged};
use crate::vault::DataKey;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of one piece.
pub const STAGED_PIECE: usize = 512 * 1024;
/// All attachments of one mail together (Graph: outlook-large-attachments).
pub const ATTACHMENTS_TOTAL: u64 = 150 << 20;
/// How long a content waits for a send that names it.
const KEPT_MS: i64 = 86_400_000;

/// One content on its way in.
pub struct Staging {
    tools: Arc<Tools>,
    id: String,
    account_id: String,
    /// What the caller says it comes to.
    said: Option<u64>,
    size: u64,
    parts: u32,
    hash: Sha256,
    /// What does not fill a piece yet.
    rest: Zeroizing<Vec<u8>>,
    is_over: bool,
}

impl Staging {
    /// Stores that there is one. Errors: LimitExceeded, NotConnected.
    pub async fn begin(tools: Arc<Tools>, account_id: &str, said: Option<u64>) -> Result<Self> {
        if said.is_some_and(|size| size > ATTACHMENTS_TOTAL) {
            return Err(too_large());
        }
        let bits = u128::from_be_bytes(random::array::<16>()?);
        let id = format!("{STAGED_ID}{bits:032x}");
        tools.store.begin_staging(&id, account_id, kept_until(&tools)).await?;
        Ok(Self { tools, id, account_id: account_id.to_owned(), said, size: 0, parts: 0, hash: Sha256::new(), rest: Zeroizing::new(Vec::new()), is_over: false })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The next bytes, durable once they fill a piece. After an error nothing of the content is left.
    pub async fn write(&mut self, chunk: Vec<u8>) -> Result<()> {
        self.check_open()?;
        let written = self.take(&Zeroizing::new(chunk)).await;
        self.or_nothing(written).await
    }

    /// The end: from now on drafts may name it. Errors: InvalidInput when less came than was said; then nothing is left.
    pub async fn finish(&mut self) -> Result<()> {
        self.check_open()?;
        let ended = self.end().await;
        self.or_nothing(ended).await?;
        self.is_over = true;
        Ok(())
    }

    /// Nothing of it is left. What is finished stays. Repeatable.
    pub async fn give_up(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(());
        }
        self.rest = Zeroizing::new(Vec::new());
        erase(&self.tools, &self.id).await
    }

    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn check_open(&self) -> Result<()> {
        if self.is_over {
            return Err(Error::new(ErrorKind::Conflict, "This attachment was finished or given up. Stage a new one.").on_account(&self.account_id));
        }
        Ok(())
    }

    async fn or_nothing(&mut self, outcome: Result<()>) -> Result<()> {
        if let Err(error) = outcome {
            // Should it fail as well, the content goes a day later.
            let _ = self.give_up().await;
            return Err(error.on_account(&self.account_id));
        }
        Ok(())
    }

    async fn take(&mut self, mut chunk: &[u8]) -> Result<()> {
        let size = self.size.saturating_add(chunk.len() as u64);
        if self.said.is_some_and(|said| size > said) {
            return Err(Error::invalid("The attachment is longer than the size that was said. Nothing of it was kept."));
        }
        if size > ATTACHMENTS_TOTAL {
            return Err(too_large());
        }
        self.size = size;
        while !chunk.is_empty() {
            let missing = STAGED_PIECE.saturating_sub(self.rest.len()).min(chunk.len());
            let (now, later) = chunk.split_at_checked(missing).unwrap_or((chunk, &[]));
            if self.rest.capacity() == 0 {
                self.rest.reserve_exact(STAGED_PIECE);
            }
            self.rest.extend_from_slice(now);
            chunk = later;
            if self.rest.len() == STAGED_PIECE {
                self.store_piece().await?;
            }
        }
        Ok(())
    }

    async fn store_piece(&mut self) -> Result<()> {
        let piece = Arc::new(std::mem::take(&mut self.rest));
        let (hashed, hash) = (piece.clone(), self.hash.clone());
        self.hash = work_of(piece.len(), move || Ok(hash.chain_update(&**hashed))).await?;
        let (tools, id, account_id, part) = (&*self.tools, &self.id, &self.account_id, self.parts);
        let stored = tools.vault.with_current_keys(|| {
            let piece = piece.clone();
            async move {
                let key = tools.vault.content(account_id).await?;
                let (row, account) = (part_row(id, part), account_id.clone());
                let sealed = work_of(piece.len(), move || key.seal(part_place(&account, &row), &piece)).await?;
                tools.store.stage_part(id, part, sealed, kept_until(tools)).await
            }
        });
        if !stored.await? {
            return Err(gone());
        }
        self.parts += 1;
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        if self.said.is_some_and(|said| self.size < said) {
            return Err(Error::invalid("The attachment ended before the size that was said was reached. Nothing of it was kept."));
        }
        if !self.rest.is_empty() {
            self.store_piece().await?;
        }
        let hash = self.hash.clone().finalize();
        let digest = self.tools.vault.hashes(&self.account_id).await?.of("staged content", &[&hash])?.to_vec();
        let staged = Staged { size: self.size, digest };
        if self.tools.store.finish_staging(&self.id, staged, kept_until(&self.tools)).await? { Ok(()) } else { Err(gone()) }
    }
}

/// Erases it, unless a send names it, and whatever else nobody needs any more.
pub async fn erase(tools: &Tools, id: &str) -> Result<()> {
    tools.store.drop_staged(id).await?;
    sweep(tools).await
}

/// Erases what was given up or whose sends have ended. What only waits for too long is left to the sweep of every hour.
pub async fn sweep(tools: &Tools) -> Result<()> {
    while tools.store.sweep_staged(0).await? {}
    Ok(())
}

/// A piece of a finished content. Errors: Corrupt when it is not there.
pub async fn staged_piece(tools: &Tools, key: &DataKey, account_id: &str, id: &str, part: u32) -> Result<Zeroizing<Vec<u8>>> {
    let missing = || Error::new(ErrorKind::Corrupt, "A part of an attachment of a stored send is missing.");
    let sealed = tools.store.staged_part(id, part).await?.ok_or_else(missing)?;
    let (key, row, account) = (key.clone(), part_row(id, part), account_id.to_owned());
    work_of(STAGED_PIECE, move || key.open(part_place(&account, &row), &sealed)).await
}

fn kept_until(tools: &Tools) -> i64 {
    to_ms(tools.clock.now()).saturating_add(KEPT_MS)
}

fn part_row(id: &str, part: u32) -> String {
    format!("{}/{part}", id.strip_prefix(STAGED_ID).unwrap_or(id))
}

fn part_place<'a>(account_id: &'a str, row: &'a str) -> AadContext<'a> {
    AadContext { table: "staged_parts", column: "part", account_id, row, version: 1 }
}

pub fn too_large() -> Error {
    Error::new(ErrorKind::LimitExceeded, "The attachments are larger than 150 MB, the most Microsoft 365 takes in a mail. Send a link instead.")
}

fn gone() -> Error {
    Error::new(ErrorKind::NotFound, "The content of the attachment is not there any more: its account was purged, or it was not written for a day. Stage it again.")
}
