//! Several applications, and where each account's tokens are asked.

use super::*;

#[tokio::test]
async fn each_account_stays_with_its_application() {
    let fixture = fixture();
    let sign_in = fixture.auth.begin(ConnectRequest { app: Some("server".into()), tenant: Some(TENANT.to_uppercase()), ..wish() }).await.unwrap();
    assert!(sign_in.url.starts_with(&format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize?")));
    let account = fixture.sign_in(&sign_in).await.unwrap();
    assert_eq!(account.app, "server");
    fixture.clock.advance(3_600_000);
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at2");
    for (path, form) in fixture.entra.paths.lock().unwrap().iter().zip(fixture.entra.forms.lock().unwrap().iter()) {
        assert_eq!((path.as_str(), form["client_secret"].as_str()), (format!("/{TENANT}/oauth2/v2.0/token").as_str(), "the-secret"));
    }
}

#[tokio::test]
async fn an_application_that_is_gone_is_named() {
    let fixture = fixture();
    let sign_in = fixture.auth.begin(ConnectRequest { app: Some("server".into()), ..wish() }).await.unwrap();
    let account = fixture.sign_in(&sign_in).await.unwrap();
    fixture.clock.advance(3_600_000);
    let (other, _store, _pipeline) = open_as(&fixture.folder, &fixture.service, &fixture.clock, &fixture.event_bus, Config::new("unused", CLIENT));
    let error = other.token(account.id.clone(), None, None).await.err().unwrap();
    assert_eq!((error.kind(), error.remedy()), (ErrorKind::Forbidden, Remedy::Developer));
    assert!(error.reason().contains("“server”"), "{}", error.reason());
    assert_eq!(other.begin_again(&account.id, CALLBACK.into()).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(other.account(&account.id).await.unwrap().state, AccountState::Connected, "nothing is lost");
    assert!(fixture.token(&account, None).await.is_ok());
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_stored_or_asked() {
    let fixture = fixture();
    let refused = async |request: ConnectRequest| fixture.auth.begin(request).await.unwrap_err();
    let error = refused(ConnectRequest { app: Some("nowhere".into()), ..wish() }).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.reason().contains("“default”, “server”, “home”") && !error.reason().contains("nowhere"), "{}", error.reason());
    assert!(refused(ConnectRequest { tenant: Some("a b".into()), ..wish() }).await.reason().contains("tenant"));
    assert!(refused(ConnectRequest { context: Some("c".repeat(1001)), ..wish() }).await.reason().contains("context"));
    let chat = ConnectRequest { features: vec![Feature::Chat], ..wish() };
    for request in [ConnectRequest { tenant: Some("consumers".into()), ..chat.clone() }, ConnectRequest { app: Some("home".into()), ..chat.clone() }] {
        assert!(refused(request).await.reason().contains("Personal Microsoft accounts have no Teams chats"));
    }
    // Organisations: a public client has no tokens of its own, a personal page no organisation.
    let tenant = |app: Option<&str>, tenant: Option<&str>| TenantRequest { owner: "o".into(), redirect_uri: CALLBACK.into(), app: app.map(Into::into), tenant: tenant.map(Into::into), ..Default::default() };
    assert_eq!(fixture.auth.begin_tenant(tenant(None, None)).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(fixture.auth.begin_tenant(tenant(Some("server"), Some("consumers"))).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(fixture.auth.begin_again("acc_x", CALLBACK.into()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fixture.auth.begin_again("acc_x", "app".into()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(fixture.auth.begin_approval("acc_x", CALLBACK.into()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fixture.auth.resume("acc_x").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fixture.service.calls(), 0);
}
