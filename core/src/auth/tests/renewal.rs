//! Keeping tokens: one renewal for all, durable before used, and what refusals change.

use super::*;

#[tokio::test]
async fn twenty_callers_make_one_refresh() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    let all = futures_util::future::join_all((0..20).map(|_| fixture.token(&account, None))).await;
    assert!(all.iter().all(|t| t.as_ref().is_ok_and(|t| t == "at2")), "{all:?}");
    assert_eq!(fixture.entra.asked(), 2);
    let form = fixture.entra.forms.lock().unwrap()[1].clone();
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "rt1"));
    // The next one uses the new refresh token.
    assert_eq!(fixture.token(&account, Some("at2")).await.unwrap(), "at3");
    assert_eq!(fixture.entra.forms.lock().unwrap()[2]["refresh_token"], "rt2");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all_who_were_refused() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let all = futures_util::future::join_all((0..5).map(|_| fixture.token(&account, Some("at1")))).await;
    assert!(all.iter().all(|t| t.as_ref().is_ok_and(|t| t == "at2")));
    // Who comes late with the old one gets the new one.
    assert_eq!(fixture.token(&account, Some("at1")).await.unwrap(), "at2");
    assert_eq!(fixture.entra.asked(), 2);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_split_a_renewal() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    {
        use futures_util::FutureExt;
        let mut leaving = Box::pin(fixture.token(&account, None));
        assert!((&mut leaving).now_or_never().is_none());
    }
    for _ in 0..500 {
        let _ = crate::runtime::blocking(|| { std::thread::park_timeout(Duration::from_millis(5)); Ok(()) }).await;
        if fixture.store.token(&account.id).await.unwrap().unwrap().version == 2 {
            break;
        }
    }
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at2");
    assert_eq!(fixture.entra.asked(), 2);
}

#[tokio::test]
async fn two_processes_share_one_renewal() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    let (other, _store, _pipeline) = open(&fixture.folder, &fixture.service, &fixture.clock, &fixture.event_bus);
    let theirs = other.token(account.id.clone(), None, None);
    let (ours, theirs) = tokio::join!(fixture.token(&account, None), theirs);
    assert_eq!((ours.unwrap().as_str(), theirs.unwrap().expose(str::to_owned).as_str()), ("at2", "at2"));
    assert_eq!(fixture.entra.asked(), 2);
}

#[tokio::test]
async fn an_early_renewal_that_fails_is_no_matter_while_the_token_lives() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_400_000);
    fixture.entra.refuses(400, "temporarily_unavailable", 90033);
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at1");
    assert_eq!(fixture.entra.asked(), 2);
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at1", "not asked again at once");
    assert_eq!(fixture.entra.asked(), 2);
    fixture.clock.advance(61_000);
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at2");
}

#[tokio::test]
async fn an_outage_keeps_everything() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    for (answer, kind) in [
        (breaks(Sent::No), ErrorKind::Network),
        (says(503, ""), ErrorKind::Upstream),
        (says(200, "{}"), ErrorKind::Upstream),
        (crate::pipeline::fake::says_with(429, ("retry-after", "300"), ""), ErrorKind::Throttled),
        (says(400, json!({ "error": "temporarily_unavailable" }).to_string()), ErrorKind::Upstream),
    ] {
        *fixture.entra.queued.lock().unwrap() = (0..6).map(|_| answer.as_ref().map(|a| { let mut b = http::Response::new(a.body().clone()); *b.status_mut() = a.status(); *b.headers_mut() = a.headers().clone(); b }).map_err(Clone::clone)).collect();
        assert_eq!(fixture.token(&account, None).await.unwrap_err().kind(), kind);
        assert_eq!(fixture.state(&account).await.0, AccountState::Connected);
        fixture.clock.advance(301_000);
    }
    fixture.entra.queued.lock().unwrap().clear();
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at2");
    assert_eq!(fixture.entra.forms.lock().unwrap().last().unwrap()["refresh_token"], "rt1");
}

#[tokio::test]
async fn a_final_refusal_changes_the_state_and_keeps_the_reason() {
    for (status, error, number, state, word) in [
        (400, "invalid_grant", 50173, AccountState::NeedsReconnect, "password"),
        (400, "invalid_grant", 700082, AccountState::NeedsReconnect, "90 days"),
        (400, "invalid_grant", 65001, AccountState::NeedsReconnect, "consent"),
        (401, "invalid_client", 7000222, AccountState::Misconfigured, "expired"),
    ] {
        let fixture = fixture();
        let account = fixture.connect().await;
        let events = fixture.event_bus.listen();
        fixture.clock.advance(3_600_000);
        fixture.entra.refuses(status, error, number);
        let told = fixture.token(&account, None).await.unwrap_err();
        assert!(told.reason().contains(word) && !told.reason().contains("foreign"), "{}", told.reason());
        let (now, problem) = fixture.state(&account).await;
        assert_eq!(now, state, "{number}");
        assert!(problem.contains(word), "{problem}");
        assert_eq!(events.next().await.unwrap(), Some(Event::AccountChanged { account_id: account.id.clone(), state }));
        // The refresh token is still there.
        assert_eq!(fixture.store.token(&account.id).await.unwrap().unwrap().version, 1);
        let asked = fixture.entra.asked();
        if state == AccountState::Misconfigured {
            fixture.entra.refuses(status, error, number);
            assert_eq!(fixture.auth.try_again(&account.id).await.unwrap_err().kind(), ErrorKind::Forbidden);
            assert_eq!(fixture.state(&account).await.0, state);
            // Mended by whoever registered the application: the next call finds out.
            fixture.auth.try_again(&account.id).await.unwrap();
        }
        let next = fixture.token(&account, None).await;
        if state == AccountState::Misconfigured {
            assert_eq!(next.unwrap(), "at2");
            assert_eq!(fixture.state(&account).await.0, AccountState::Connected);
        } else {
            assert_eq!((next.unwrap_err().kind(), fixture.entra.asked()), (ErrorKind::NeedsReconnect, asked));
            // A new sign-in mends it.
            assert_eq!(fixture.connect().await.state, AccountState::Connected);
            assert!(fixture.token(&account, None).await.is_ok());
        }
    }
}

#[tokio::test]
async fn a_refusal_of_a_token_that_was_replaced_says_nothing() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    // While Entra refuses, another process stores a newer token.
    let row = fixture.store.token(&account.id).await.unwrap().unwrap();
    let (store, auth, id) = (fixture.store.clone(), fixture.auth.clone(), account.id.clone());
    let now = fixture.clock.now_ms() as i64;
    let entra = fixture.entra.clone();
    let service = Service::new(move |request, _| {
        let stored = token::StoredToken { refresh_token: "rt9".into(), access_token: "at9".into(), subject: None, unproven: None };
        let sealed = block_on(async { auth.vault.secrets(&id).await.unwrap().ready().await }).seal(token_place(&id, row.version + 1), &stored.to_json().unwrap()).unwrap();
        let newer = crate::store::TokenRow { account_id: id.clone(), version: row.version + 1, sealed, expires_at: now + 3_600_000, refreshed_at: now };
        assert!(block_on(store.save_token(&newer, 1, None)).unwrap());
        entra.refuses(400, "invalid_grant", 70000);
        entra.answer(request, now / 1000)
    });
    let (other, _store, _pipeline) = open(&fixture.folder, &service, &fixture.clock, &fixture.event_bus);
    let token = other.token(account.id.clone(), None, None).await.unwrap();
    assert_eq!(token.expose(str::to_owned), "at9");
    assert_eq!(fixture.state(&account).await.0, AccountState::Connected);
}

#[tokio::test]
async fn a_disconnected_account_has_no_token_and_a_late_result_is_dropped() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    let (store, id) = (fixture.store.clone(), account.id.clone());
    let now = fixture.clock.now_ms() as i64;
    let entra = fixture.entra.clone();
    // Disconnected while the request is under way.
    let service = Service::new(move |request, _| {
        block_on(store.disconnect_account(&id, "test", now)).unwrap();
        entra.answer(request, now / 1000)
    });
    let (other, _store, _pipeline) = open(&fixture.folder, &service, &fixture.clock, &fixture.event_bus);
    assert_eq!(other.token(account.id.clone(), None, None).await.err().unwrap().kind(), ErrorKind::NotConnected);
    assert!(fixture.store.token(&account.id).await.unwrap().is_none());
    fixture.auth.forget(&account.id);
    assert_eq!(fixture.token(&account, None).await.unwrap_err().kind(), ErrorKind::NotConnected);
    let shown = fixture.auth.account(&account.id).await.unwrap();
    assert_eq!((shown.state, shown.address.as_str()), (AccountState::Disconnected, "ann@contoso.example"));
}

#[tokio::test]
async fn graph_requests_get_their_token_from_here() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let mut request = Request::get(url::Url::parse("https://graph.microsoft.com/v1.0/me").unwrap(), Purpose::Graph);
    request.account_id = Some(account.id.clone());
    request.priority = Priority::Interactive;
    assert_eq!(fixture.pipeline.send(request).await.unwrap().status.as_u16(), 200);
    assert_eq!(fixture.service.seen.lock().unwrap().last().unwrap().headers()["authorization"], "Bearer at1");
}

#[tokio::test]
async fn claims_are_handed_to_entra() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.auth.token(account.id.clone(), Some(AccessToken::new("at1")), Some(r#"{"access_token":{}}"#.into())).await.unwrap();
    assert_eq!(fixture.entra.forms.lock().unwrap().last().unwrap()["claims"], r#"{"access_token":{}}"#);
}

#[tokio::test]
async fn a_token_that_could_not_be_stored_is_not_used() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    let broken: Arc<Mutex<Option<Arc<dyn Store>>>> = Arc::default();
    let (breaking, entra, now) = (broken.clone(), fixture.entra.clone(), fixture.clock.now_ms() as i64);
    let service = Service::new(move |request, _| {
        if let Some(store) = breaking.lock().unwrap().as_ref() {
            store.close();
        }
        entra.answer(request, now / 1000)
    });
    let (other, store, _pipeline) = open(&fixture.folder, &service, &fixture.clock, &fixture.event_bus);
    *broken.lock().unwrap() = Some(store);
    assert!(other.token(account.id.clone(), None, None).await.is_err());
    // The old refresh token is what counts, for everybody.
    assert_eq!(fixture.store.token(&account.id).await.unwrap().unwrap().version, 1);
    fixture.clock.advance(121_000);
    fixture.token(&account, None).await.unwrap();
    assert_eq!(fixture.entra.forms.lock().unwrap().last().unwrap()["refresh_token"], "rt1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_between_two_looks_is_no_damage() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let (other, _store, _pipeline) = open(&fixture.folder, &fixture.service, &fixture.clock, &fixture.event_bus);
    let (over, id) = (Arc::new(std::sync::atomic::AtomicBool::new(false)), account.id.clone());
    let ended = over.clone();
    let reading = tokio::spawn(async move {
        let mut damaged = 0;
        while !ended.load(std::sync::atomic::Ordering::SeqCst) {
            other.forget(&id);
            damaged += u32::from(other.token(id.clone(), None, None).await.is_err_and(|e| e.kind() == ErrorKind::Corrupt));
        }
        damaged
    });
    for _ in 0..60 {
        fixture.connect().await;
    }
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(reading.await.unwrap(), 0);
}

#[tokio::test]
async fn a_mended_registration_is_found_out_while_the_stored_token_still_lives() {
    let fixture = fixture();
    let account = fixture.connect().await;
    // Graph refused the token long before its end, and the client secret had expired.
    fixture.entra.refuses(401, "invalid_client", 7000222);
    fixture.token(&account, Some("at1")).await.unwrap_err();
    assert_eq!(fixture.state(&account).await.0, AccountState::Misconfigured);
    fixture.auth.try_again(&account.id).await.unwrap();
    assert_eq!(fixture.state(&account).await.0, AccountState::Connected);
}
