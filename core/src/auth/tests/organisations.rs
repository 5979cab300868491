//! Organisations: proven by a sign-in, approved by an administrator, connected by a token of the application's own.

use super::*;

const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";
const PRIVILEGED_ROLE_ADMINISTRATOR: &str = "e8611ab8-c189-46e8-94e1-60213ab1f814";
const APPLICATION_ADMINISTRATOR: &str = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3";
const CLOUD_APPLICATION_ADMINISTRATOR: &str = "158c047a-c907-4556-b7ef-446551a6b5f7";
/// Everybody's, of an organisation's own.
const ANYBODY: &str = "b79fbf4d-3ef9-4689-8143-76b194e85509";

pub(super) fn organisation() -> TenantRequest {
    TenantRequest { owner: "owner-1".into(), redirect_uri: CALLBACK.into(), app: Some("server".into()), context: Some("school".into()), ..Default::default() }
}

impl Fixture {
    pub(super) async fn proven(&self, request: TenantRequest) -> Account {
        self.entra.claims.lock().unwrap().insert("wids".into(), json!([GLOBAL_ADMINISTRATOR, ANYBODY]));
        let account = self.signed_in(request).await;
        self.entra.claims.lock().unwrap().remove("wids");
        account
    }

    /// Whatever roles the claims say.
    async fn signed_in(&self, request: TenantRequest) -> Account {
        let sign_in = self.auth.begin_tenant(request).await.unwrap();
        let asked = self.visit(&sign_in.url);
        assert_eq!((asked["scope"].as_str(), asked["prompt"].as_str()), ("openid profile", "select_account"));
        self.sign_in(&sign_in).await.unwrap()
    }

    async fn approve(&self, account: &Account, tenant: &str) -> Result<Account> {
        let approval = self.auth.begin_approval(&account.id, CALLBACK.into()).await?;
        let callback = format!("admin_consent=True&tenant={tenant}");
        self.come_back(&approval.url, &approval.binding, &callback).await
    }
}

#[tokio::test]
async fn an_organisation_is_connected_by_a_token_of_its_own() {
    let fixture = fixture();
    let account = fixture.proven(organisation()).await;
    assert_eq!((account.kind, account.state, account.tenant_id.as_str(), account.user_id.as_str()), (AccountKind::Tenant, AccountState::AwaitingAdmin, TENANT, ""));
    assert_eq!((account.context.as_deref(), account.display_name.as_str(), account.scopes.len()), (Some("school"), "contoso.example", 0));
    assert!(fixture.store.token(&account.id).await.unwrap().is_none(), "the administrator's own token is not kept");
    let approval = fixture.auth.begin_approval(&account.id, CALLBACK.into()).await.unwrap();
    assert_eq!(fixture.visit(&approval.url)["scope"], "https://graph.microsoft.com/.default");
    assert!(approval.url.contains(&format!("/{TENANT}/v2.0/adminconsent?")));

    // At first Entra does not know of it, then it knows half.
    *fixture.entra.roles.lock().unwrap() = vec!["User.Read.All"];
    let nothing_yet = URL_SAFE_NO_PAD.encode(json!({ "aud": "https://graph.microsoft.com", "tid": TENANT }).to_string());
    fixture.entra.queued.lock().unwrap().push(says(200, json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": format!("h.{nothing_yet}.s") }).to_string()));
    fixture.entra.refuses(400, "unauthorized_client", 700016);
    let connected = fixture.approve(&account, TENANT).await.unwrap();
    assert_eq!((connected.id.as_str(), connected.state, connected.scopes.as_slice()), (account.id.as_str(), AccountState::Connected, ["User.Read.All".to_owned()].as_slice()));
    let form = fixture.entra.forms.lock().unwrap().last().unwrap().clone();
    assert_eq!((form["grant_type"].as_str(), form["scope"].as_str(), form["client_secret"].as_str()), ("client_credentials", "https://graph.microsoft.com/.default", "the-secret"));
    assert_eq!(fixture.entra.paths.lock().unwrap().last().unwrap(), &format!("/{TENANT}/oauth2/v2.0/token"));

    // Its token is renewed by asking for another.
    let first = fixture.token(&connected, None).await.unwrap();
    fixture.clock.advance(3_600_000);
    let second = fixture.token(&connected, None).await.unwrap();
    assert!(first != second && fixture.entra.forms.lock().unwrap().last().unwrap()["grant_type"] == "client_credentials");
    // Proven once more, it stays connected.
    assert_eq!(fixture.proven(organisation()).await.state, AccountState::Connected);
    assert_eq!(fixture.auth.begin_again(&account.id, CALLBACK.into()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn an_approval_proves_nothing_without_a_token() {
    let fixture = fixture();
    let account = fixture.proven(organisation()).await;
    // Another organisation's approval.
    assert_eq!(fixture.approve(&account, PERSON).await.unwrap_err().kind(), ErrorKind::TokenRejected);
    assert_eq!(fixture.state(&account).await.0, AccountState::AwaitingAdmin);
    // A made-up callback: no roles ever come.
    let started = fixture.clock.now_ms();
    let error = fixture.approve(&account, TENANT).await.unwrap_err();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::ConsentMissing, Some(account.id.as_str())));
    assert!((120_000..600_000).contains(&(fixture.clock.now_ms() - started)), "a few minutes");
    assert_eq!(fixture.state(&account).await.0, AccountState::AwaitingAdmin);
    // A wrong secret is not a matter of waiting.
    fixture.entra.refuses(401, "invalid_client", 7000215);
    let error = fixture.auth.resume(&account.id).await.unwrap_err();
    assert_eq!((error.kind(), error.remedy()), (ErrorKind::Forbidden, Remedy::Developer));
    assert_eq!(fixture.auth.resume(&account.id).await.unwrap_err().kind(), ErrorKind::ConsentMissing);
    // Approved in Entra, nobody was called back.
    *fixture.entra.roles.lock().unwrap() = vec!["Mail.Send"];
    assert_eq!(fixture.auth.resume(&account.id).await.unwrap().state, AccountState::Connected);
}

#[tokio::test]
async fn owners_do_not_take_organisations_from_each_other() {
    let fixture = fixture();
    *fixture.entra.roles.lock().unwrap() = vec!["Mail.Send"];
    let first = fixture.proven(organisation()).await;
    fixture.approve(&first, TENANT).await.unwrap();
    let second = fixture.proven(TenantRequest { owner: "owner-2".into(), ..organisation() }).await;
    assert!(second.id != first.id && second.state == AccountState::AwaitingAdmin);
    let first = fixture.auth.account(&first.id).await.unwrap();
    assert_eq!((first.owner.as_str(), first.state), ("owner-1", AccountState::Connected));
    // Disconnected, then proven and approved again: the same account.
    fixture.store.disconnect_account(&first.id, "by hand", 1).await.unwrap();
    fixture.auth.forget(&first.id);
    assert_eq!(fixture.auth.resume(&first.id).await.unwrap_err().kind(), ErrorKind::NotConnected);
    let again = fixture.proven(organisation()).await;
    assert_eq!((again.id.as_str(), again.state), (first.id.as_str(), AccountState::AwaitingAdmin));
    assert_eq!(fixture.auth.resume(&first.id).await.unwrap().state, AccountState::Connected);
}

/// Approved for one owner, the application has tokens of the organisation. They are not for everybody who works there.
#[tokio::test]
async fn an_approval_for_one_owner_connects_no_other() {
    let fixture = fixture();
    *fixture.entra.roles.lock().unwrap() = vec!["Mail.Send"];
    let first = fixture.proven(organisation()).await;
    fixture.approve(&first, TENANT).await.unwrap();
    let second = fixture.proven(TenantRequest { owner: "owner-2".into(), ..organisation() }).await;
    let asked = fixture.entra.asked();
    let error = fixture.auth.resume(&second.id).await.unwrap_err();
    assert_eq!((error.kind(), error.remedy(), error.account_id()), (ErrorKind::Conflict, Remedy::Admin, Some(second.id.as_str())));
    assert!(error.reason().contains("approval") && !error.reason().contains("owner-1"), "{}", error.reason());
    assert_eq!((fixture.entra.asked(), fixture.state(&second).await.0), (asked, AccountState::AwaitingAdmin));
    // The callback of the other owner's approval is none of this account's.
    let others = fixture.auth.begin_approval(&first.id, CALLBACK.into()).await.unwrap();
    let said = format!("admin_consent=True&tenant={TENANT}");
    assert_eq!(fixture.come_back(&others.url, &others.binding, &said).await.unwrap().id, first.id);
    assert_eq!(fixture.state(&second).await.0, AccountState::AwaitingAdmin);
    // Its own is.
    assert_eq!(fixture.approve(&second, TENANT).await.unwrap().state, AccountState::Connected);
    assert_eq!(fixture.auth.resume(&second.id).await.unwrap().state, AccountState::Connected);
    // Another application's approval is another one; and who gave it back stands in nobody's way.
    for id in [&first.id, &second.id] {
        fixture.store.disconnect_account(id, "by hand", 1).await.unwrap();
        fixture.auth.forget(id);
    }
    let third = fixture.proven(TenantRequest { owner: "owner-3".into(), ..organisation() }).await;
    assert_eq!(fixture.auth.resume(&third.id).await.unwrap().state, AccountState::Connected);
}

#[tokio::test]
async fn a_guest_connects_no_organisation() {
    let fixture = fixture();
    for (claim, value) in [("idp", json!(format!("https://sts.windows.net/{PERSON}/"))), ("idp", json!("live.com")), ("idp", json!(7)), ("acct", json!(1)), ("acct", json!("1"))] {
        fixture.entra.claims.lock().unwrap().insert(claim.into(), value);
        let sign_in = fixture.auth.begin_tenant(TenantRequest { tenant: Some(TENANT.into()), ..organisation() }).await.unwrap();
        let error = fixture.sign_in(&sign_in).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Forbidden && error.reason().contains("guest"), "{claim}: {error:?}");
        // Their own mailbox is another matter.
        let sign_in = fixture.auth.begin(wish()).await.unwrap();
        assert_eq!(fixture.sign_in(&sign_in).await.unwrap().state, AccountState::Connected);
        fixture.entra.claims.lock().unwrap().clear();
    }
    assert!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.iter().all(|account| account.kind == AccountKind::Person));
    for (claim, value) in [("idp", json!(format!("https://sts.windows.net/{}/", TENANT.to_uppercase()))), ("acct", json!(0))] {
        fixture.entra.claims.lock().unwrap().insert(claim.into(), value);
        fixture.proven(organisation()).await;
        fixture.entra.claims.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn what_an_administrator_begins_survives_a_restart() {
    let fixture = fixture();
    *fixture.entra.roles.lock().unwrap() = vec!["Mail.Send"];
    let account = fixture.proven(organisation()).await;
    let approval = fixture.auth.begin_approval(&account.id, CALLBACK.into()).await.unwrap();
    let state = fixture.visit(&approval.url)["state"].clone();
    let (other, _store, _pipeline) = open(&fixture.folder, &fixture.service, &fixture.clock, &fixture.event_bus);
    let connected = other.finish(&format!("{CALLBACK}?admin_consent=True&tenant={TENANT}&state={state}"), &approval.binding).await.unwrap();
    assert_eq!(connected.state, AccountState::Connected);
    assert_eq!(fixture.auth.account(&account.id).await.unwrap().state, AccountState::Connected);
}

/// Whoever holds the browser can write the callback of an approval; only a signed token says who may give one.
#[tokio::test]
async fn a_callback_that_a_member_has_written_connects_nothing() {
    for (wids, words, remedy) in [
        (None, "groupMembershipClaims", Remedy::Developer),
        (Some(json!(GLOBAL_ADMINISTRATOR)), "groupMembershipClaims", Remedy::Developer),
        (Some(json!([1, GLOBAL_ADMINISTRATOR])), "groupMembershipClaims", Remedy::Developer),
        (Some(json!({ "0": GLOBAL_ADMINISTRATOR })), "groupMembershipClaims", Remedy::Developer),
        (Some(json!([])), "may not approve", Remedy::Admin),
        (Some(json!([ANYBODY])), "may not approve", Remedy::Admin),
        (Some(json!([APPLICATION_ADMINISTRATOR, CLOUD_APPLICATION_ADMINISTRATOR, ANYBODY])), "may not approve", Remedy::Admin),
        (Some(json!([format!("{GLOBAL_ADMINISTRATOR} ")])), "may not approve", Remedy::Admin),
    ] {
        let fixture = fixture();
        *fixture.entra.roles.lock().unwrap() = vec!["Mail.Send"];
        // Another owner's administrator has approved, so Entra has tokens for the application.
        let first = fixture.proven(organisation()).await;
        fixture.approve(&first, TENANT).await.unwrap();
        if let Some(wids) = &wids {
            fixture.entra.claims.lock().unwrap().insert("wids".into(), wids.clone());
        }
        let second = fixture.signed_in(TenantRequest { owner: "owner-2".into(), ..organisation() }).await;
        assert!(second.problem.as_deref().is_some_and(|p| p.contains(words)), "{:?}", second.problem);
        let asked = fixture.entra.asked();
        for error in [fixture.approve(&second, TENANT).await.unwrap_err(), fixture.auth.resume(&second.id).await.unwrap_err()] {
            assert!((error.kind(), error.remedy(), error.account_id()) == (ErrorKind::Forbidden, remedy, Some(second.id.as_str())) && error.reason().contains(words), "{wids:?}: {error:?}");
        }
        assert_eq!((fixture.entra.asked(), fixture.state(&second).await.0), (asked, AccountState::AwaitingAdmin), "{wids:?}: no token was asked for");
        // Gone from this owner too, the approval still counts for nobody who may not give one.
        fixture.store.disconnect_account(&first.id, "by hand", 1).await.unwrap();
        assert_eq!(fixture.auth.resume(&second.id).await.unwrap_err().kind(), ErrorKind::Forbidden);
        fixture.entra.claims.lock().unwrap().clear();
        // An administrator signs in for this owner: the same account, and now it is.
        let proven = fixture.proven(TenantRequest { owner: "owner-2".into(), ..organisation() }).await;
        assert_eq!(proven.id, second.id);
        assert_eq!(fixture.approve(&second, TENANT).await.unwrap().state, AccountState::Connected);
    }
}

#[tokio::test]
async fn what_an_administrator_has_proven_stays_until_the_organisation_is_disconnected() {
    let fixture = fixture();
    *fixture.entra.roles.lock().unwrap() = vec!["Mail.Send"];
    fixture.entra.claims.lock().unwrap().insert("wids".into(), json!([PRIVILEGED_ROLE_ADMINISTRATOR.to_uppercase()]));
    let account = fixture.signed_in(organisation()).await;
    fixture.entra.claims.lock().unwrap().insert("wids".into(), json!([ANYBODY]));
    assert_eq!(fixture.signed_in(organisation()).await.id, account.id);
    assert_eq!(fixture.auth.resume(&account.id).await.unwrap().state, AccountState::Connected);
    fixture.store.disconnect_account(&account.id, "by hand", 1).await.unwrap();
    fixture.auth.forget(&account.id);
    fixture.signed_in(organisation()).await;
    assert_eq!(fixture.auth.resume(&account.id).await.unwrap_err().kind(), ErrorKind::Forbidden);
}
