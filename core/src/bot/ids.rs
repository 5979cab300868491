//! How the Bot Connector names people, bots and conversations.

use crate::error::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// As `encodeURIComponent` does, which Microsoft's own clients use.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'!').remove(b'*').remove(b'(').remove(b')').remove(b'\'');
const LONGEST: usize = 1_000;

/// A bot, by the id of its application.
pub fn bot_id(client_id: &str) -> String {
    format!("28:{client_id}")
}

/// Somebody as this bot knows them.
pub fn is_teams_user(id: &str) -> bool {
    id.strip_prefix("29:").is_some_and(|rest| !rest.is_empty()) && is_id(id)
}

/// Somebody as Entra knows them.
pub(super) fn is_object_id(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// A team or channel as the Bot Connector names it.
pub fn is_team_thread(id: &str) -> bool {
    id.starts_with("19:") && id.contains("@thread.") && !id.contains(';') && is_id(id)
}

/// The conversation of a thread in a channel. `message_id`: of the message at its head.
pub fn thread_of(channel_id: &str, message_id: &str) -> String {
    format!("{channel_id};messageid={message_id}")
}

/// Errors: InvalidInput for what could be no id, or would lead elsewhere as part of an address.
pub fn check_conversation(id: &str) -> Result<()> {
    match is_id(id) {
        true => Ok(()),
        false => Err(Error::invalid("A conversation id is 1 to 1,000 characters without spaces, /, \\, ?, # and %, as receipts and conversations show it.")),
    }
}

fn is_id(id: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '\\' | '?' | '#' | '%');
    (1..=LONGEST).contains(&id.len()) && !id.chars().any(is_odd) && !id.split(';').any(|part| part == "." || part == "..")
}

pub(super) fn escaped(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_path() {
        for good in ["a:1AbC_-x", "19:abc@thread.tacv2", "19:abc@thread.tacv2;messageid=1700000000000", "19:a_b@unq.gbl.spaces", "ü"] {
            assert!(check_conversation(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../x", "a\\b", "a?b", "a#b", "a%2fb", "a b", "a\nb", "a\u{85}b", "..;x", &"a".repeat(1_001)] {
            assert!(check_conversation(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_are_escaped_as_microsofts_clients_do() {
        assert_eq!(escaped("19:a@thread.tacv2;messageid=1"), "19%3Aa%40thread.tacv2%3Bmessageid%3D1");
        assert!(is_teams_user("29:1abc") && !is_teams_user("29:") && !is_teams_user("28:x") && !is_teams_user("29:a/b"));
        assert!(is_team_thread("19:abc@thread.tacv2") && is_team_thread("19:abc@thread.skype") && !is_team_thread("19:abc@thread.tacv2;messageid=1") && !is_team_thread("02bd9fd6-8f93-4758-87c3-1fb73740a315"));
    }
}
