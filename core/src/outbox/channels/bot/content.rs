//! What a message of the bot says: what it must be, the form in which it is compared, and the form in which it is sent.

use crate::bot::{LARGEST_MESSAGE, Named, OutgoingActivity};
use crate::error::{Error, ErrorKind, Result};
use crate::markup::{Piece, check_card, escaped, pieces};
use crate::model::{BodyType, BotDraft, ChatImportance, MentionTarget};
use crate::outbox::channels::teams::{check_link, check_mentions};
use crate::outbox::content::Fields;

const LONGEST_BODY: usize = 100 << 10;
const MOST_ATTACHED: usize = 10;

/// Whom its mentions name, in their order.
pub fn mentioned(draft: &BotDraft) -> Vec<String> {
    draft.mentions.iter().filter_map(|one| if let MentionTarget::Person { address } = &one.target { Some(address.clone()) } else { None }).collect()
}

/// What is kept of it for an operator to read.
pub fn text(draft: &BotDraft) -> String {
    if draft.body.trim().is_empty() { draft.summary.clone().unwrap_or_default() } else { draft.body.clone() }
}

/// From this tag on.
pub fn append(draft: &BotDraft, out: &mut Fields, tag: u8) {
    out.text(tag, &draft.body);
    out.body_type(tag + 1, draft.body_type);
    if draft.importance != ChatImportance::Normal {
        out.text(tag + 2, "high");
    }
    if draft.notify {
        out.text(tag + 3, "notify");
    }
    out.pairs(tag + 4, draft.mentions.iter().map(|one| {
        let address = if let MentionTarget::Person { address } = &one.target { address.as_str() } else { "" };
        [one.placeholder.as_str(), address, if one.text.is_some() { "t" } else { "" }, one.text.as_deref().unwrap_or_default()]
    }));
    out.pairs(tag + 5, draft.cards.iter().map(|card| [card.as_str()]));
    out.pairs(tag + 6, draft.files.iter().map(|file| [file.name.as_str(), file.url.as_str()]));
}

/// Errors: InvalidInput or LimitExceeded, naming the field and the remedy.
pub fn check(draft: &BotDraft) -> Result<()> {
    if draft.body.trim().is_empty() && draft.cards.is_empty() && draft.files.is_empty() {
        return Err(Error::invalid("The message of the bot is empty. Fill in body."));
    }
    check_mentions(&draft.mentions, false)?;
    for (field, count) in [("cards", draft.cards.len()), ("files", draft.files.len())] {
        if count > MOST_ATTACHED {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("The message of the bot has {count} {field}; {MOST_ATTACHED} fit in one at the most. Split it.")));
        }
    }
    if draft.body.len() > LONGEST_BODY || draft.cards.iter().any(|card| card.len() > LARGEST_MESSAGE) {
        return Err(too_long());
    }
    let named = |place: String, error: Error| {
        let reason = format!("{place}: {}", error.reason());
        error.with_reason(reason)
    };
    for (number, card) in draft.cards.iter().enumerate() {
        check_card(card).map_err(|e| named(format!("cards[{number}]"), e))?;
    }
    for (number, file) in draft.files.iter().enumerate() {
        check_link(file).map_err(|e| named(format!("files[{number}]"), e))?;
    }
    let unnamed: Vec<Named> = draft.mentions.iter().map(|one| Named { user_id: "29:".to_owned() + &"x".repeat(100), name: one.placeholder.clone(), text: String::new() }).collect();
    let activity = compose(draft, &unnamed)?;
    if activity.text.trim().is_empty() && activity.cards.is_empty() {
        return Err(Error::invalid("Nothing of the message is left once its HTML is cleaned to what Teams shows. Write text, or use elements that Teams shows."));
    }
    if activity.size() > LARGEST_MESSAGE { Err(too_long()) } else { Ok(()) }
}

fn too_long() -> Error {
    Error::new(ErrorKind::LimitExceeded, "The message of the bot is longer than Teams takes (100 KB with its cards). Shorten or split it.")
}

/// As it is sent. `mentioned`: in the order of the mentions.
pub fn compose(draft: &BotDraft, mentioned: &[Named]) -> Result<OutgoingActivity> {
    let mut activity = OutgoingActivity {
        text: String::with_capacity(draft.body.len()),
        is_html: true,
        summary: draft.summary.clone(),
        cards: draft.cards.iter().filter_map(|card| OutgoingActivity::card(card)).collect(),
        mentions: Vec::new(),
        is_important: draft.importance != ChatImportance::Normal,
        is_alert: draft.notify,
    };
    if draft.body_type == BodyType::Text && draft.mentions.is_empty() && draft.files.is_empty() {
        return Ok(OutgoingActivity { text: draft.body.clone(), is_html: false, ..activity });
    }
    let placeholders: Vec<&str> = draft.mentions.iter().map(|one| one.placeholder.as_str()).collect();
    for piece in pieces(&draft.body, draft.body_type, &placeholders)? {
        match piece {
            Piece::Html(html) => activity.text.push_str(&html),
            Piece::Mention(number) => {
                let (Some(mention), Some(found)) = (draft.mentions.get(number), mentioned.get(number)) else {
                    return Err(Error::internal("A mention was not looked up."));
                };
                let name = mention.text.as_deref().unwrap_or(&found.name);
                let text = format!("<at>{}</at>", escaped(name));
                activity.text.push_str(&text);
                let shown = Named { user_id: found.user_id.clone(), name: name.to_owned(), text };
                if !activity.mentions.contains(&shown) {
                    activity.mentions.push(shown);
                }
            }
        }
    }
    for file in &draft.files {
        let gap = if activity.text.is_empty() { "" } else { "<br>" };
        activity.text.push_str(&format!("{gap}<a href=\"{}\">{}</a>", escaped(&file.url), escaped(&file.name)));
    }
    Ok(activity)
}
