//! From `begin` to a stored account.

use super::*;

#[tokio::test]
async fn a_sign_in_ends_in_a_stored_account() {
    let fixture = fixture();
    let events = fixture.event_bus.listen();
    let sign_in = fixture.auth.begin(wish()).await.unwrap();
    assert_eq!(fixture.service.calls(), 0, "beginning asks nobody");
    let asked = fixture.visit(&sign_in.url);
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!((asked["response_type"].as_str(), asked["response_mode"].as_str(), asked["prompt"].as_str()), ("code", "query", "select_account"));
    assert!(sign_in.url.starts_with("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?"));
    assert_eq!(asked["redirect_uri"], "https://app.example/cb");
    assert!(asked["state"].len() == 43 && asked["nonce"].len() == 43 && sign_in.binding.len() == 43);
    assert!(!sign_in.url.contains(&sign_in.binding));

    let account = fixture.auth.finish(&format!("?code=c1&state={}", asked["state"]), &sign_in.binding).await.unwrap();
    assert_eq!((account.tenant_id.as_str(), account.user_id.as_str(), account.state), (TENANT, PERSON, AccountState::Connected));
    assert_eq!((account.address.as_str(), account.display_name.as_str()), ("ann@contoso.example", "Ann"));
    assert_eq!(account.scopes, ["Mail.ReadWrite", "User.Read", "profile", "openid"]);
    assert_eq!(account.missing, [Feature::MailSend], "Mail.Send was not granted");
    assert!(account.id.starts_with("acc_"));
    let form = fixture.entra.forms.lock().unwrap()[0].clone();
    assert_eq!((form["code"].as_str(), form["client_id"].as_str(), form["redirect_uri"].as_str()), ("c1", CLIENT, "https://app.example/cb"));
    assert!(form["code_verifier"].len() >= 43 && !form.contains_key("client_secret"));
    assert_eq!(events.next().await.unwrap(), Some(Event::AccountConnected { account_id: account.id.clone() }));
    // Its token is at hand without asking again.
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at1");
    assert_eq!(fixture.entra.asked(), 1);

    // A second connect of the same person takes the account over.
    let again = fixture.connect().await;
    assert_eq!(again.id, account.id);
    assert_eq!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.len(), 1);
    assert_eq!(fixture.token(&again, None).await.unwrap(), "at2");
}

#[tokio::test]
async fn a_callback_counts_once_and_for_one_browser() {
    let fixture = fixture();
    let begin = async || {
        let sign_in = fixture.auth.begin(wish()).await.unwrap();
        let state = fixture.visit(&sign_in.url)["state"].clone();
        (sign_in, state)
    };
    let kind = |result: Result<Account>| result.unwrap_err().kind();

    let (sign_in, state) = begin().await;
    fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await.unwrap();
    assert_eq!(kind(fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await), ErrorKind::Conflict);

    assert_eq!(kind(fixture.auth.finish("code=c&state=unknown", "b").await), ErrorKind::InvalidInput);

    let (sign_in, state) = begin().await;
    assert_eq!(kind(fixture.auth.finish(&format!("code=c&state={state}"), "wrong").await), ErrorKind::TokenRejected);
    fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await.expect("a stranger spoils nothing");

    let (sign_in, state) = begin().await;
    fixture.auth.finish(&format!("http://10.0.0.7:8080/cb?code=c&state={state}"), &sign_in.binding).await.expect("the parameters count, not the address a proxy hands over");

    let (sign_in, state) = begin().await;
    fixture.clock.advance(301_000);
    assert_eq!(kind(fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await), ErrorKind::Cancelled);

    let (sign_in, state) = begin().await;
    assert_eq!(kind(fixture.auth.finish(&format!("error=access_denied&error_description=AADSTS65004&state={state}"), &sign_in.binding).await), ErrorKind::Cancelled);

    // Two at a time: one wins.
    let (sign_in, state) = begin().await;
    let callback = format!("code=c&state={state}");
    let (a, b) = tokio::join!(fixture.auth.finish(&callback, &sign_in.binding), fixture.auth.finish(&callback, &sign_in.binding));
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
}

#[tokio::test]
async fn what_entra_answers_is_checked_before_anything_is_stored() {
    let fixture = fixture();
    let finish = async |answer: Answer| {
        let sign_in = fixture.auth.begin(wish()).await.unwrap();
        let state = fixture.visit(&sign_in.url)["state"].clone();
        fixture.entra.queued.lock().unwrap().push(answer);
        let before = fixture.entra.asked();
        let error = fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await.unwrap_err();
        (error.kind(), fixture.entra.asked() - before, error.reason().to_owned())
    };
    let good = |nonce: &str| json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "a", "refresh_token": "r", "id_token": Issuer::get().id_token(nonce, fixture.clock.now_ms() as i64 / 1000) });
    let without = |name: &str| {
        let mut body = good("n");
        body.as_object_mut().unwrap().remove(name);
        says(200, body.to_string())
    };
    assert_eq!(finish(says(200, good("another").to_string())).await.0, ErrorKind::TokenRejected);
    assert_eq!(finish(without("id_token")).await.0, ErrorKind::TokenRejected);
    assert_eq!(finish(without("access_token")).await.0, ErrorKind::Upstream);
    assert_eq!(finish(says(200, "<html>")).await.0, ErrorKind::Upstream);
    // A code is good for one use: its exchange is not repeated in doubt.
    let (kind, asked, reason) = finish(breaks(Sent::Maybe)).await;
    assert_eq!((kind, asked), (ErrorKind::Upstream, 1));
    assert!(reason.contains("start the sign-in again"), "{reason}");
    let refusal = |error: &str, n: u32| says(400, json!({ "error": error, "error_description": format!("AADSTS{n}: <foreign>") }).to_string());
    let (kind, _, reason) = finish(refusal("invalid_grant", 54005)).await;
    assert_eq!(kind, ErrorKind::TokenRejected);
    assert!(reason.contains("AADSTS54005") && !reason.contains("foreign"));
    assert_eq!(finish(refusal("invalid_client", 7000215)).await.0, ErrorKind::Forbidden);
    assert_eq!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn a_sign_in_comes_back_to_this_machine() {
    let fixture = fixture();
    let (sign_in, mut receiver) = fixture.auth.begin_here(ConnectRequest { redirect_uri: String::new(), ..wish() }).await.unwrap();
    let asked = fixture.visit(&sign_in.url);
    let port = url::Url::parse(&asked["redirect_uri"]).unwrap().port().unwrap();
    let waiting = tokio::spawn(async move { receiver.callback().await });
    crate::pipeline::fake::browse(port, &format!("/?code=c&state={}", asked["state"])).await;
    let callback = waiting.await.unwrap().unwrap();
    let account = fixture.auth.finish(&callback, &sign_in.binding).await.unwrap();
    assert_eq!(account.state, AccountState::Connected);
}

#[tokio::test]
async fn no_code_is_spent_while_the_keys_are_not_to_be_had() {
    let fixture = fixture();
    let sign_in = fixture.auth.begin(wish()).await.unwrap();
    let callback = format!("code=c&state={}", fixture.visit(&sign_in.url)["state"]);
    *fixture.entra.keys_are_down.lock().unwrap() = true;
    let error = fixture.auth.finish(&callback, &sign_in.binding).await.unwrap_err();
    assert!(error.kind().is_retryable(), "{error:?}");
    assert_eq!(fixture.entra.asked(), 0);
    *fixture.entra.keys_are_down.lock().unwrap() = false;
    fixture.auth.finish(&callback, &sign_in.binding).await.expect("the same callback again");
}

#[tokio::test]
async fn a_code_that_never_left_can_be_brought_again() {
    let fixture = fixture();
    let outage = || says(400, json!({ "error": "temporarily_unavailable", "error_description": "AADSTS90033: <foreign>" }).to_string());
    for failure in [(0..9).map(|_| breaks(Sent::No)).collect(), vec![crate::pipeline::fake::says_with(429, ("retry-after", "60"), "")], vec![outage()]] {
        let sign_in = fixture.auth.begin(wish()).await.unwrap();
        let callback = format!("code=c&state={}", fixture.visit(&sign_in.url)["state"]);
        *fixture.entra.queued.lock().unwrap() = failure;
        let error = fixture.auth.finish(&callback, &sign_in.binding).await.unwrap_err();
        assert!(error.kind().is_retryable(), "{error:?}");
        fixture.entra.queued.lock().unwrap().clear();
        fixture.clock.advance(61_000);
        fixture.auth.finish(&callback, &sign_in.binding).await.unwrap();
        assert_eq!(fixture.auth.finish(&callback, &sign_in.binding).await.unwrap_err().kind(), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn every_refusal_has_a_reason_of_its_own() {
    let fixture = fixture();
    let begin = async || {
        let sign_in = fixture.auth.begin(wish()).await.unwrap();
        let state = fixture.visit(&sign_in.url)["state"].clone();
        (sign_in, state)
    };
    let mut reasons = std::collections::BTreeMap::new();
    let mut note = |what: &'static str, result: Result<Account>| {
        let error = result.unwrap_err();
        assert!(!error.reason().contains("evil") && !error.reason().contains("contoso"), "{what}");
        assert!(reasons.insert(error.reason().to_owned(), what).is_none(), "{what}: {}", error.reason());
    };
    // Replay, fixation, another issuer.
    let (sign_in, state) = begin().await;
    note("binding", fixture.auth.finish(&format!("code=c&state={state}"), "of another browser").await);
    fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await.unwrap();
    note("replay", fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await);
    note("unknown", fixture.auth.finish("code=c&state=x", &sign_in.binding).await);
    let (sign_in, state) = begin().await;
    note("mix-up", fixture.auth.finish(&format!("code=c&iss=https%3a%2f%2fevil.example&state={state}"), &sign_in.binding).await);
    // The code of one sign-in with the state of another: Entra notices by the verifier, and if it did not, the nonce would tell.
    let (sign_in, state) = begin().await;
    fixture.entra.refuses(400, "invalid_grant", 501481);
    note("swapped", fixture.auth.finish(&format!("code=other&state={state}"), &sign_in.binding).await);
    let foreign = "22222222-2222-3333-4444-555555555555";
    for (what, changed) in [
        ("nonce", vec![("nonce", json!("other"))]),
        ("audience", vec![("aud", json!("other"))]),
        ("issuer", vec![("iss", json!("https://evil.example/v2.0"))]),
        ("tenant", vec![("tid", json!(foreign))]),
        ("expired", vec![("exp", json!(1))]),
    ] {
        let (sign_in, state) = begin().await;
        fixture.entra.claims.lock().unwrap().extend(changed.into_iter().map(|(n, v)| (n.to_owned(), v)));
        note(what, fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await);
        fixture.entra.claims.lock().unwrap().clear();
    }
    let sign_in = fixture.auth.begin(ConnectRequest { tenant: Some(foreign.into()), ..wish() }).await.unwrap();
    note("another organisation", fixture.sign_in(&sign_in).await);
    let (sign_in, state) = begin().await;
    fixture.clock.advance(301_000);
    note("late", fixture.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await);
    assert_eq!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.len(), 1);
}
