//! Pictures that a mail carries itself, put into the HTML that shows them.

use super::Inner;
use crate::error::{ErrorKind, Result};
use crate::graph::ContentPlace;
use crate::model::{AttachmentInfo, AttachmentKind, BodyForm, BodyOptions, InlineImages, MessageBody};
use crate::sync::Images;
use futures_util::{StreamExt, TryStreamExt};

/// Bytes of one picture, and of all of a mail.
const LARGEST: u32 = 4 << 20;
const LARGEST_TOGETHER: u64 = 10 << 20;
const AT_ONCE: usize = 3;
/// What browsers show as a picture and nothing else. An SVG may act.
const KINDS: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"];

impl Inner {
    pub(super) async fn shown_body(&self, id: String, owner: Option<String>, form: Option<BodyForm>, options: BodyOptions) -> Result<MessageBody> {
        let wants_images = options.inline_images == InlineImages::Data && form.is_none_or(|form| form == BodyForm::Html);
        let images = if wants_images { self.images(&id, owner.as_deref()).await? } else { Images::new() };
        self.reader.body(id, owner, form, options, images).await
    }

    /// The pictures of a mail whose HTML names any.
    async fn images(&self, id: &str, owner: Option<&str>) -> Result<Images> {
        let Some((message_id, account_id, files)) = self.reader.named_pictures(id, owner).await? else { return Ok(Images::new()) };
        let mut left = LARGEST_TOGETHER;
        let fits = |file: &AttachmentInfo| {
            let is_picture = file.kind == AttachmentKind::File && (file.is_inline || is_image(&file.content_type)) && file.size <= LARGEST;
            let rest = left.checked_sub(file.size.into()).filter(|_| is_picture);
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let places: Vec<ContentPlace> = files.into_iter().filter(fits).map(|file| ContentPlace { message_id: message_id.clone(), attachment_id: Some(file.id) }).collect();
        if places.is_empty() {
            return Ok(Images::new());
        }
        let caller = &self.content_caller(&account_id).await?;
        let read = |place: ContentPlace| async move {
            match self.reader.graph.picture(caller, &place).await {
                // One that is gone by now is left out.
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                picture => picture,
            }
        };
        let found: Vec<_> = futures_util::stream::iter(places).map(read).buffered(AT_ONCE).try_collect().await?;
        let data = found.into_iter().flatten().filter_map(|picture| Some((picture.id.to_lowercase(), address(&picture.content_type, &picture.base64)?)));
        Ok(data.collect())
    }
}

fn is_image(content_type: &str) -> bool {
    content_type.trim_start().to_ascii_lowercase().starts_with("image/")
}

/// None: it is none of the kinds that are shown.
fn address(content_type: &str, base64: &str) -> Option<String> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kind = if kind == "image/jpg" || kind == "image/pjpeg" { "image/jpeg" } else { kind.as_str() };
    let is_base64 = !base64.is_empty() && base64.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    (KINDS.contains(&kind) && is_base64).then(|| format!("data:{kind};base64,{base64}"))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn pictures_alone_are_shown() {
        assert_eq!(address("IMAGE/JPG; name=x", "AAAA").as_deref(), Some("data:image/jpeg;base64,AAAA"));
        for (kind, base64) in [("image/svg+xml", "AAAA"), ("text/html", "AAAA"), ("image/png", "A\"A"), ("image/png", ""), ("", "AAAA")] {
            assert_eq!(address(kind, base64), None, "{kind}");
        }
    }
}
