//! How a body is kept: packed as soon as it is read, sealed when it is stored.

use super::inline::shows_inline_files;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{KeptBody, MailBody};
use crate::model::BodyType;
use crate::stages::{Stage, timed};

/// What is kept of a body that has just arrived.
pub fn keep(form: BodyType, content: &str) -> KeptBody {
    KeptBody { packed: pack_body(form, content).into(), shows_files: has_inline_files(form, content) }
}

/// Whether it shows files of its own mail.
pub fn shows_files(body: &MailBody) -> bool {
    match body {
        MailBody::Whole(form, content) => has_inline_files(*form, content),
        MailBody::Kept(kept) => kept.shows_files,
    }
}

fn has_inline_files(form: BodyType, content: &str) -> bool {
    form == BodyType::Html && shows_inline_files(content)
}

pub fn kept(body: MailBody) -> KeptBody {
    match body {
        MailBody::Whole(form, content) => keep(form, &content),
        MailBody::Kept(kept) => kept,
    }
}

/// What `read` makes of a body as it came.
pub fn with_content<T>(body: &MailBody, read: impl FnOnce(BodyType, &str) -> T) -> Result<T> {
    match body {
        MailBody::Whole(form, content) => Ok(read(*form, content)),
        MailBody::Kept(kept) => unpack_body(&kept.packed).map(|(form, content)| read(form, &content)),
    }
}

/// One byte for the form, then the content compressed: HTML shrinks to a quarter, which is what makes storing it quick.
pub fn pack_body(body_type: BodyType, content: &str) -> Vec<u8> {
    let mut packed = vec![match body_type {
        BodyType::Text | BodyType::Markdown => 0,
        BodyType::Html => 1,
    }];
    packed.extend_from_slice(&timed(Stage::Compress, || lz4_flex::compress_prepend_size(content.as_bytes())));
    packed
}

/// The most a body may become; Graph's own page limit is far below.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

pub fn unpack_body(packed: &[u8]) -> Result<(BodyType, String)> {
    let broken = || Error::new(ErrorKind::Corrupt, "A stored body cannot be read.");
    let (form, rest) = packed.split_first().ok_or_else(broken)?;
    let (size, _) = lz4_flex::block::uncompressed_size(rest).map_err(|_| broken())?;
    if size > LARGEST_BODY {
        return Err(broken());
    }
    let bytes = lz4_flex::decompress_size_prepended(rest).map_err(|_| broken())?;
    let content = String::from_utf8(bytes).map_err(|_| broken())?;
    Ok((if *form == 1 { BodyType::Html } else { BodyType::Text }, content))
}
