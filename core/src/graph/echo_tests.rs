//! A server that repeats what it was sent, in every place and encoding; and answers that belong to another request.

use super::fault;
use crate::error::{Error, ErrorKind};
use crate::pipeline::fake::{Service, clock, says, says_with};
use crate::pipeline::{AccessToken, Purpose, Request, Safety};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use url::Url;

const TOKEN: &str = "EwB4A8l6BAAUkj1NuJYtTVha0MoadMdNVsTmyfoAAYZ3";

type Encoding = (&'static str, fn(&str) -> String);

const ENCODINGS: [Encoding; 10] = [
    ("plain", str::to_owned),
    ("lower", str::to_lowercase),
    ("upper", str::to_uppercase),
    ("part", |t| t[8..21].to_owned()),
    ("hex", |t| t.bytes().map(|b| format!("{b:02x}")).collect()),
    ("base64", |t| STANDARD.encode(t)),
    ("base64url of the header", |t| URL_SAFE_NO_PAD.encode(format!("Bearer {t}"))),
    ("reversed", |t| t.chars().rev().collect()),
    ("percent", |t| t.bytes().map(|b| format!("%{b:02X}")).collect()),
    ("entities", |t| t.bytes().map(|b| format!("&#{b};")).collect()),
];

/// What a host could see of a failure.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.request_id());
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text += &format!(" {source} {source:?}");
        next = source.source();
    }
    text
}

fn request() -> Request {
    let mut request = Request::get(Url::parse("https://graph.microsoft.com/v1.0/me/messages").unwrap(), Purpose::Graph);
    request.account_id = Some("acc".into());
    request.bearer = Some(AccessToken::new(TOKEN));
    request
}

#[tokio::test]
async fn nothing_that_was_sent_comes_back_in_an_error() {
    let clock = clock();
    let guid = |hex: &str| format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]);
    let mut variants = 0;
    for (name, encode) in ENCODINGS {
        let echo = encode(TOKEN);
        let hex: String = TOKEN.bytes().map(|b| format!("{b:02x}")).collect();
        let short: String = echo.chars().take(60).collect();
        let code = |code: &str| serde_json::json!({ "error": { "code": code, "message": echo, "innerError": { "request-id": echo } } }).to_string();
        for status in [400, 403, 404, 500] {
            let answers = [
                says(status, code(&echo)),
                says(status, code(&format!("E{short}"))),
                says(status, code(&format!("Error.{}", &short[..short.len().min(30)]))),
                says(status, format!("<html>{echo}</html>")),
                says_with(status, ("request-id", &echo), "{}"),
                says_with(status, ("x-ms-request-id", &guid(&hex)), "{}"),
                says_with(status, ("www-authenticate", &format!("Bearer error=\"{echo}\"")), "{}"),
                says_with(status, ("retry-after", &echo), code("ErrorItemNotFound")),
                says_with(status, ("location", &format!("https://graph.microsoft.com/{echo}")), code("BadRequest")),
            ];
            for answer in answers {
                variants += 1;
                let service = Service::script(vec![answer]);
                let error = match service.pipeline(&clock).send(request()).await {
                    Ok(response) => fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()),
                    Err(error) => error,
                };
                let text = shown(&error).to_lowercase();
                let echo = echo.to_lowercase();
                let run = (0..echo.len() - 11).find(|at| echo.get(*at..at + 12).is_some_and(|run| text.contains(run)));
                assert_eq!(run, None, "{name} {status}: {text}");
                assert!(!text.contains(&guid(&hex)), "{name} {status}: {text}");
            }
        }
    }
    assert!(variants > 300);
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    let clock = clock();
    let other = ("client-request-id", "48d31887-5fad-4d73-a9f5-3c356e68a038");
    for (safety, kind, calls) in [(Safety::Repeatable, ErrorKind::Upstream, 5), (Safety::Once, ErrorKind::OutcomeUnknown, 1)] {
        let service = Service::script(vec![says_with(200, other, "{}")]);
        let mut request = request();
        (request.safety, request.max_wait) = (safety, std::time::Duration::from_secs(100));
        let error = service.pipeline(&clock).send(request).await.err().unwrap();
        assert_eq!((error.kind(), service.calls()), (kind, calls));
    }
    // Each exchange says its own id, and its own comes back.
    let service = Service::new(|asked, n| {
        assert_eq!(asked.headers()["return-client-request-id"], "true");
        let id = asked.headers()["client-request-id"].to_str().unwrap();
        if n == 0 { says_with(503, ("client-request-id", id), "") } else { says_with(200, ("client-request-id", id), "{}") }
    });
    assert!(service.pipeline(&clock).send(request()).await.is_ok());
    let ids: Vec<_> = service.seen.lock().unwrap().iter().map(|r| r.headers()["client-request-id"].clone()).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1]);
}
