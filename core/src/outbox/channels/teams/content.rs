//! What messages of Teams say: what they must be, the form in which they are compared, and the form in which they are posted.

use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, Graph, Mentioned, MentionedKind, OutgoingAttachment, OutgoingMention, OutgoingPicture, OutgoingPost};
use crate::markup::{Piece, check_card, escaped, pieces};
use crate::model::{BodyType, ChatImportance, FileAttachment, FileLink, Mention, MentionTarget};
use crate::outbox::attached::{check_content, check_content_id, check_file as check_name};
use crate::outbox::check::{address, header, id as check_id};
use crate::outbox::content::Fields;
use crate::random;
use sha2::{Digest, Sha256};
use url::Url;

/// A message is about 28 KB with everything around it, its text counted in UTF-16. Source: Teams limits, and what Graph refuses.
const LONGEST_BYTES: usize = 27 * 1024;
/// Rendering takes a multiple of what it is given, so what cannot fit is not rendered.
const LONGEST_BODY: usize = 4 * LONGEST_BYTES;
const MOST_MENTIONS: usize = 50;
const MOST_ATTACHED: usize = 10;
/// Of a file; SharePoint takes 255.
const LONGEST_NAME: usize = 240;
/// A whole request to Graph is 4 MB, and base64 makes 4 of 3.
const PICTURES_TOTAL: usize = 2_800_000;

const CARD: &str = "application/vnd.microsoft.card.adaptive";

/// The fields that all of them have.
pub struct Parts<'a> {
    pub body: &'a str,
    pub body_type: BodyType,
    pub importance: ChatImportance,
    pub mentions: &'a [Mention],
    pub cards: &'a [String],
    pub files: &'a [FileLink],
    pub attachments: &'a [FileAttachment],
}

macro_rules! parts {
    ($draft:expr) => {
        crate::outbox::channels::teams::content::Parts {
            body: &$draft.body,
            body_type: $draft.body_type,
            importance: $draft.importance,
            mentions: &$draft.mentions,
            cards: &$draft.cards,
            files: &$draft.files,
            attachments: &$draft.attachments,
        }
    };
}
pub(super) use parts;

impl Parts<'_> {
    /// It says no more than text can.
    fn is_plain(&self) -> bool {
        self.body_type == BodyType::Text && self.mentions.is_empty() && self.cards.is_empty() && self.files.is_empty() && self.attachments.is_empty()
    }

    /// Those that are uploaded.
    fn uploaded(&self) -> impl Iterator<Item = &FileAttachment> {
        self.attachments.iter().filter(|file| !is_picture(file))
    }

    /// Those that the text shows.
    fn pictures(&self) -> impl Iterator<Item = &FileAttachment> {
        self.attachments.iter().filter(|file| is_picture(file))
    }

    pub fn weight(&self) -> usize {
        self.body.len() + self.cards.iter().map(String::len).sum::<usize>() + self.attachments.iter().map(|file| file.content.len()).sum::<usize>()
    }

    /// Its form 1, from this tag on.
    pub fn append(&self, out: &mut Fields, tag: u8) {
        match self.importance {
            ChatImportance::Normal => {}
            ChatImportance::High => out.text(tag, "high"),
            ChatImportance::Urgent => out.text(tag, "urgent"),
        }
        out.pairs(tag + 1, self.mentions.iter().map(|one| {
            let (kind, id) = key_of(&one.target);
            [one.placeholder.as_str(), kind, id, if one.text.is_some() { "t" } else { "" }, one.text.as_deref().unwrap_or_default()]
        }));
        out.pairs(tag + 2, self.cards.iter().map(|card| [card.as_str()]));
        out.pairs(tag + 3, self.files.iter().map(|file| [file.name.as_str(), file.url.as_str()]));
        out.files(tag + 4, self.attachments);
        if self.attachments.iter().any(|file| file.staged.is_some()) {
            // The hash of each staged content, in the place of its id.
            out.pairs(tag + 5, self.attachments.iter().map(|file| [file.staged.as_deref().unwrap_or_default()]));
        }
        if self.attachments.iter().any(is_picture) {
            out.pairs(tag + 6, self.attachments.iter().map(|file| [file.content_id.as_deref().unwrap_or_default()]));
        }
    }
}

/// It goes with the message itself, in the same request.
pub fn is_picture(file: &FileAttachment) -> bool {
    file.content_id.is_some()
}

fn key_of(target: &MentionTarget) -> (&'static str, &str) {
    match target {
        MentionTarget::Person { address } => ("person", address),
        MentionTarget::Channel { channel_id } => ("channel", channel_id.as_deref().unwrap_or_default()),
        MentionTarget::Team => ("team", ""),
        MentionTarget::Tag { tag_id } => ("tag", tag_id),
    }
}

/// Errors: InvalidInput or LimitExceeded, naming the field and the remedy. `what`: as in "chat message".
pub fn check(parts: &Parts<'_>, what: &str, is_channel: bool) -> Result<()> {
    if parts.body.trim().is_empty() && parts.cards.is_empty() && parts.files.is_empty() && parts.attachments.is_empty() {
        return Err(Error::invalid(format!("The {what} is empty. Fill in body.")));
    }
    check_mentions(parts.mentions, is_channel)?;
    for (field, count) in [("cards", parts.cards.len()), ("files", parts.files.len() + parts.uploaded().count()), ("pictures", parts.pictures().count())] {
        if count > MOST_ATTACHED {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("The {what} has {count} {field}; {MOST_ATTACHED} fit in one at the most. Split it.")));
        }
    }
    for (number, card) in parts.cards.iter().enumerate() {
        if card.len() > LONGEST_BYTES {
            return Err(too_long(what));
        }
        check_card(card).map_err(|e| named(&format!("cards[{number}]"), e))?;
    }
    for (number, file) in parts.files.iter().enumerate() {
        check_file(file).map_err(|e| named(&format!("files[{number}]"), e))?;
    }
    for (number, file) in parts.attachments.iter().enumerate() {
        let checked = if is_picture(file) { check_picture(parts, file) } else { check_attachment(file) };
        checked.map_err(|e| named(&format!("attachments[{number}]"), e))?;
    }
    if parts.pictures().map(|file| file.content.len()).sum::<usize>() > PICTURES_TOTAL {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("The pictures of the {what} exceed 2.8 MB together, the most one request to Microsoft takes. Make them smaller, or attach them as files, without content_id.")));
    }
    if parts.body.len() > LONGEST_BODY {
        return Err(too_long(what));
    }
    let names: Vec<String> = parts.mentions.iter().map(|one| one.text.clone().unwrap_or_else(|| one.placeholder.clone())).collect();
    let post = compose(parts, &names.into_iter().map(unnamed).collect::<Vec<_>>(), &parts.uploaded().map(unplaced).collect::<Vec<_>>())?;
    if !is_seen(&post) {
        return Err(Error::invalid(format!("Nothing of the {what} is left once its HTML is cleaned to what Teams shows. Write text, or use elements that Teams shows.")));
    }
    if size(&post) > LONGEST_BYTES {
        return Err(too_long(what));
    }
    Ok(())
}

fn named(place: &str, error: Error) -> Error {
    let reason = format!("{place}: {}", error.reason());
    error.with_reason(reason)
}

fn too_long(what: &str) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("The {what} is longer than Teams takes (about 28 KB with its cards and links). Shorten or split it."))
}

/// There is something to be seen: text, a picture, a line, or something attached.
fn is_seen(post: &OutgoingPost) -> bool {
    if post.body_type == BodyType::Text || !post.attachments.is_empty() || ["<img", "<hr"].iter().any(|tag| post.content.contains(tag)) {
        return !post.content.trim().is_empty();
    }
    let mut is_tag = false;
    post.content.replace("&nbsp;", " ").chars().any(|c| {
        match c {
            '<' => is_tag = true,
            '>' if is_tag => {
                is_tag = false;
                return false;
            }
            _ => {}
        }
        !is_tag && !c.is_whitespace()
    })
}

/// Text counts in UTF-16, what is attached in bytes.
fn size(post: &OutgoingPost) -> usize {
    let attached = |one: &OutgoingAttachment| [&one.content, &one.content_url, &one.name].into_iter().flatten().map(String::len).sum::<usize>() + 100;
    let mentioned = |one: &OutgoingMention| one.text.len() + one.target.name.len() + one.target.id.len() + 100;
    post.content.encode_utf16().count() * 2 + post.attachments.iter().map(attached).sum::<usize>() + post.mentions.iter().map(mentioned).sum::<usize>()
}

pub fn check_mentions(mentions: &[Mention], is_channel: bool) -> Result<()> {
    if mentions.len() > MOST_MENTIONS {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("There are {} mentions; {MOST_MENTIONS} is the most. Mention the channel, the team or a tag instead.", mentions.len())));
    }
    for (number, one) in mentions.iter().enumerate() {
        check_mention(one, is_channel).map_err(|e| named(&format!("mentions[{number}]"), e))?;
        if mentions.iter().take(number).any(|other| other.placeholder == one.placeholder) {
            return Err(Error::invalid(format!("mentions[{number}] has the placeholder of an earlier one. Give each mention its own, and write it as often as it is to be shown.")));
        }
    }
    Ok(())
}

fn check_mention(one: &Mention, is_channel: bool) -> Result<()> {
    if one.placeholder.trim().is_empty() {
        return Err(Error::invalid("The placeholder is empty. Give the text of the body that is to become the mention."));
    }
    header("placeholder", &one.placeholder, 100)?;
    if let Some(text) = &one.text {
        header("text", text, 256)?;
        if text.trim().is_empty() {
            return Err(Error::invalid("The text is empty. Leave it out to show the name that Microsoft has."));
        }
    }
    match &one.target {
        MentionTarget::Person { address: to } => address("target", to),
        _ if !is_channel => Err(Error::invalid("Channels, teams and tags are mentioned in channels; in a chat, mention people.")),
        MentionTarget::Tag { .. } if one.text.is_none() => Err(Error::invalid("A tag is mentioned by its id and name. Give its name as the text of the mention.")),
        MentionTarget::Tag { tag_id: id } | MentionTarget::Channel { channel_id: Some(id) } => check_id("target", id),
        MentionTarget::Team | MentionTarget::Channel { channel_id: None } => Ok(()),
    }
}

pub fn check_file(file: &FileLink) -> Result<()> {
    if file.name.trim().is_empty() {
        return Err(Error::invalid("The file has no name."));
    }
    header("name", &file.name, 255)?;
    let url = Url::parse(&file.url).ok().filter(|url| file.url.len() <= 2048 && url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none());
    match url {
        Some(_) if !file.url.chars().any(|c| c.is_control() || c.is_whitespace()) => Ok(()),
        _ => Err(Error::invalid("The url is no https address of a file, of up to 2048 characters.")),
    }
}

/// What SharePoint takes as the name of a file. Source: Restrictions and limitations in OneDrive and SharePoint.
fn check_attachment(file: &FileAttachment) -> Result<()> {
    check_name(&file.name, &file.content_type)?;
    check_content(file)?;
    let name = file.name.to_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    let is_device = matches!(stem, "con" | "prn" | "aux" | "nul") || stem.strip_prefix("com").or(stem.strip_prefix("lpt")).is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()));
    let is_reserved = is_device || matches!(name.as_str(), ".lock" | "desktop.ini") || name.starts_with("~$") || name.contains("_vti_");
    if file.name.contains(['"', '*', ':', '<', '>', '?', '|']) || file.name.trim() != file.name || file.name.ends_with('.') || is_reserved {
        return Err(Error::invalid(
            "The name is none that OneDrive takes: it may not hold \" * : < > ? / \\ |, begin or end with a space, end with a full stop, begin with ~$, or be a name that Windows keeps for itself. Give the file another name.",
        ));
    }
    if file.name.chars().count() > LONGEST_NAME {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("The name is longer than {LONGEST_NAME} characters, with which there would be no room for a number behind it. Shorten it.")));
    }
    Ok(())
}

/// Source: Graph, chatMessage: send (send inline images along with the message).
fn check_picture(parts: &Parts<'_>, file: &FileAttachment) -> Result<()> {
    check_name(&file.name, &file.content_type)?;
    check_content(file)?;
    check_content_id(parts.attachments, parts.body_type, file)?;
    if file.staged.is_some() || file.content.is_empty() {
        return Err(Error::invalid("A picture in the text goes with the message itself. Pass its content, of up to 2.8 MB; only files below the message are staged."));
    }
    if !["image/png", "image/jpeg", "image/gif"].iter().any(|kind| file.content_type.eq_ignore_ascii_case(kind)) {
        return Err(Error::invalid("A picture in the text is a PNG, JPEG or GIF: say so in content_type, or leave content_id out to attach it as a file."));
    }
    Ok(())
}

/// Puts the pictures where the text shows them. Errors: InvalidInput for one that nobody shows, and for one that is not there.
fn show_pictures(content: &mut String, parts: &Parts<'_>) -> Result<()> {
    for (number, file) in parts.pictures().enumerate() {
        let id = file.content_id.as_deref().unwrap_or_default();
        let shown = format!("src=\"cid:{}\"", escaped(id));
        if !content.contains(&shown) {
            return Err(Error::invalid(format!("No image of the body shows the attachment with the content_id {id}. Write <img src=\"cid:{id}\">, or leave content_id out.")));
        }
        *content = content.replace(&shown, &format!("src=\"../hostedContents/{}/$value\"", number + 1));
    }
    match content.contains("src=\"cid:") {
        true => Err(Error::invalid("An image of the body has a cid: address that no attachment has as its content_id. Attach it, or leave the image out.")),
        false => Ok(()),
    }
}

/// The pictures of a message, in the order in which its text numbers them.
pub fn hosted(parts: &Parts<'_>) -> Vec<OutgoingPicture> {
    parts.pictures().map(|file| OutgoingPicture { content_type: file.content_type.clone(), content: file.content.clone() }).collect()
}

/// A file that was put where the message refers to it.
pub struct Reference {
    /// By which Teams knows it.
    pub id: String,
    pub url: String,
    pub name: String,
}

/// As it looks before it is there, its address as long as they come.
fn unplaced(file: &FileAttachment) -> Reference {
    Reference { id: guid(&file.name), url: format!("https://{}", "x".repeat(300 + 3 * file.name.len())), name: file.name.clone() }
}

/// As it looks before anybody was asked.
fn unnamed(name: String) -> Mentioned {
    Mentioned { kind: MentionedKind::Person, id: String::new(), name }
}

/// As it is posted. `mentioned`: in the order of the mentions; `placed`: in that of the attachments that are uploaded. The pictures are added by [`hosted`].
pub fn compose(parts: &Parts<'_>, mentioned: &[Mentioned], placed: &[Reference]) -> Result<OutgoingPost> {
    if placed.len() != parts.uploaded().count() {
        return Err(Error::internal("A file of a message was not uploaded."));
    }
    let mut post = OutgoingPost {
        subject: None,
        body_type: BodyType::Html,
        content: String::with_capacity(parts.body.len()),
        importance: parts.importance,
        mentions: Vec::new(),
        attachments: Vec::new(),
        pictures: Vec::new(),
    };
    if parts.is_plain() {
        return Ok(OutgoingPost { body_type: BodyType::Text, content: parts.body.to_owned(), ..post });
    }
    let placeholders: Vec<&str> = parts.mentions.iter().map(|one| one.placeholder.as_str()).collect();
    for piece in pieces(parts.body, parts.body_type, &placeholders)? {
        match piece {
            Piece::Html(html) => post.content.push_str(&html),
            Piece::Mention(number) => {
                let (Some(mention), Some(target)) = (parts.mentions.get(number), mentioned.get(number)) else {
                    return Err(Error::internal("A mention was not looked up."));
                };
                let text = mention.text.as_deref().unwrap_or(&target.name);
                post.content.push_str(&format!("<at id=\"{}\">{}</at>", post.mentions.len(), escaped(text)));
                post.mentions.push(OutgoingMention { text: text.to_owned(), target: target.clone() });
            }
        }
    }
    show_pictures(&mut post.content, parts)?;
    let cards = parts.cards.iter().map(|card| OutgoingAttachment { id: String::new(), content_type: CARD, content: Some(card.clone()), content_url: None, name: None });
    let files = parts.files.iter().map(|file| OutgoingAttachment {
        id: file_id(&file.url),
        content_type: "reference",
        content: None,
        content_url: Some(file.url.clone()),
        name: Some(file.name.clone()),
    });
    let placed = placed.iter().map(|file| OutgoingAttachment {
        id: file.id.clone(),
        content_type: "reference",
        content: None,
        content_url: Some(file.url.clone()),
        name: Some(file.name.clone()),
    });
    for (number, mut one) in cards.chain(files).chain(placed).enumerate() {
        if one.id.is_empty() || post.attachments.iter().any(|other| other.id == one.id) {
            one.id = guid(&format!("{number}/{}", one.content.as_deref().or(one.content_url.as_deref()).unwrap_or_default()));
        }
        post.content.push_str(&format!("<attachment id=\"{}\"></attachment>", one.id));
        post.attachments.push(one);
    }
    Ok(post)
}

/// Teams knows a file by the id that SharePoint has for it, where the address tells it.
fn file_id(url: &str) -> String {
    let told = Url::parse(url).ok().and_then(|url| url.query_pairs().find(|(name, _)| name.eq_ignore_ascii_case("sourcedoc")).map(|(_, value)| value.trim_matches(['{', '}']).to_lowercase()));
    told.filter(|id| id.len() == 36 && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-')).unwrap_or_else(|| guid(url))
}

/// An id that follows from a text.
fn guid(text: &str) -> String {
    random::uuid_of(Sha256::digest(text.as_bytes()).into())
}

/// Whom the mentions name, in their order. `place`: team and channel of a post. Errors: NotFound, naming the mention, for one that is nobody.
pub async fn look_up(graph: &Graph, caller: &Caller, mentions: &[Mention], place: Option<(&str, &str)>) -> Result<Vec<Mentioned>> {
    let mut found = Vec::with_capacity(mentions.len());
    for (number, one) in mentions.iter().enumerate() {
        found.push(look_up_one(graph, caller, one, place).await.map_err(|e| named(&format!("mentions[{number}]"), e))?);
    }
    Ok(found)
}

async fn look_up_one(graph: &Graph, caller: &Caller, mention: &Mention, place: Option<(&str, &str)>) -> Result<Mentioned> {
    let text = mention.text.as_deref();
    let nobody = |what: &str| Error::new(ErrorKind::NotFound, format!("There is no {what} that the mention names. Check it, or leave the mention out."));
    let (team, channel) = place.unwrap_or_default();
    let (kind, id, name) = match &mention.target {
        MentionTarget::Person { address } => {
            let found = graph.find_person(caller, address).await.map_err(|error| match error.kind() {
                ErrorKind::Forbidden => {
                    let reason = format!("To mention somebody by address, the account needs to look people up: add the feature people. {}", error.reason());
                    error.with_reason(reason)
                }
                _ => error,
            })?;
            let person = found.ok_or_else(|| nobody("person"))?;
            let name = person.display_name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| address.clone());
            (MentionedKind::Person, person.id, name)
        }
        MentionTarget::Team => (MentionedKind::Team, team.to_owned(), graph.team_name(caller, team).await?.ok_or_else(|| nobody("team"))?),
        MentionTarget::Channel { channel_id } => {
            let id = channel_id.as_deref().unwrap_or(channel);
            (MentionedKind::Channel, id.to_owned(), graph.channel_name(caller, team, id).await?.ok_or_else(|| nobody("channel"))?)
        }
        MentionTarget::Tag { tag_id } => (MentionedKind::Tag, tag_id.clone(), text.unwrap_or_default().to_owned()),
    };
    Ok(Mentioned { kind, id, name })
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
