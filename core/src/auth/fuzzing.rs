//! What comes back with the browser, as anybody might write it.

pub use super::token::fuzzing::token_answer;

use super::callback::Callback;
use crate::error::ErrorKind;
use url::form_urlencoded::Serializer;

/// The address or query that the browser came back with.
pub fn callback_query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let callback = match Callback::parse(&text) {
        Ok(callback) => callback,
        Err(error) => return assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::LimitExceeded), "{error:?}"),
    };
    assert!((1..=512).contains(&callback.state.len()), "a callback without a state, or with a huge one");
    assert!(callback.code().is_ok_and(|code| !code.is_empty()) || callback.code().is_err_and(|error| error.kind() == ErrorKind::InvalidInput));
    if let Some(refusal) = callback.refusal() {
        // Its own words are for machines alone.
        let is_long = refusal.error.len() >= 24 && !refusal.error.contains(' ');
        assert!(!is_long || !refusal.reason().contains(&refusal.error), "a reason shows foreign text");
    }
    let seen = |callback: &Callback| {
        let iss = callback.iss.as_ref().map(|iss| iss.to_string());
        (callback.state.to_string(), callback.code().ok().map(str::to_owned), iss, callback.refusal(), callback.is_approval())
    };
    // A fragment says nothing.
    let bare = text.split_once('#').map_or(&*text, |(before, _)| before);
    assert!(Callback::parse(&format!("{bare}#state=other")).is_ok_and(|same| seen(&same) == seen(&callback)) || bare.len() > 16_000, "a fragment was read");
    // A second state makes it nobody's.
    assert!(Callback::parse(&format!("{bare}&state=other")).is_err(), "two states were read as one");
    // Written by the book it says the same.
    let mut query = Serializer::new(String::new());
    query.append_pair("state", &callback.state);
    if let Ok(code) = callback.code() {
        query.append_pair("code", code);
    }
    let query = query.finish();
    if query.len() <= 16_000 {
        let again = Callback::parse(&format!("https://app.example/callback?{query}"));
        assert!(again.is_ok_and(|again| again.state == callback.state && again.code().ok() == callback.code().ok()), "written anew it says something else");
    }
}
