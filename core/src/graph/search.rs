//! Searches in a mailbox, which the service does over its own index.

use super::paging::Pages;
use super::wire::{self, Page};
use super::{Caller, Graph};
use crate::error::Result;
use crate::json;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

/// Messages of one page. A search gives 1,000 at the most, whatever there is.
const PAGE: &str = "100";

/// A search under way.
pub struct MailSearch {
    pages: Pages,
    /// None: the last page was read.
    next: Option<Url>,
}

#[derive(Deserialize)]
struct WireFound {
    #[serde(deserialize_with = "wire::id")]
    id: String,
}

impl Graph {
    /// Nothing is asked yet. All of the words must be in subject, sender or body. Errors: InvalidInput.
    /// Source: Graph, use the $search query parameter; Keyword Query Language.
    pub async fn mail_search(&self, caller: &Caller, words: &[String]) -> Result<MailSearch> {
        let first = self.url(&self.path(caller, "messages").await?, &[("$search", &expression(words)), ("$select", "id"), ("$top", PAGE)])?;
        Ok(MailSearch { pages: Pages::of(first.clone()), next: Some(first) })
    }

    /// Ids of the next page, the newest first; None after the last.
    pub async fn mails_found(&self, caller: &Caller, search: &mut MailSearch) -> Result<Option<Vec<String>>> {
        let Some(url) = search.next.take() else { return Ok(None) };
        let response = self.ask(self.get(caller, url)).await?;
        let text = json::text(&response.body);
        let mut page: Page<&RawValue> = wire::of_text(&text).map_err(|e| e.on_account(&caller.account_id))?;
        if response.repeats(&text) {
            return Err(wire::repeating().on_account(&caller.account_id));
        }
        let ids = page.items()?.iter().filter_map(|raw| wire::item::<WireFound>(raw.get())).map(|found| found.id).collect();
        search.next = page.next_link.map(|link| search.pages.next(self.pipeline.hosts(), &self.root, caller, &link)).transpose()?;
        Ok(Some(ids))
    }
}

/// `"\"one\" AND \"two words\""`. Within a phrase nothing is an operator but its end and a star, for which the language knows no escape; neither is part of a word.
fn expression(words: &[String]) -> String {
    let plain = |word: &String| word.replace(|c: char| matches!(c, '"' | '\\' | '*') || c.is_control(), " ");
    let phrases: Vec<String> = words.iter().map(|word| format!("\\\"{}\\\"", plain(word).trim())).collect();
    format!("\"{}\"", phrases.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn words_are_phrases_whatever_they_hold() {
        for (words, expected) in [
            (vec!["offer"], r#""\"offer\"""#),
            (vec!["offer", "OR", "from:adele"], r#""\"offer\" AND \"OR\" AND \"from:adele\"""#),
            (vec!["a\"b", "\\x\\", "wild*", "(paren)"], r#""\"a b\" AND \"x\" AND \"wild\" AND \"(paren)\"""#),
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(expression(&words), expected);
        }
    }
}
