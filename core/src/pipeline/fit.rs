//! Whether an answer fits the request it came for. A server or proxy whose answers slip by one on a kept connection would hand one account's mail to
//! another, or one folder's to its neighbour. What does not fit is refused whole, and the connections it came over are given up.

use super::{AccessToken, Purpose, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;

pub const ID: &str = "client-request-id";
/// Where the context of an answer stands; everything else is content.
pub const HEAD: usize = 2 << 10;
/// What a mailbox is made of; other collections are not compared.
const KINDS: [&str; 4] = ["mailFolders", "childFolders", "messages", "attachments"];
const LARGEST_ERROR: usize = 64 << 10;

/// `sent_id`: the id this one exchange was sent with.
pub fn fits(request: &Request, sent_id: &str, token: Option<&AccessToken>, answer: &http::Response<Bytes>) -> bool {
    // It gets no id, and has a connection for itself.
    if request.purpose == Purpose::Workflow {
        return true;
    }
    let echoes = echoes(answer.headers(), answer.body(), answer.status().as_u16());
    if echoes.iter().any(|echo| !echo.eq_ignore_ascii_case(sent_id)) {
        return false;
    }
    match token {
        Some(token) if request.purpose.is_graph() && request.account_id.is_some() => is_about(request.url.path(), token, answer.body(), !echoes.is_empty()),
        _ => true,
    }
}

/// Whom the parts of an answer must be about.
#[derive(Clone, Default)]
pub struct Owner {
    token: Option<AccessToken>,
    /// The answer names the request it is for.
    is_ours: bool,
}

impl Owner {
    pub fn of(token: Option<&AccessToken>, answer: &http::Response<Bytes>) -> Self {
        Self { token: token.cloned(), is_ours: !echoes(answer.headers(), answer.body(), answer.status().as_u16()).is_empty() }
    }

    /// `path`: what was asked for.
    pub fn fits(&self, path: &str, part: &[u8]) -> bool {
        self.token.as_ref().map_or_else(|| is_of_kind(path, part), |token| is_about(path, token, part, self.is_ours))
    }
}

/// The ids of requests that the answer names as its own. What its headers say counts; a body may show the id of a service behind the one that was asked.
fn echoes(headers: &HeaderMap, body: &[u8], status: u16) -> Vec<String> {
    #[derive(Deserialize)]
    struct Body {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(rename = "innerError", alias = "innererror")]
        inner: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        #[serde(rename = "client-request-id")]
        id: String,
    }
    let mut found: Vec<String> = headers.get_all(ID).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()).collect();
    if found.iter().all(String::is_empty) && status >= 400 && body.len() <= LARGEST_ERROR {
        found.extend(serde_json::from_slice::<Body>(body).ok().map(|body| body.error.inner.id));
    }
    found.retain(|id| !id.is_empty());
    found
}

/// The mailbox that a path leads to is the one that the answer names.
fn is_about(path: &str, token: &AccessToken, body: &[u8], is_ours: bool) -> bool {
    let mut segments = path.split(['/', '?']);
    match segments.find(|segment| matches!(*segment, "me" | "users")) {
        Some("me") => is_of(token, body, is_ours) && is_of_kind(path, body),
        Some(_) => segments.next().is_none_or(|asked| is_of_mailbox(asked, body, is_ours)) && is_of_kind(path, body),
        None => true,
    }
}

/// The body's `@odata.context` names nobody, or not another address than was asked for. An id tells nothing of an address, nor does an alias that is ours.
fn is_of_mailbox(asked: &str, body: &[u8], is_ours: bool) -> bool {
    let asked = percent_encoding(asked);
    let is_address = |text: &str| text.contains('@');
    is_ours || user(body).is_none_or(|user| !is_address(&user) || !is_address(&asked) || user.eq_ignore_ascii_case(&asked))
}

/// Who a token is for. It is Microsoft's to read; here it is only ever a reason to refuse.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Person {
    oid: Option<String>,
    upn: Option<String>,
    scp: Option<String>,
}

/// The body's `@odata.context` names nobody, or whom the token is for.
pub fn is_of(token: &AccessToken, body: &[u8], is_ours: bool) -> bool {
    let Some(user) = user(body) else { return true };
    let person: Option<Person> = token.expose(|text| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split('.').nth(1)?).ok()?).ok());
    let Some(Person { oid: Some(oid), upn, scp: Some(_) }) = person else { return true };
    if crate::foreign::is_guid(&user) && crate::foreign::is_guid(&oid) {
        return user.eq_ignore_ascii_case(&oid);
    }
    // A user name may have been changed since the token was made; an answer that proves otherwise that it is ours may name it so.
    is_ours || !user.contains('@') || upn.is_none_or(|upn| user.eq_ignore_ascii_case(&upn))
}

/// Messages are no folders: the body's `@odata.context` names the same kind of thing as the path, or none that is known.
fn is_of_kind(path: &str, body: &[u8]) -> bool {
    let told = context(body).and_then(|context| context.split_once("#users('").and_then(|(_, rest)| kind(rest.split_once("')")?.1)));
    told.is_none() || kind(path).is_none() || told == kind(path)
}

/// The last collection that a path leads through.
fn kind(path: &str) -> Option<&'static str> {
    let is = |segment: &str| KINDS.into_iter().find(|kind| segment.split(['(', '?']).next().is_some_and(|name| name.eq_ignore_ascii_case(kind)));
    path.split('/').rev().find_map(is)
}

/// `x` of `"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users('x')/…"`.
fn user(body: &[u8]) -> Option<String> {
    let context = context(body)?;
    let quoted = context.split_once("#users('")?.1;
    let user = quoted.split('\'').next()?;
    Some(percent_encoding(user))
}

fn context(body: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(body.get(..HEAD.min(body.len()))?);
    let after = head.split_once("\"@odata.context\"")?.1;
    let value = after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    value.split('"').next().map(str::to_owned)
}

fn percent_encoding(text: &str) -> String {
    // The decoding of forms, in which a plus would be a blank; ids and user names hold none unencoded.
    url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes()).map(|(_, value)| value.into_owned()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Purpose;

    fn token(claims: &serde_json::Value) -> AccessToken {
        AccessToken::new(format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string())))
    }

    #[test]
    fn an_answer_is_the_one_to_the_request_its_headers_name() {
        let fits = |header: Option<&str>, body: Option<&str>| {
            let mut answer = http::Response::builder().status(429);
            if let Some(id) = header {
                answer = answer.header(ID, id);
            }
            let error = body.map(|id| serde_json::json!({ "error": { "code": "ApplicationThrottled", "innerError": { "client-request-id": id } } }).to_string());
            let answer = answer.body(Bytes::from(error.unwrap_or_default())).unwrap();
            fits(&Request::get("https://graph.microsoft.com/v1.0/me".parse().unwrap(), Purpose::Graph), "ours", None, &answer)
        };
        for (header, body, is_ours) in [
            (Some("ours"), None, true),
            (Some("OURS"), Some("ours"), true),
            (Some("ours"), Some("of a service behind"), true),
            (Some("other"), Some("ours"), false),
            (None, Some("ours"), true),
            (None, Some("other"), false),
            (Some(""), Some("other"), false),
            (None, None, true),
        ] {
            assert_eq!(fits(header, body), is_ours, "{header:?} {body:?}");
        }
    }

    #[test]
    fn a_context_names_whom_the_token_is_for() {
        const ME: &str = "48d31887-5fad-4d73-a9f5-3c356e68a038";
        let mine = token(&serde_json::json!({ "oid": ME, "upn": "adele@contoso.com", "scp": "Mail.Read" }));
        let page = |user: &str| format!("{{\"@odata.context\" : \"https://graph.microsoft.com/v1.0/$metadata#users('{user}')/messages\",\"value\":[]}}").into_bytes();
        for (user, fits) in [(ME, true), (&*ME.to_uppercase(), true), ("00000000-5fad-4d73-a9f5-3c356e68a038", false), ("adele%40contoso.com", true), ("Adele@contoso.com", true), ("fred%40fabrikam.com", false)] {
            assert_eq!(is_of(&mine, &page(user), false), fits, "{user}");
        }
        assert!(is_of(&mine, &page("new%40contoso.com"), true), "a user name may change");
        assert!(!is_of(&mine, &page("00000000-5fad-4d73-a9f5-3c356e68a038"), true));
        for other in [AccessToken::new("opaque"), token(&serde_json::json!({ "oid": "00000000-5fad-4d73-a9f5-3c356e68a038", "roles": [] }))] {
            assert!(is_of(&other, &page(ME), false));
        }
        for (path, context, fits) in [
            ("/v1.0/me/mailFolders/AQ%3D/messages/delta", "mailFolders('AQ%3D')/messages(id,subject)", true),
            ("/v1.0/me/mailFolders/AQ%3D/messages/delta", "mailFolders", false),
            ("/v1.0/me/mailFolders", "mailFolders(id,displayName)", true),
            ("/v1.0/me/mailFolders/AQ%3D/childFolders", "mailFolders('AQ%3D')/messages", false),
            ("/v1.0/me/mailFolders/inbox", "mailFolders(id)/$entity", true),
            ("/me/messages/m/attachments?$select=id", "messages('m')/attachments(id)", true),
            ("/me/messages/m/attachments?$select=id", "messages/$entity", false),
            ("/v1.0/me", "messages", true),
            ("/v1.0/me/messages/m", "somethingNew", true),
        ] {
            let body = format!("{{\"@odata.context\":\"https://x/$metadata#users('{ME}')/{context}\"}}");
            assert_eq!(is_of_kind(path, body.as_bytes()), fits, "{path} {context}");
        }
        assert!(is_of(&mine, b"{\"subject\":\"\\\"@odata.context\\\":\\\"#users('x@y.z')\"}", false), "a text is no context");
    }
}
