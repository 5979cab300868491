//! What people write, in the form that a route takes: templates filled, Markdown and HTML brought to what Teams shows, mentions put in their places, cards looked at.

mod card;
mod markdown;
mod mentions;
mod teams;
mod template;

pub use card::check_card;
pub use markdown::markdown;
pub use mentions::{Piece, pieces};
pub use template::{Fields, fill};

/// Text that looks in HTML as it was typed.
pub fn as_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut after_space = true;
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => continue,
            '\n' => out.push_str("<br>"),
            ' ' if after_space => out.push_str("&nbsp;"),
            other => out.push(other),
        }
        after_space = matches!(c, ' ' | '\n');
    }
    out
}

/// Text as it stands in HTML, also within quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
