//! What makes two drafts the same: a hash over a form of the content that no later version changes. A field is written only when it is not as by
//! default, so that a field that a later version adds, left at its default, leaves the hash as it was. Account, key and deadline are no content.

use super::channel::{Channel, by_draft};
use super::staged::StagedFiles;
use crate::error::{Error, Result};
use crate::model::{Address, BodyType, RouteDraft, FileAttachment};
use crate::vault::Hashes;
use serde::Serialize;
use std::collections::BTreeMap;

/// The form that new hashes are made over.
pub const FORM: i64 = 1;

/// The keyed hash of this content in the form of that number. Errors: Internal for a form nobody knows, which only a newer version can have stored.
pub fn content_hash(hashes: &Hashes, draft: &RouteDraft, staged: &StagedFiles, form: i64) -> Result<[u8; 32]> {
    let draft = staged.named_by_content(draft);
    let text = match form {
        0 => first_text(&draft)?,
        1 => canonical(&draft),
        _ => return Err(unknown_form()),
    };
    hashes.of("outbox content", &[&text])
}

/// Form 1: the number of the form, the route, then for each field its tag, the length of its value in eight bytes (big-endian) and the value. Lists are
/// their length and their items, each with its length before it.
pub fn canonical(draft: &RouteDraft) -> Vec<u8> {
    by_draft!(draft, C, one => C::canonical(one))
}

/// Writes form 1.
pub struct Fields(Vec<u8>);

impl Fields {
    pub fn new(route: u8) -> Self {
        Self(vec![1, route])
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub fn field(&mut self, tag: u8, value: &[u8]) {
        self.0.push(tag);
        append(&mut self.0, value);
    }

    pub fn text(&mut self, tag: u8, value: &str) {
        if !value.is_empty() {
            self.field(tag, value.as_bytes());
        }
    }

    pub fn body_type(&mut self, tag: u8, value: BodyType) {
        match value {
            BodyType::Text => {}
            BodyType::Html => self.field(tag, b"html"),
            BodyType::Markdown => self.field(tag, b"markdown"),
        }
    }

    pub fn addresses(&mut self, tag: u8, list: &[Address]) {
        self.list(tag, list.iter().map(|one| [one.address.as_bytes(), one.name.as_bytes()]));
    }

    pub fn files(&mut self, tag: u8, list: &[FileAttachment]) {
        self.list(tag, list.iter().map(|file| [file.name.as_bytes(), file.content_type.as_bytes(), file.content.as_slice()]));
    }

    pub fn flag(&mut self, tag: u8, value: bool) {
        if value {
            self.field(tag, b"1");
        }
    }

    pub fn pairs<'a, const N: usize>(&mut self, tag: u8, items: impl ExactSizeIterator<Item = [&'a str; N]>) {
        self.list(tag, items.map(|item| item.map(str::as_bytes)));
    }

    fn list<'a, const N: usize>(&mut self, tag: u8, items: impl ExactSizeIterator<Item = [&'a [u8]; N]>) {
        if items.len() == 0 {
            return;
        }
        let mut value = length(items.len()).to_vec();
        for part in items.flatten() {
            append(&mut value, part);
        }
        self.field(tag, &value);
    }
}

fn length(n: usize) -> [u8; 8] {
    (n as u64).to_be_bytes()
}

fn append(out: &mut Vec<u8>, value: &[u8]) {
    out.extend(length(value.len()));
    out.extend(value);
}

/// Form 0: the JSON that the first versions stored, with the fields they knew, in their order, bytes as numbers. What came later is left out, so a draft
/// that uses it is another one.
fn first_text(draft: &RouteDraft) -> Result<Vec<u8>> {
    by_draft!(draft, C, one => C::first_text(one))
}

/// Form 0 of a draft of this variant.
pub fn first_form(variant: &str, fields: impl Serialize) -> Result<Vec<u8>> {
    let text = serde_json::to_vec(&BTreeMap::from([(variant, BTreeMap::from([(variant, fields)]))]));
    text.map_err(|e| Error::internal("The draft cannot be written.").with_source(e))
}

pub fn unknown_form() -> Error {
    Error::internal("A stored send has a hash of a kind that this version does not know. Update Tidings.")
}

#[cfg(test)]
mod tests;
