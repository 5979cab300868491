//! Merge fields are filled in when a draft is handed in, before anything is checked or stored: from then on there is the filled text alone, and the same template
//! with the same values is the same content.

use super::channel::{Channel, by_draft};
use super::check::{DRAFTS_TOTAL, MOST_DRAFTS, of_draft, too_many, too_much};
use super::payload::work_of;
use crate::error::{Error, Result};
use crate::markup::{self, Fields};
use crate::model::{BodyType, RouteDraft, Mention, Preview};
use std::collections::HashMap;

/// The draft with its templates filled; one without merge fields as it is. Errors: InvalidInput and LimitExceeded, naming part, line and field.
pub async fn fill(draft: RouteDraft) -> Result<RouteDraft> {
    if fields_of(&draft).is_none() {
        return Ok(draft);
    }
    work_of(work(&draft), move || filled(draft)).await
}

/// The same for drafts that are handed in together; the error says which one is wrong.
pub async fn fill_all(drafts: Vec<RouteDraft>) -> Result<Vec<RouteDraft>> {
    if drafts.iter().all(|draft| fields_of(draft).is_none()) {
        return Ok(drafts);
    }
    if drafts.len() > MOST_DRAFTS {
        return Err(too_many());
    }
    let size = drafts.iter().map(work).sum();
    work_of(size, move || {
        let (mut all, mut total) = (Vec::with_capacity(drafts.len()), 0_usize);
        for (number, draft) in drafts.into_iter().enumerate() {
            let draft = filled(draft).map_err(|e| of_draft(number, e))?;
            // Before the next one is filled: many small templates may become much.
            total += by_draft!(&draft, C, one => C::weight(one));
            if total > DRAFTS_TOTAL {
                return Err(too_much());
            }
            all.push(draft);
        }
        Ok(all)
    })
    .await
}

/// What a filled draft says.
pub fn preview(draft: RouteDraft) -> Preview {
    match draft {
        RouteDraft::Mail { mail } => Preview { subject: mail.subject, body: mail.body, body_type: mail.body_type },
        RouteDraft::Reply { reply } => Preview { subject: String::new(), body: reply.body, body_type: reply.body_type },
        RouteDraft::Forward { forward } => Preview { subject: String::new(), body: forward.body, body_type: forward.body_type },
        RouteDraft::Chat { chat } => Preview { subject: String::new(), body: chat.body, body_type: chat.body_type },
        RouteDraft::ChannelPost { channel_post: post } => Preview { subject: post.subject.unwrap_or_default(), body: post.body, body_type: post.body_type },
        RouteDraft::Bot { bot } => Preview { subject: String::new(), body: bot.body, body_type: bot.body_type },
        RouteDraft::Workflow { workflow } => Preview { subject: String::new(), body: workflow.text.unwrap_or_default(), body_type: BodyType::Text },
    }
}

fn fields_of(draft: &RouteDraft) -> Option<&HashMap<String, String>> {
    by_draft!(draft, _C, one => one.merge_fields.as_ref())
}

/// Bytes that are looked at, about: each character of a template costs more than one of a text.
fn work(draft: &RouteDraft) -> usize {
    let values: usize = fields_of(draft).into_iter().flatten().map(|(name, value)| name.len() + value.len()).sum();
    8 * (values + by_draft!(draft, C, one => C::weight(one)))
}

fn filled(mut draft: RouteDraft) -> Result<RouteDraft> {
    let Some(given) = by_draft!(&mut draft, _C, one => one.merge_fields.take()) else { return Ok(draft) };
    let account_id = draft.account_id().to_owned();
    let named = |e: Error| if account_id.is_empty() { e } else { e.on_account(account_id.as_str()) };
    fill_in(&mut draft, &given).map_err(named)?;
    Ok(draft)
}

fn fill_in(draft: &mut RouteDraft, given: &HashMap<String, String>) -> Result<()> {
    let fields = Fields::new(given)?;
    match draft {
        RouteDraft::Mail { mail } => {
            mail.subject = subject(&mail.subject, &fields)?;
            mail.body = body(&mail.body, mail.body_type, &fields, &[])?;
        }
        RouteDraft::Reply { reply } => reply.body = body(&reply.body, reply.body_type, &fields, &[])?,
        RouteDraft::Forward { forward } => forward.body = body(&forward.body, forward.body_type, &fields, &[])?,
        RouteDraft::Chat { chat } => chat.body = body(&chat.body, chat.body_type, &fields, &chat.mentions)?,
        RouteDraft::Bot { bot } => bot.body = body(&bot.body, bot.body_type, &fields, &bot.mentions)?,
        RouteDraft::ChannelPost { channel_post: post } => {
            if let Some(text) = &post.subject {
                post.subject = Some(subject(text, &fields)?);
            }
            post.body = body(&post.body, post.body_type, &fields, &post.mentions)?;
        }
        RouteDraft::Workflow { workflow } => match &workflow.text {
            Some(text) => workflow.text = Some(markup::fill("text", text, BodyType::Text, &fields)?.text),
            None => return Err(Error::invalid("merge_fields fill in the text of a post, and this one has none. Leave them out, or write a text.")),
        },
    }
    Ok(())
}

fn subject(template: &str, fields: &Fields) -> Result<String> {
    Ok(markup::fill("subject", template, BodyType::Text, fields)?.text)
}

fn body(template: &str, kind: BodyType, fields: &Fields, mentions: &[Mention]) -> Result<String> {
    let filled = markup::fill("body", template, kind, fields)?;
    match mentions.iter().position(|one| filled.is_made_by_value(&one.placeholder)) {
        None => Ok(filled.text),
        Some(number) => Err(Error::invalid(format!(
            "A value of merge_fields makes the placeholder of mentions[{number}] appear in the body, where nobody wrote it. Choose a placeholder that no value has, as in ((1))."
        ))),
    }
}
