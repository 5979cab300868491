//! A page of messages, read while it arrives: each item as soon as it is complete, and its body at once into the form it is kept in. So a page is never in
//! memory as it came; what it holds is handed out when its end is there and all of it is believed.

use super::delta::{DeltaItem, read_item};
use super::wire::{self, Page};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::json::split::{Fault, Splitter};
use crate::model::BodyType;
use crate::pipeline::{BodySink, MAX_PAGE};
use crate::stages::{Stage, timed};
use bytes::Bytes;
use serde::de::IgnoredAny;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A body as it came, or as it is kept by who asked for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailBody {
    Whole(BodyType, String),
    Kept(KeptBody),
}

/// What is kept of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody {
    /// Shared by its clones.
    pub packed: Bytes,
    /// It shows files of its own mail.
    pub shows_files: bool,
}

/// Makes of a body what is kept of it. Called while a page arrives, so it may not wait for anything.
pub type KeepBody = fn(BodyType, &str) -> KeptBody;

/// A page that was read to its end.
pub(super) struct ReadPage {
    pub page: Page<DeltaItem>,
    /// About as many bytes as its items take.
    pub held: usize,
}

/// What was read of a page so far.
struct Reading {
    splitter: Splitter,
    keep: Option<KeepBody>,
    items: Vec<DeltaItem>,
    held: usize,
    /// An item is no JSON, so the page is none.
    is_broken: bool,
}

impl Reading {
    fn new(keep: Option<KeepBody>, most: usize) -> Self {
        Self { splitter: Splitter::new("value", most), keep, items: Vec::new(), held: 0, is_broken: false }
    }

    fn take(&mut self, piece: &[u8], folder_id: &str) {
        let Self { splitter, keep, items, held, is_broken } = self;
        splitter.take(piece, &mut |element| read_element(element, folder_id, *keep, items, held, is_broken));
    }

    fn finish(self, folder_id: &str) -> Result<ReadPage> {
        let Self { splitter, keep, mut items, mut held, mut is_broken } = self;
        let around = splitter.finish(&mut |element| read_element(element, folder_id, keep, &mut items, &mut held, &mut is_broken)).map_err(|fault| match fault {
            Fault::Unreadable => wire::unreadable(),
            Fault::TooLarge => Error::new(ErrorKind::LimitExceeded, "Microsoft's answer is larger than accepted here."),
        })?;
        let Page { value, next_link, delta_link } = serde_json::from_str::<Page<IgnoredAny>>(&around).ok().filter(|_| !is_broken).ok_or_else(wire::unreadable)?;
        Ok(ReadPage { page: Page { value: value.map(|_| items), next_link, delta_link }, held })
    }
}

fn read_element(element: &[u8], folder_id: &str, keep: Option<KeepBody>, items: &mut Vec<DeltaItem>, held: &mut usize, is_broken: &mut bool) {
    let text = json::text(element);
    let Some(mut item) = read_item(&text, folder_id).filter(|_| !*is_broken) else {
        *is_broken = true;
        return items.clear();
    };
    let mut length = element.len();
    if let (DeltaItem::Message(message), Some(keep)) = (&mut item, keep)
        && let Some(MailBody::Whole(form, content)) = &message.body
    {
        let kept = keep(*form, content);
        length = length.saturating_sub(content.len()) + kept.packed.len();
        message.body = Some(MailBody::Kept(kept));
    }
    *held += length;
    items.push(item);
}

/// A page that is here as a whole.
pub(super) fn read_page(text: &str, folder_id: &str) -> Result<ReadPage> {
    let mut reading = Reading::new(None, MAX_PAGE);
    reading.take(text.as_bytes(), folder_id);
    reading.finish(folder_id)
}

/// A page that arrives in these pieces.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn in_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>, folder_id: &str) -> Result<Page<DeltaItem>> {
    let mut reading = Reading::new(None, MAX_PAGE);
    pieces.for_each(|piece| reading.take(piece, folder_id));
    Ok(reading.finish(folder_id)?.page)
}

/// Reads the answer to one request.
pub(super) struct PageReader {
    folder_id: String,
    keep: KeepBody,
    /// Bytes of an item.
    most: usize,
    reading: Mutex<Reading>,
}

impl PageReader {
    pub fn new(folder_id: &str, keep: KeepBody, most: usize) -> Self {
        Self { folder_id: folder_id.to_owned(), keep, most, reading: Mutex::new(Reading::new(Some(keep), most)) }
    }

    /// The page, once its answer is complete.
    pub fn finish(&self) -> Result<ReadPage> {
        let reading = std::mem::replace(&mut *self.reading(), self.nothing());
        reading.finish(&self.folder_id)
    }

    fn nothing(&self) -> Reading {
        Reading::new(Some(self.keep), self.most)
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodySink for PageReader {
    fn begin(&self) {
        *self.reading() = self.nothing();
    }

    fn take(&self, piece: &[u8]) {
        timed(Stage::Parse, || self.reading().take(piece, &self.folder_id));
    }
}
