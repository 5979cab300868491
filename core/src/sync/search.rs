//! Full-text search in stores with clear content. (Those with sealed content ask the mailbox: `mailbox_search`.)

use super::body::with_content;
use super::clean;
use super::read::{Reader, check_limit, counted};
use crate::config::Content;
use crate::error::{Error, Result};
use crate::graph::MailItem;
use crate::model::{Address, Message, SearchQuery};
use crate::store::{Scope, SearchText};

const LONGEST_QUERY: usize = 200;
/// Bytes of a text that are indexed; what follows in a mail this long is found by nobody.
const LARGEST_TEXT: usize = 1 << 20;

impl Reader {
    /// What is wrong with a search in itself; its words otherwise.
    pub fn search_words(&self, query: &SearchQuery) -> Result<Vec<String>> {
        check_limit(query.limit)?;
        words(&query.text)
    }

    /// Stores with sealed content have no index.
    pub fn has_index(&self) -> bool {
        self.content == Content::Clear
    }

    pub async fn search(&self, scope: Scope, words: Vec<String>, limit: u32) -> Result<Vec<Message>> {
        let read = async || self.open(self.store.search(&words, scope.account_ids(), limit).await?).await;
        let found = self.vault.with_current_keys(read).await?;
        self.record(&scope, counted("Results of a search were read", found.len())).await?;
        Ok(found)
    }
}

/// Whatever stands between blanks and holds a letter or a digit.
fn words(text: &str) -> Result<Vec<String>> {
    if !(1..=LONGEST_QUERY).contains(&text.chars().count()) {
        return Err(Error::invalid("text must be 1 to 200 characters."));
    }
    let parts = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<String> = parts.filter(|word| word.chars().any(char::is_alphanumeric)).map(str::to_owned).collect();
    if words.is_empty() { Err(Error::invalid("text holds no word to look for.")) } else { Ok(words) }
}

/// What the index is to hold of a mail.
pub fn text_of(item: &MailItem) -> Result<SearchText> {
    let single = [&item.from, &item.sender].into_iter().flatten();
    let several = [&item.to, &item.cc, &item.bcc, &item.reply_to].into_iter().flatten();
    let mut people: Vec<String> = single.chain(several).map(person).collect();
    people.dedup();
    let text = item.body.as_ref().map(|body| with_content(body, |form, content| bounded(clean::text(form, content)))).transpose()?;
    Ok(SearchText { subject: item.subject.clone(), people: people.join("\n"), text })
}

fn person(address: &Address) -> String {
    format!("{} {}", address.name, address.address)
}

fn bounded(mut text: String) -> String {
    if text.len() > LARGEST_TEXT {
        text.truncate(text.floor_char_boundary(LARGEST_TEXT));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::body::keep;
    use super::*;
    use crate::graph::MailBody;
    use crate::model::BodyType;

    #[test]
    fn a_query_is_words_and_nothing_else() {
        assert_eq!(words("  offer\tMüller \"x-7\" * \u{0} - ").unwrap(), ["offer", "Müller", "\"x-7\""]);
        for bad in [String::new(), "x".repeat(201), "* \" ( )".into(), "\u{0}".into(), " ".into()] {
            assert!(words(&bad).is_err(), "{bad}");
        }
        assert!(words(&"ü".repeat(200)).is_ok());
    }

    #[test]
    fn the_index_gets_subject_people_and_text_without_markup() {
        let ann = Address { name: "Ann".into(), address: "ann@contoso.example".into() };
        let item = MailItem {
            subject: "Offer".into(),
            from: Some(ann.clone()),
            sender: Some(ann.clone()),
            to: vec![Address { name: String::new(), address: "bob@contoso.example".into() }],
            body: Some(MailBody::Whole(BodyType::Html, "<p>Hello <b class=hidden>you</b></p>".into())),
            ..MailItem::default()
        };
        let words = text_of(&item).unwrap();
        let kept = MailItem { body: Some(MailBody::Kept(keep(BodyType::Html, "<p>Hello <b class=hidden>you</b></p>"))), ..item };
        assert_eq!(text_of(&kept).unwrap().text, words.text);
        assert_eq!((words.subject.as_str(), words.people.as_str()), ("Offer", "Ann ann@contoso.example\n bob@contoso.example"));
        assert_eq!(words.text.as_deref().map(str::trim), Some("Hello you"));
        assert_eq!(text_of(&MailItem::default()).unwrap().text, None);
        assert_eq!(bounded("ü".repeat(LARGEST_TEXT)).len(), LARGEST_TEXT);
    }
}
