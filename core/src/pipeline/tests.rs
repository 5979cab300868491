use super::fake::{Service, breaks, clock, passed_ms, says, says_with};
use super::*;
use crate::error::{Error, ErrorKind};
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method};
use std::sync::Mutex;
use url::Url;

/// Tokens t0, t1 …: a new one for every stale one. Remembers the claims asked for.
#[derive(Default)]
pub struct Numbered {
    next: Mutex<u32>,
    claims: Mutex<Vec<Option<String>>>,
    fails: Option<ErrorKind>,
}

impl TokenSource for Numbered {
    fn token(&self, _account: String, stale: Option<AccessToken>, claims: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        let mut next = self.next.lock().unwrap();
        if stale.is_some() {
            *next += 1;
            self.claims.lock().unwrap().push(claims);
        }
        let answer = match self.fails {
            Some(kind) => Err(Error::new(kind, "no token")),
            None => Ok(AccessToken::new(format!("t{next}"))),
        };
        Box::pin(std::future::ready(answer))
    }
}

pub fn plugged(service: &Arc<Service>, clock: &crate::clock::TestClock, source: Numbered) -> (Arc<Pipeline>, Arc<Numbered>) {
    let pipeline = service.pipeline(clock);
    let source = Arc::new(source);
    let plugged: Arc<dyn TokenSource> = source.clone();
    pipeline.plug_tokens(plugged);
    (pipeline, source)
}

pub fn request(safety: Safety, max_wait: u64) -> Request {
    let mut request = Request::get(Url::parse("https://graph.microsoft.com/v1.0/me").unwrap(), Purpose::Graph);
    if safety == Safety::Once {
        request = request.with_body(Method::POST, "application/json", "{}");
    }
    request.safety = safety;
    request.account_id = Some("acc".into());
    request.max_wait = Duration::from_secs(max_wait);
    request
}

/// Safety, answers, kind at the end or None for success, requests made.
type Row = (Safety, Vec<Answer>, Option<ErrorKind>, usize);

#[tokio::test]
async fn the_retry_table() {
    use Safety::{Once, Repeatable};
    let busy = || says(503, "");
    let ok = || says(200, "{}");
    let refused = |wait: &str| says_with(429, ("retry-after", wait), "");
    let table: Vec<Row> = vec![
        (Repeatable, vec![ok()], None, 1),
        (Repeatable, vec![busy(), busy(), ok()], None, 3),
        (Repeatable, vec![says(500, "")], Some(ErrorKind::Upstream), 5),
        (Repeatable, vec![breaks(Sent::Maybe), ok()], None, 2),
        (Repeatable, vec![breaks(Sent::Maybe)], Some(ErrorKind::Upstream), 5),
        (Repeatable, vec![breaks(Sent::No)], Some(ErrorKind::Network), 5),
        (Repeatable, vec![says(200, ""), ok()], None, 2),
        (Repeatable, vec![says(200, "")], Some(ErrorKind::Upstream), 5),
        (Repeatable, vec![says(408, ""), ok()], None, 2),
        (Repeatable, vec![refused("3"), refused("2.5"), ok()], None, 3),
        (Repeatable, vec![says(404, "")], None, 1),
        (Repeatable, vec![says(501, "")], None, 1),
        (Once, vec![says(202, "")], None, 1),
        (Once, vec![breaks(Sent::No), says(202, "")], None, 2),
        (Once, vec![breaks(Sent::No)], Some(ErrorKind::Network), 5),
        (Once, vec![refused("1"), says(202, "")], None, 2),
        (Once, vec![says(429, ""), says(202, "")], None, 2),
        (Once, vec![says(401, ""), says(202, "")], None, 2),
        (Once, vec![breaks(Sent::Maybe), ok()], Some(ErrorKind::OutcomeUnknown), 1),
        (Once, vec![refused("1"), breaks(Sent::Maybe), ok()], Some(ErrorKind::OutcomeUnknown), 2),
        (Once, vec![says(500, ""), ok()], Some(ErrorKind::OutcomeUnknown), 1),
        (Once, vec![says_with(503, ("retry-after", "1"), ""), ok()], Some(ErrorKind::OutcomeUnknown), 1),
        (Once, vec![says(504, ""), ok()], Some(ErrorKind::OutcomeUnknown), 1),
        (Once, vec![says(408, ""), ok()], Some(ErrorKind::OutcomeUnknown), 1),
    ];
    for (n, (safety, answers, kind, calls)) in table.into_iter().enumerate() {
        let clock = clock();
        let service = Service::script(answers);
        let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
        let ended = pipeline.send(request(safety, 100)).await;
        assert_eq!(ended.as_ref().err().map(Error::kind), kind, "row {n}");
        assert_eq!(service.calls(), calls, "row {n}");
        if let Err(e) = ended {
            assert_eq!(e.account_id(), Some("acc"), "row {n}");
        }
    }
}

#[tokio::test]
async fn an_outage_is_not_made_longer_by_asking_everything_again() {
    let (clock, is_out) = (clock(), Arc::new(std::sync::atomic::AtomicBool::new(true)));
    let service = Service::new({
        let is_out = is_out.clone();
        move |_, _| if is_out.load(std::sync::atomic::Ordering::SeqCst) { says(503, "") } else { says(200, "{}") }
    });
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    for _ in 0..200 {
        assert_eq!(pipeline.send(request(Safety::Repeatable, 1000)).await.err().map(|e| e.kind()), Some(ErrorKind::Upstream));
    }
    assert!((200..=240).contains(&service.calls()), "{}", service.calls());
    // What succeeds brings the retries back.
    is_out.store(false, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..200 {
        pipeline.send(request(Safety::Repeatable, 1000)).await.unwrap();
    }
    is_out.store(true, std::sync::atomic::Ordering::SeqCst);
    let before = service.calls();
    pipeline.send(request(Safety::Repeatable, 1000)).await.err().unwrap();
    assert_eq!(service.calls() - before, 5);
}

#[tokio::test]
async fn a_retry_after_is_waited_for_and_holds_the_whole_mailbox() {
    let clock = clock();
    let service = Service::script(vec![says_with(429, ("retry-after", "7"), ""), says(200, "{}")]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    pipeline.send(request(Safety::Repeatable, 60)).await.unwrap();
    assert_eq!(passed_ms(&clock), 7000);

    // Longer than this call may wait: it says so at once, and nobody else of this mailbox tries either.
    let service = Service::script(vec![says_with(429, ("retry-after", "120"), "")]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    let told = pipeline.send(request(Safety::Repeatable, 10)).await.err().unwrap();
    assert_eq!((told.kind(), told.retry_after_ms()), (ErrorKind::Throttled, Some(120_000)));
    let told = pipeline.send(request(Safety::Once, 10)).await.err().unwrap();
    assert_eq!((told.kind(), service.calls()), (ErrorKind::Throttled, 1));
    let mut other = request(Safety::Repeatable, 0);
    other.account_id = Some("other".into());
    let _ = pipeline.send(other).await;
    assert_eq!(service.calls(), 2);
}

#[tokio::test]
async fn a_concurrency_refusal_is_over_in_a_moment() {
    let clock = clock();
    let service = Service::script(vec![says(429, r#"{"error":{"code":"ApplicationThrottled"}}"#), says(200, "{}")]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    pipeline.send(request(Safety::Repeatable, 10)).await.unwrap();
    assert!((300..=2000).contains(&passed_ms(&clock)), "{}", passed_ms(&clock));
}

#[tokio::test]
async fn credentials_go_to_graph_and_nowhere_else() {
    let clock = clock();
    let service = Service::script(vec![says(200, "{}")]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    for (purpose, url, expected) in [
        (Purpose::Graph, "https://graph.microsoft.com/v1.0/me", Some("Bearer t0")),
        (Purpose::Identity, "https://login.microsoftonline.com/common/oauth2/v2.0/token", None),
        (Purpose::Upload, "https://outlook.office.com/api/upload?authtoken=x", None),
    ] {
        let mut request = Request::get(Url::parse(url).unwrap(), purpose).header(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer smuggled"));
        request.account_id = Some("acc".into());
        request.bearer = (purpose != Purpose::Graph).then(|| AccessToken::new("smuggled"));
        pipeline.send(request).await.unwrap();
        let seen = service.seen.lock().unwrap().pop().unwrap();
        assert_eq!(seen.headers().get("authorization").map(|v| v.to_str().unwrap()), expected, "{url}");
        assert_eq!(seen.headers()["client-request-id"].len(), 36);
    }
    let wrong = Request::get(Url::parse("https://evil.example/v1.0/me").unwrap(), Purpose::Graph);
    assert_eq!(pipeline.send(wrong).await.err().unwrap().kind(), ErrorKind::LinkRejected);
    assert_eq!(service.calls(), 0);
}

#[tokio::test]
async fn a_401_gets_one_fresh_token_and_the_challenge() {
    use base64::Engine as _;
    let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
    let challenge = format!("Bearer error=\"insufficient_claims\", claims=\"{}\"", base64::engine::general_purpose::STANDARD.encode(claims));
    let clock = clock();
    let service = Service::script(vec![says_with(401, ("www-authenticate", &challenge), ""), says(200, "{}")]);
    let (pipeline, source) = plugged(&service, &clock, Numbered::default());
    pipeline.send(request(Safety::Repeatable, 0)).await.unwrap();
    assert_eq!(*source.claims.lock().unwrap(), vec![Some(claims.to_owned())]);
    let used: Vec<String> = service.seen.lock().unwrap().iter().map(|r| r.headers()["authorization"].to_str().unwrap().to_owned()).collect();
    assert_eq!(used, ["Bearer t0", "Bearer t1"]);

    // Refused again: that is the answer.
    let service = Service::script(vec![says(401, "")]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    assert_eq!(pipeline.send(request(Safety::Repeatable, 0)).await.unwrap().status.as_u16(), 401);
    assert_eq!(service.calls(), 2);

    // Not a matter of the token.
    let import = r#"{"error":{"code":"Unauthorized","message":"Message POST is allowed in application-only context only for import purposes. Refer to x"}}"#;
    let service = Service::script(vec![says(401, import)]);
    let (pipeline, source) = plugged(&service, &clock, Numbered::default());
    assert_eq!(pipeline.send(request(Safety::Once, 0)).await.unwrap().status.as_u16(), 401);
    assert_eq!((service.calls(), source.claims.lock().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_error_says_so() {
    let clock = clock();
    for (fails, told) in [(ErrorKind::Upstream, ErrorKind::Network), (ErrorKind::OutcomeUnknown, ErrorKind::Network), (ErrorKind::NeedsReconnect, ErrorKind::NeedsReconnect)] {
        let service = Service::script(vec![says(200, "{}")]);
        let (pipeline, _source) = plugged(&service, &clock, Numbered { fails: Some(fails), ..Default::default() });
        let error = pipeline.send(request(Safety::Once, 0)).await.err().unwrap();
        assert_eq!((error.kind(), service.calls(), error.account_id()), (told, 0, Some("acc")));
    }
}

#[tokio::test]
async fn large_answers_are_refused() {
    let clock = clock();
    let service = Service::script(vec![says(200, vec![b' '; 2000])]);
    let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
    let mut page = request(Safety::Repeatable, 100);
    page.max_body = 1000;
    assert_eq!(pipeline.send(page).await.err().unwrap().kind(), ErrorKind::LimitExceeded);
    assert_eq!(service.calls(), 1);
}

#[tokio::test]
async fn request_ids_are_kept_when_they_look_like_ids() {
    let clock = clock();
    for (given, kept) in [("48d31887-5fad-4d73-a9f5-3c356e68a038", Some("48d31887-5fad-4d73-a9f5-3c356e68a038")), ("0c0c-1", None), ("<script>", None)] {
        let service = Service::script(vec![says_with(404, ("request-id", given), "")]);
        let (pipeline, _source) = plugged(&service, &clock, Numbered::default());
        assert_eq!(pipeline.send(request(Safety::Repeatable, 0)).await.unwrap().request_id().as_ref().map(crate::foreign::RequestId::as_str), kept);
    }
}

/// A service on a loopback port, spoken to with the real client.
pub mod real {
    use super::super::*;
    use crate::config::{Cloud, Config};
    use crate::secret::Secret;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    pub async fn serve(answers: Vec<&'static str>) -> (Config, tokio::task::JoinHandle<Vec<String>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 8192];
                let n = stream.read(&mut head).await.unwrap();
                asked.push(String::from_utf8_lossy(&head[..n]).into_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
            asked
        });
        let mut config = Config::new("unused", "client");
        config.cloud = Cloud::custom(&origin, &origin);
        config.proxy = Some(Arc::new(Secret::new("http://127.0.0.1:1".into())));
        (config, task)
    }

    pub fn get(config: &Config, path: &str) -> http::Request<bytes::Bytes> {
        let mut request = http::Request::new(bytes::Bytes::new());
        *request.uri_mut() = format!("{}{path}", crate::config::Endpoints::of(&config.cloud).unwrap().login).parse().unwrap();
        request
    }

    #[tokio::test]
    async fn no_redirects_no_proxy_and_no_large_bodies() {
        let (config, served) = serve(vec![
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nlonger than ten bytes",
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\ncut",
        ])
        .await;
        let network = ReqwestTransport::new(&config).unwrap();
        assert_eq!(network.call(get(&config, "a"), 100).await.unwrap().status().as_u16(), 302);
        let large = network.call(get(&config, "b"), 10).await.unwrap_err();
        assert_eq!((large.sent, large.trouble), (Sent::Maybe, Trouble::TooLarge));
        let cut = network.call(get(&config, "c"), 100).await.unwrap_err();
        assert_eq!((cut.sent, cut.trouble), (Sent::Maybe, Trouble::Broken));
        served.await.unwrap();
        let refused = network.call(get(&config, "d"), 100).await.unwrap_err();
        assert_eq!((refused.sent, refused.trouble), (Sent::No, Trouble::Connect));
    }

    #[tokio::test]
    async fn an_empty_post_says_its_length() {
        let (config, served) = serve(vec!["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]).await;
        let mut post = get(&config, "send");
        *post.method_mut() = http::Method::POST;
        post.headers_mut().insert("content-length", "0".parse().unwrap());
        ReqwestTransport::new(&config).unwrap().call(post, 100).await.unwrap();
        let asked = served.await.unwrap().pop().unwrap().to_ascii_lowercase();
        assert_eq!(asked.matches("content-length: 0").count(), 1, "{asked}");
    }

    /// Counts connections, keeps them, and sends two answers to a request whose path ends in `two`.
    async fn keeping() -> (Config, Arc<std::sync::Mutex<u32>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(std::sync::Mutex::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let number = {
                    let mut count = counted.lock().unwrap();
                    *count += 1;
                    *count
                };
                tokio::spawn(async move {
                    let mut head = vec![0; 8192];
                    while let Ok(n @ 1..) = stream.read(&mut head).await {
                        let body = number.to_string();
                        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                        let times = if String::from_utf8_lossy(&head[..n]).contains("two HTTP") { 2 } else { 1 };
                        let _ = stream.write_all(answer.repeat(times).as_bytes()).await;
                    }
                });
            }
        });
        let mut config = Config::new("unused", "client");
        config.cloud = Cloud::custom(&origin, &origin);
        (config, connections)
    }

    async fn ask(network: &ReqwestTransport, config: &Config, line: Option<&str>, path: &str) -> String {
        let mut request = get(config, path);
        if let Some(line) = line {
            request.extensions_mut().insert(transport::Line(line.to_owned()));
        }
        String::from_utf8(network.call(request, 100).await.unwrap().into_body().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn connections_belong_to_one_account() {
        let (config, connections) = keeping().await;
        let network = ReqwestTransport::new(&config).unwrap();
        let first = ask(&network, &config, Some("a"), "x").await;
        let other = ask(&network, &config, Some("b"), "x").await;
        assert_ne!(first, other);
        // Without an account none is kept.
        assert_ne!(ask(&network, &config, None, "x").await, ask(&network, &config, None, "x").await);
        // One that was given up is not used again.
        network.give_up(&transport::Line("a".to_owned()));
        assert_ne!(ask(&network, &config, Some("a"), "x").await, first);
        // At the first byte nobody asked for it is closed.
        let spoilt = ask(&network, &config, Some("c"), "two").await;
        assert_ne!(ask(&network, &config, Some("c"), "x").await, spoilt);
        assert!(*connections.lock().unwrap() >= 7);
    }

    #[tokio::test]
    async fn ten_thousand_accounts_keep_a_bounded_number_of_connections() {
        let (config, _connections) = keeping().await;
        let network = ReqwestTransport::new(&config).unwrap();
        for n in 0..10_000 {
            network.client(Some(&transport::Line(n.to_string()))).unwrap();
        }
        assert!(network.kept_lines() <= 32);
    }
}
