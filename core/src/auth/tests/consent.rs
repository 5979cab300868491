//! A person whom only an administrator can let through.

use super::*;

const OTHER_TENANT: &str = "33333333-2222-3333-4444-555555555555";

#[tokio::test]
async fn a_connection_waits_for_an_administrator_and_is_taken_up_where_it_was() {
    let fixture = fixture();
    let waiting = fixture.waiting().await;
    assert_eq!((waiting.state, waiting.tenant_id.as_str(), waiting.user_id.as_str(), waiting.context.as_deref()), (AccountState::AwaitingAdmin, "", "", Some("room 7")));
    assert!(waiting.problem.is_some() && waiting.warnings.is_empty() && fixture.store.token(&waiting.id).await.unwrap().is_none());
    let approval = fixture.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
    let asked = fixture.visit(&approval.url);
    assert!(approval.url.starts_with("https://login.microsoftonline.com/organizations/v2.0/adminconsent?"), "{}", approval.url);
    assert_eq!(asked["scope"], "https://graph.microsoft.com/User.Read https://graph.microsoft.com/Mail.ReadWrite https://graph.microsoft.com/Mail.Send");
    assert!(approval.justification.contains("Mail.Send") && approval.sheet.contains(CLIENT) && approval.sheet.contains("/organizations/v2.0/adminconsent"));
    assert!(!approval.sheet.contains(&asked["state"]), "nothing of one attempt stands on paper");
    let said = format!("admin_consent=True&tenant={OTHER_TENANT}");
    let approved = fixture.come_back(&approval.url, &approval.binding, &said).await.unwrap();
    assert_eq!((approved.state, approved.problem.as_deref()), (AccountState::NeedsReconnect, Some("The administrator approved. Sign in again.")));
    assert_eq!(approved.tenant_id, "", "what the browser says is not believed");
    assert_eq!(fixture.come_back(&approval.url, &approval.binding, &said).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(fixture.token(&approved, None).await.unwrap_err().kind(), ErrorKind::NeedsReconnect);

    let again = fixture.auth.begin_again(&waiting.id, CALLBACK.into()).await.unwrap();
    assert_eq!(fixture.visit(&again.url)["login_hint"], "ann@contoso.example");
    let account = fixture.sign_in(&again).await.unwrap();
    assert_eq!((account.id.as_str(), account.state, account.user_id.as_str()), (waiting.id.as_str(), AccountState::Connected, PERSON));
    assert_eq!((account.context.as_deref(), account.problem.as_deref()), (Some("room 7"), None));
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at1");
}

#[tokio::test]
async fn somebody_who_is_connected_already_replaces_the_waiting_account() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let waiting = fixture.waiting().await;
    assert_ne!(waiting.id, account.id);
    let again = fixture.auth.begin_again(&waiting.id, CALLBACK.into()).await.unwrap();
    let renewed = fixture.sign_in(&again).await.unwrap();
    assert_eq!(renewed.id, account.id);
    assert_eq!(fixture.auth.account(&waiting.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.len(), 1);
    assert_eq!(fixture.token(&renewed, None).await.unwrap(), "at2");
}

#[tokio::test]
async fn an_administrator_may_decline_and_be_asked_again() {
    let fixture = fixture();
    let waiting = fixture.waiting().await;
    for words in ["admin_consent=True&error=consent_required&error_description=AADSTS65004", "error=permission_denied&error_description=The+admin+canceled"] {
        let approval = fixture.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
        assert_eq!(fixture.state(&waiting).await.0, AccountState::AwaitingAdmin);
        let words = format!("{words}&tenant={TENANT}");
        let error = fixture.come_back(&approval.url, &approval.binding, &words).await.unwrap_err();
        assert_eq!((error.kind(), error.account_id()), (ErrorKind::Cancelled, Some(waiting.id.as_str())));
        let (state, problem) = fixture.state(&waiting).await;
        assert!(state == AccountState::Declined && problem.contains("declined"));
    }
    // One who is no administrator decides nothing, and an outage says nothing.
    let approval = fixture.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
    assert_eq!(fixture.come_back(&approval.url, &approval.binding, NEEDS_ADMIN).await.unwrap_err().kind(), ErrorKind::ConsentMissing);
    assert_eq!(fixture.state(&waiting).await.0, AccountState::AwaitingAdmin);
    // A callback of a sign-in is none of an approval.
    let approval = fixture.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
    assert_eq!(fixture.come_back(&approval.url, &approval.binding, "code=c").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(fixture.come_back(&approval.url, &approval.binding, "admin_consent=True&tenant=contoso").await.unwrap_err().kind(), ErrorKind::TokenRejected);
    assert_eq!(fixture.come_back(&approval.url, "other", &format!("admin_consent=True&tenant={TENANT}")).await.unwrap_err().kind(), ErrorKind::TokenRejected);
    assert_eq!(fixture.state(&waiting).await.0, AccountState::AwaitingAdmin);
}

#[tokio::test]
async fn nobody_is_awaited_for_longer_than_thirty_days() {
    let fixture = fixture();
    let waiting = fixture.waiting().await;
    fixture.clock.advance(30 * 86_400_000 - 1);
    assert_eq!(fixture.state(&waiting).await.0, AccountState::AwaitingAdmin);
    fixture.clock.advance(1);
    let declined = fixture.auth.accounts(AccountFilter { state: Some(AccountState::Declined), ..Default::default() }).await.unwrap().items;
    assert!(declined[0].id == waiting.id && declined[0].problem.as_ref().unwrap().contains("Nobody approved"));
    assert_eq!(fixture.store.account(&waiting.id).await.unwrap().unwrap().state, AccountState::Declined, "kept, not only shown");
    fixture.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
    fixture.clock.advance(29 * 86_400_000);
    assert_eq!(fixture.state(&waiting).await.0, AccountState::AwaitingAdmin);
}

#[tokio::test]
async fn an_approval_that_came_without_a_callback_is_looked_for_by_signing_in() {
    let fixture = fixture();
    let waiting = fixture.waiting().await;
    let resumed = fixture.auth.resume(&waiting.id).await.unwrap();
    assert_eq!(resumed.state, AccountState::NeedsReconnect);
    assert!(resumed.problem.unwrap().contains("sign in again"));
    // Not approved after all: it waits on, under the same id.
    let again = fixture.auth.begin_again(&waiting.id, CALLBACK.into()).await.unwrap();
    let error = fixture.come_back(&again.url, &again.binding, NEEDS_ADMIN).await.unwrap_err();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::ConsentMissing, Some(waiting.id.as_str())));
    assert_eq!(fixture.state(&waiting).await.0, AccountState::AwaitingAdmin);
    assert_eq!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn consent_missing_at_the_token_endpoint_waits_as_well() {
    let fixture = fixture();
    let sign_in = fixture.auth.begin(wish()).await.unwrap();
    fixture.entra.refuses(400, "invalid_grant", 65001);
    let error = fixture.sign_in(&sign_in).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsentMissing);
    assert_eq!(fixture.auth.account(error.account_id().unwrap()).await.unwrap().state, AccountState::AwaitingAdmin);
    // A policy is nothing an approval changes.
    let sign_in = fixture.auth.begin(wish()).await.unwrap();
    fixture.entra.refuses(400, "invalid_grant", 53003);
    let error = fixture.sign_in(&sign_in).await.unwrap_err();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::Forbidden, None));
}

#[tokio::test]
async fn an_approval_of_another_organisation_changes_nothing() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let more = fixture.auth.begin_more(&account.id, vec![Feature::Channels], CALLBACK.into()).await.unwrap();
    fixture.come_back(&more.url, &more.binding, NEEDS_ADMIN).await.unwrap_err();
    let approval = fixture.auth.begin_approval(&account.id, CALLBACK.into()).await.unwrap();
    assert!(approval.url.contains(&format!("/{TENANT}/v2.0/adminconsent?")) && approval.sheet.contains(TENANT));
    let error = fixture.come_back(&approval.url, &approval.binding, &format!("admin_consent=True&tenant={OTHER_TENANT}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRejected);
    let approval = fixture.auth.begin_approval(&account.id, CALLBACK.into()).await.unwrap();
    let same = fixture.come_back(&approval.url, &approval.binding, &format!("admin_consent=True&tenant={}", TENANT.to_uppercase())).await.unwrap();
    assert_eq!(same.state, AccountState::Connected);
}
