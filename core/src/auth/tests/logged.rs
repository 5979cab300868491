//! What a log may tell of a sign-in and its renewals.

use super::*;
use crate::logs::logs;
use crate::model::{LogLevel, LogRecord};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_or_personal_reaches_a_log() {
    let stream = logs(LogLevel::Trace).unwrap();
    let kept = Arc::new(Mutex::new(Vec::<LogRecord>::new()));
    // Read all the time: other tests log as well.
    let keeping = kept.clone();
    let reader = tokio::spawn(async move {
        while let Ok(Some(record)) = stream.next().await {
            keeping.lock().unwrap().push(record);
        }
    });
    let fixture = fixture();
    let sign_in = fixture.auth.begin(ConnectRequest { login_hint: Some("hint-canary@contoso.example".into()), ..wish() }).await.unwrap();
    let asked = fixture.visit(&sign_in.url);
    let callback = format!("https://app.example/cb?code=code-canary-123&state={}&session_state=session-canary", asked["state"]);
    let account = fixture.auth.finish(&callback, &sign_in.binding).await.unwrap();
    // A renewal, one that Microsoft refuses, and a callback that does not fit.
    fixture.clock.advance(3_600_000);
    let source: &dyn TokenSource = &*fixture.auth;
    source.token(account.id.clone(), None, None).await.unwrap();
    fixture.clock.advance(3_600_000);
    fixture.entra.refuses(400, "invalid_grant", 50173);
    source.token(account.id.clone(), None, Some(r#"{"access_token":{"claims-canary":1}}"#.into())).await.map(drop).unwrap_err();
    fixture.auth.finish(&callback, "binding-canary").await.unwrap_err();

    tracing::info!(target: "tidings::test", account = account.id, "the end");
    while !kept.lock().unwrap().iter().any(|r| r.message == "the end") {
        tokio::task::yield_now().await;
    }
    reader.abort();
    let records = kept.lock().unwrap().clone();
    let about = |record: &&LogRecord| record.fields.iter().any(|f| f.name == "account" && f.value == account.id);
    let ours: Vec<&str> = records.iter().filter(about).map(|r| r.message.as_str()).collect();
    assert!(ours.contains(&"token renewed") && ours.contains(&"token refused") && ours.contains(&"the account changed its state"), "{ours:?}");
    assert!(records.iter().any(|r| r.target == "tidings::http" && r.message == "answered"));

    let told: Vec<String> = records.iter().flat_map(|r| r.fields.iter().map(|f| f.value.clone()).chain([r.message.clone(), r.target.clone()])).collect();
    let mut secrets: Vec<&str> = vec!["canary", "contoso.example", "Ann", "foreign text", "Bearer", "eyJ", "app.example", &sign_in.binding, &sign_in.url];
    secrets.extend(["state", "nonce", "code_challenge"].map(|name| asked[name].as_str()));
    let forms = fixture.entra.forms.lock().unwrap();
    secrets.extend(forms.iter().filter_map(|form| form.get("code_verifier").map(String::as_str)));
    for text in &told {
        for secret in &secrets {
            assert!(!text.contains(secret), "{secret} stands in {text}");
        }
        // The fake's tokens are short: at1, rt1 …
        let is_token = |word: &str| word.strip_prefix("at").or(word.strip_prefix("rt")).is_some_and(|n| n.parse::<u32>().is_ok());
        assert!(!text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_token), "a token stands in {text}");
        assert!(!text.chars().any(char::is_control));
    }
}
