//! What people write, in the form that a route takes: Markdown and HTML brought to what Teams shows, mentions put in their places, cards looked at.

mod card;
mod markdown;
mod mentions;
mod teams;

pub use card::check_card;
pub use markdown::markdown;
pub use mentions::{Piece, pieces};

/// Text as HTML, with its line breaks.
pub fn escaped_lines(text: &str) -> String {
    escaped(text).replace("\r\n", "<br>").replace(['\n', '\r'], "<br>")
}

/// Text as it stands in HTML, also within quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
