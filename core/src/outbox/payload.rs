//! A draft as it is stored: its text in the row of the send, its attachments in pieces of their own, each sealed for its place.

use super::channel::{Channel, by_draft};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{RouteDraft, FileAttachment};
use crate::runtime::blocking;
use crate::seal::AadContext;
use crate::store::{Content, Part, sealed_row};
use crate::vault::DataKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Bytes of one piece.
const PIECE: usize = 512 * 1024;
/// Version of the first form: the draft with its attachments, as JSON.
const WHOLE: i64 = 1;
/// The draft without attachments, which are in pieces.
const IN_PIECES: i64 = 2;
/// The same, packed: a mail shrinks to a fraction, and less has to be written and erased.
const PACKED: i64 = 3;
/// The most a packed draft may become.
const LARGEST: usize = 64 << 20;

/// The draft without attachments, and what is known of these.
#[derive(Serialize, Deserialize)]
struct Stored {
    draft: RouteDraft,
    files: Vec<FileHead>,
}

#[derive(Serialize, Deserialize)]
struct FileHead {
    name: String,
    content_type: String,
    size: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_id: Option<String>,
    /// Where the content is, if not in pieces of the send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    staged: Option<String>,
}

/// Content up to this size is sealed, opened and hashed where its call runs.
const SMALL: usize = 64 * 1024;

/// Does work that grows with `size`, off the async threads if that is much.
pub async fn work_of<T: Send + 'static>(size: usize, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    if size > SMALL { blocking(work).await } else { work() }
}

/// Bytes that are stored of it.
pub fn content_size(content: &Content) -> usize {
    content.parts.iter().fold(content.payload.as_bytes().len(), |sum, part| sum + part.sealed.as_bytes().len())
}

pub fn seal_content(key: &DataKey, account_id: &str, id: &str, draft: &RouteDraft) -> Result<Content> {
    let files = by_draft!(draft, C, one => C::attachments(one));
    let mut parts = Vec::new();
    for (file, attachment) in (0..).zip(files) {
        for (part, piece) in (0..).zip(attachment.content.chunks(PIECE)) {
            parts.push(Part { file, part, sealed: key.seal(part_place(account_id, &part_row(id, file, part)), piece)? });
        }
    }
    let staged = files.iter().filter_map(|f| f.staged.clone()).collect();
    let files = files.iter().map(|f| FileHead { name: f.name.clone(), content_type: f.content_type.clone(), size: f.content.len(), content_id: f.content_id.clone(), staged: f.staged.clone() }).collect();
    let stored = Stored { draft: by_draft!(draft, C, one => C::without_attachments(one).into()), files };
    let text = serde_json::to_vec(&stored).map_err(|e| Error::internal("The draft cannot be written.").with_source(e))?;
    let packed = lz4_flex::compress_prepend_size(&text);
    Ok(Content { payload: key.seal(payload_place(account_id, sealed_row(id), PACKED), &packed)?, version: PACKED, parts, staged })
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let broken = || Error::new(ErrorKind::Corrupt, "A stored send cannot be read.");
    let (size, _) = lz4_flex::block::uncompressed_size(packed).map_err(|_| broken())?;
    if size > LARGEST {
        return Err(broken());
    }
    lz4_flex::decompress_size_prepended(packed).map_err(|_| broken())
}

pub fn open_content(key: &DataKey, account_id: &str, id: &str, content: &Content) -> Result<RouteDraft> {
    let text = key.open(payload_place(account_id, sealed_row(id), content.version), &content.payload)?;
    let unreadable = |e: serde_json::Error| Error::new(ErrorKind::Corrupt, "A stored send cannot be read.").with_source(e);
    if content.version == WHOLE {
        return serde_json::from_slice(&text).map_err(unreadable);
    }
    let text = if content.version == IN_PIECES { text } else { Zeroizing::new(unpack(&text)?) };
    let Stored { mut draft, files } = serde_json::from_slice(&text).map_err(unreadable)?;
    let mut parts = content.parts.iter();
    let mut whole = Vec::with_capacity(files.len());
    for (file, head) in (0..).zip(files) {
        let mut bytes = Vec::with_capacity(head.size);
        for part in 0..u32::try_from(head.size.div_ceil(PIECE)).unwrap_or(u32::MAX) {
            let piece = parts.next().filter(|piece| (piece.file, piece.part) == (file, part)).ok_or_else(missing)?;
            bytes.extend_from_slice(&key.open(part_place(account_id, &part_row(id, file, part)), &piece.sealed)?);
        }
        if bytes.len() != head.size {
            return Err(missing());
        }
        whole.push(FileAttachment { name: head.name, content: bytes, content_type: head.content_type, content_id: head.content_id, staged: head.staged });
    }
    by_draft!(&mut draft, C, one => C::set_attachments(one, whole));
    Ok(draft)
}

fn missing() -> Error {
    Error::new(ErrorKind::Corrupt, "A part of an attachment of a stored send is missing.")
}

pub fn payload_place<'a>(account_id: &'a str, row: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "outbox", column: "payload", account_id, row, version }
}

fn part_row(id: &str, file: u32, part: u32) -> String {
    format!("{}/{file}/{part}", sealed_row(id))
}

fn part_place<'a>(account_id: &'a str, row: &'a str) -> AadContext<'a> {
    AadContext { table: "outbox_parts", column: "part", account_id, row, version: 1 }
}
