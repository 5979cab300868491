//! Posts to the host's route as anybody might make them.

use super::parse::{MOST_ITEMS, Posted, posted};
use super::receive::validation_token;

/// The body of a post, and the query of one.
pub fn notification_post(bytes: &[u8]) {
    if let Posted::Items(items, _) = posted(bytes) {
        assert!(items.len() <= MOST_ITEMS, "more than may be");
        for item in items.into_iter().flatten() {
            let texts = [item.client_state, item.subscription_id, item.tenant_id, item.lifecycle_event];
            assert!(texts.into_iter().flatten().all(|text| text.len() <= 128), "a long text is kept");
        }
        // Spaces around it say nothing.
        let around = [b" \n", bytes, b"\n "].concat();
        assert!(bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || matches!(posted(&around), Posted::Items(..)), "spaces change what is read");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let answer = validation_token(text).map(super::receive::handshake);
        if let Some(answer) = answer {
            assert!(answer.status == 200 && answer.body.len() <= text.len() || answer.status == 400 && answer.body.is_empty(), "a token that was not asked");
        }
    }
}
