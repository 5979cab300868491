//! The same person again, more features, personal accounts, access that does not last, people who are only known.

use super::*;

const OTHER: &str = "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee";

#[tokio::test]
async fn a_reconnect_keeps_the_account_and_takes_nobody_else() {
    let fixture = fixture();
    let sign_in = fixture.auth.begin(ConnectRequest { context: Some("room 7".into()), extra_scopes: vec!["Tasks.Read".into()], ..wish() }).await.unwrap();
    let account = fixture.sign_in(&sign_in).await.unwrap();
    fixture.auth.keep_claims(&account.id, 1, r#"{"access_token":{"capolids":{}}}"#).await.unwrap();
    let again = fixture.auth.begin_again(&account.id, CALLBACK.into()).await.unwrap();
    let asked = fixture.visit(&again.url);
    assert_eq!((asked["login_hint"].as_str(), asked["claims"].as_str()), ("ann@contoso.example", r#"{"access_token":{"capolids":{}}}"#));
    assert!(!asked.contains_key("prompt") && asked["scope"].contains("Tasks.Read") && asked["scope"].contains("Mail.Send"));

    // Somebody else.
    fixture.entra.says("oid", OTHER);
    fixture.entra.says("name", "Ben");
    let error = fixture.sign_in(&again).await.unwrap_err();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::Conflict, Some(account.id.as_str())));
    assert!(error.reason().contains("“Ben”") && error.reason().contains("“Ann”") && !error.reason().contains('@'), "{}", error.reason());
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at1", "nothing was changed");
    fixture.entra.claims.lock().unwrap().clear();

    let again = fixture.auth.begin_again(&account.id, CALLBACK.into()).await.unwrap();
    let same = fixture.sign_in(&again).await.unwrap();
    assert_eq!((same.id.as_str(), same.context.as_deref()), (account.id.as_str(), Some("room 7")));
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at3");
    // What was asked for is done with.
    let next = fixture.auth.begin_again(&account.id, CALLBACK.into()).await.unwrap();
    assert!(!fixture.visit(&next.url).contains_key("claims"));
}

#[tokio::test]
async fn declining_a_reconnect_or_more_features_changes_nothing() {
    let fixture = fixture();
    let account = fixture.connect().await;
    for sign_in in [fixture.auth.begin_again(&account.id, CALLBACK.into()).await.unwrap(), fixture.auth.begin_more(&account.id, vec![Feature::Calendar], CALLBACK.into()).await.unwrap()] {
        for words in ["error=access_denied&error_description=AADSTS65004", "error=server_error", NEEDS_ADMIN] {
            let error = fixture.come_back(&sign_in.url, &sign_in.binding, words).await.unwrap_err();
            assert!(words != NEEDS_ADMIN || error.account_id() == Some(account.id.as_str()) || error.kind() == ErrorKind::Conflict);
        }
    }
    let now = fixture.auth.account(&account.id).await.unwrap();
    assert_eq!(now, account);
}

#[tokio::test]
async fn features_grow_and_what_was_not_granted_is_named() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let more = fixture.auth.begin_more(&account.id, vec![Feature::Calendar], CALLBACK.into()).await.unwrap();
    *fixture.entra.scopes.lock().unwrap() = Some("Mail.ReadWrite Mail.Send Calendars.Read".into());
    let grown = fixture.sign_in(&more).await.unwrap();
    assert_eq!((grown.id.as_str(), grown.features.as_slice()), (account.id.as_str(), [Feature::MailSend, Feature::MailSync, Feature::Calendar].as_slice()));
    assert!(grown.missing.is_empty() && grown.warnings.is_empty());

    // Only an administrator can grant it: it stays asked for, and the account works on.
    let more = fixture.auth.begin_more(&account.id, vec![Feature::Channels], CALLBACK.into()).await.unwrap();
    let error = fixture.come_back(&more.url, &more.binding, NEEDS_ADMIN).await.unwrap_err();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::ConsentMissing, Some(account.id.as_str())));
    let shown = fixture.auth.account(&account.id).await.unwrap();
    assert_eq!((shown.state, shown.missing.as_slice()), (AccountState::Connected, [Feature::Channels].as_slice()));
    assert!(shown.warnings[0].contains("channels") && shown.warnings[0].contains("ChannelMessage.Send"), "{:?}", shown.warnings);
    assert!(fixture.token(&account, None).await.is_ok());
}

#[tokio::test]
async fn connecting_again_for_something_else_takes_nothing_away() {
    let fixture = fixture();
    let sign_in = fixture.auth.begin(ConnectRequest { extra_scopes: vec!["Tasks.Read".into()], ..wish() }).await.unwrap();
    let account = fixture.sign_in(&sign_in).await.unwrap();
    let contacts = || ConnectRequest { features: vec![Feature::Contacts], ..wish() };
    let sign_in = fixture.auth.begin(contacts()).await.unwrap();
    let again = fixture.sign_in(&sign_in).await.unwrap();
    assert_eq!((again.id.as_str(), again.features.len()), (account.id.as_str(), 3));
    assert!(account.features.iter().all(|feature| again.features.contains(feature)), "{:?}", again.features);
    assert_eq!(fixture.store.account(&account.id).await.unwrap().unwrap().extra_scopes, ["Tasks.Read"]);
    // After a disconnect it is asked for anew what it is for.
    fixture.store.disconnect_account(&account.id, "by hand", 1).await.unwrap();
    fixture.auth.forget(&account.id);
    let sign_in = fixture.auth.begin(contacts()).await.unwrap();
    assert_eq!(fixture.sign_in(&sign_in).await.unwrap().features, [Feature::Contacts]);
}

#[tokio::test]
async fn personal_accounts_have_no_teams_whatever_was_granted() {
    let fixture = fixture();
    fixture.entra.is_personal();
    *fixture.entra.scopes.lock().unwrap() = Some("Mail.ReadWrite Mail.Send Chat.ReadWrite User.ReadBasic.All People.Read".into());
    let features = vec![Feature::Chat, Feature::People, Feature::MailSend];
    let sign_in = fixture.auth.begin(ConnectRequest { features, ..wish() }).await.unwrap();
    let account = fixture.sign_in(&sign_in).await.unwrap();
    assert_eq!((account.state, account.missing.as_slice()), (AccountState::Connected, [Feature::Chat, Feature::People].as_slice()));
    assert!(account.warnings.iter().any(|w| w.contains("Personal Microsoft accounts have no Teams chats")), "{:?}", account.warnings);
    let row = fixture.store.account(&account.id).await.unwrap().unwrap();
    assert!(allows(&row, Feature::MailSend) && !allows(&row, Feature::Chat));
    assert_eq!(fixture.auth.begin_more(&account.id, vec![Feature::Channels], CALLBACK.into()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(fixture.auth.begin_approval(&account.id, CALLBACK.into()).await.unwrap_err().kind(), ErrorKind::Forbidden);
    // Nor have they an organisation.
    for tenant in [None, Some("common")] {
        let request = TenantRequest { owner: "o".into(), redirect_uri: CALLBACK.into(), app: Some("server".into()), tenant: tenant.map(Into::into), ..Default::default() };
        let sign_in = fixture.auth.begin_tenant(request).await.unwrap();
        assert!(sign_in.url.contains(tenant.unwrap_or("/organizations/")));
        let error = fixture.sign_in(&sign_in).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        assert!(error.reason().contains("personal"), "{}", error.reason());
    }
}

#[tokio::test]
async fn access_that_does_not_last_is_said_and_ends() {
    let fixture = fixture();
    *fixture.entra.no_refresh_token.lock().unwrap() = true;
    let account = fixture.connect().await;
    assert_eq!(account.state, AccountState::Connected);
    assert!(account.warnings.iter().any(|w| w.contains("offline_access")), "{:?}", account.warnings);
    let ends = account.access_ends_at.unwrap();
    // Used to its end; nothing is asked for that could not be had.
    fixture.clock.advance(3_500_000);
    fixture.auth.forget(&account.id);
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at1");
    fixture.clock.advance(95_000);
    let error = fixture.token(&account, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NeedsReconnect);
    assert!(error.reason().contains("offline_access"));
    let (state, problem) = fixture.state(&account).await;
    assert!(state == AccountState::NeedsReconnect && problem.contains("offline_access"));
    assert_eq!(fixture.entra.asked(), 1);
    // Told by reading alone, too, and mended by a sign-in that grants it.
    let again = fixture.connect().await;
    assert!(again.access_ends_at.is_some_and(|next| next > ends));
    let events = fixture.event_bus.listen();
    fixture.clock.advance(3_600_001);
    let list = fixture.auth.accounts(AccountFilter { state: Some(AccountState::NeedsReconnect), ..Default::default() }).await.unwrap().items;
    assert_eq!(list.len(), 1);
    assert_eq!(events.next().await.unwrap(), Some(Event::AccountChanged { account_id: account.id.clone(), state: AccountState::NeedsReconnect }));
    *fixture.entra.no_refresh_token.lock().unwrap() = false;
    let again = fixture.connect().await;
    assert_eq!((again.access_ends_at, again.state), (None, AccountState::Connected));
}

#[tokio::test]
async fn a_person_can_be_known_without_being_connected() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let request = LinkRequest { owner: "owner-1".into(), redirect_uri: CALLBACK.into(), context: Some("user 12".into()), ..Default::default() };
    let sign_in = fixture.auth.begin_link(request.clone()).await.unwrap();
    assert_eq!(fixture.visit(&sign_in.url)["scope"], "openid profile https://graph.microsoft.com/User.Read");
    let link = fixture.sign_in(&sign_in).await.unwrap();
    assert_eq!((link.kind, link.state, link.user_id.as_str(), link.tenant_id.as_str()), (AccountKind::Link, AccountState::Connected, PERSON, TENANT));
    assert_eq!((link.context.as_deref(), link.display_name.as_str(), link.access_ends_at, link.warnings.len()), (Some("user 12"), "Ann", None, 0));
    // Beside the person's own account, with nothing kept that opens anything.
    assert!(link.id != account.id && fixture.store.token(&link.id).await.unwrap().is_none());
    assert_eq!(fixture.token(&link, None).await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(fixture.token(&account, None).await.is_ok());
    let sign_in = fixture.auth.begin_link(request).await.unwrap();
    assert_eq!(fixture.sign_in(&sign_in).await.unwrap().id, link.id, "known already");
    assert_eq!(fixture.auth.begin_more(&link.id, vec![Feature::Chat], CALLBACK.into()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[cfg(unix)]
#[tokio::test]
async fn a_damaged_name_hides_no_account_and_is_mended_by_the_next_sign_in() {
    let fixture = fixture();
    let account = fixture.connect().await;
    crate::store::tamper(&fixture.folder.path().join("store"), "UPDATE accounts SET profile = CAST(substr(profile, 1, length(profile) - 1) || CAST(substr(profile, 20, 1) AS BLOB) AS BLOB)");
    let listed = fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.remove(0);
    assert_eq!((listed.id.as_str(), listed.address.as_str()), (account.id.as_str(), ""));
    assert!(listed.warnings.iter().any(|w| w.contains("damaged")), "{:?}", listed.warnings);
    let again = fixture.connect().await;
    assert_eq!((again.id, again.address), (account.id, account.address));
    assert_eq!(again.warnings, account.warnings);
}
