//! What an attachment must be, whatever it is attached to.

use super::check::header;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{BodyType, FileAttachment};
use crate::store::STAGED_ID;

/// A content inside a request (Graph: outlook-large-attachments).
const IN_REQUEST: usize = 3 * 1024 * 1024;

/// What a file must be called.
pub fn check_file(name: &str, content_type: &str) -> Result<()> {
    header("name of an attachment", name, 255)?;
    if name.is_empty() {
        return Err(Error::invalid("An attachment has no name."));
    }
    if name.contains(['/', '\\']) {
        return Err(Error::invalid("The name of an attachment holds / or \\. Pass the name of the file alone, without its folder."));
    }
    if content_type.is_empty() || !content_type.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Err(Error::invalid("The content_type of an attachment is not a media type, as in application/pdf."));
    }
    Ok(())
}

/// It has a content of its own, which is small, or names a staged one.
pub fn check_content(file: &FileAttachment) -> Result<()> {
    if file.content.len() >= IN_REQUEST {
        return Err(Error::new(ErrorKind::LimitExceeded, "An attachment is 3 MB or larger. Stage it (attachment_from), and name the staged content instead."));
    }
    let Some(id) = &file.staged else { return Ok(()) };
    if !file.content.is_empty() {
        return Err(Error::invalid("An attachment has a content and names a staged one as well. Leave one of them out."));
    }
    let is_id = id.strip_prefix(STAGED_ID).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_id { Ok(()) } else { Err(Error::invalid("The staged content of an attachment is not an id that stage_attachment gave.")) }
}

/// An inline file is named by the body, and by one name alone. `all`: it and the others.
pub fn check_content_id(all: &[FileAttachment], body_type: BodyType, file: &FileAttachment) -> Result<()> {
    let Some(id) = &file.content_id else { return Ok(()) };
    if !is_content_id(id) {
        return Err(Error::invalid("The content_id of an attachment must have 1 to 255 letters, digits or marks like . - _ @, without < and >."));
    }
    if body_type == BodyType::Text {
        return Err(Error::invalid("An attachment has a content_id, but the body is text, which shows no images. Use an HTML body, or leave content_id out."));
    }
    if all.iter().filter(|other| other.content_id.as_ref() == Some(id)).count() > 1 {
        return Err(Error::invalid("Two attachments have the same content_id. Give each its own."));
    }
    Ok(())
}

pub fn is_content_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 255 && id.chars().all(|c| c.is_ascii_graphic() && !"<>()\"\\".contains(c))
}
