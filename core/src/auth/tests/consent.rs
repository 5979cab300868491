//! A person whom only an administrator can let through.

use super::*;

const OTHER_TENANT: &str = "33333333-2222-3333-4444-555555555555";

#[tokio::test]
async fn a_connection_waits_for_an_administrator_and_is_taken_up_where_it_was() {
    let house = house();
    let waiting = house.waiting().await;
    assert_eq!((waiting.state, waiting.tenant_id.as_str(), waiting.user_id.as_str(), waiting.context.as_deref()), (AccountState::AwaitingAdmin, "", "", Some("room 7")));
    assert!(waiting.problem.is_some() && waiting.warnings.is_empty() && house.store.token(&waiting.id).unwrap().is_none());
    let approval = house.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
    let asked = house.visit(&approval.url);
    assert!(approval.url.starts_with("https://login.microsoftonline.com/organizations/v2.0/adminconsent?"), "{}", approval.url);
    assert_eq!(asked["scope"], "https://graph.microsoft.com/User.Read https://graph.microsoft.com/Mail.ReadWrite https://graph.microsoft.com/Mail.Send");
    assert!(approval.justification.contains("Mail.Send") && approval.sheet.contains(CLIENT) && approval.sheet.contains("/organizations/v2.0/adminconsent"));
    assert!(!approval.sheet.contains(&asked["state"]), "nothing of one attempt stands on paper");
    let said = format!("admin_consent=True&tenant={OTHER_TENANT}");
    let approved = house.come_back(&approval.url, &approval.binding, &said).await.unwrap();
    assert_eq!((approved.state, approved.problem.as_deref()), (AccountState::NeedsReconnect, Some("The administrator approved. Sign in again.")));
    assert_eq!(approved.tenant_id, "", "what the browser says is not believed");
    assert_eq!(house.come_back(&approval.url, &approval.binding, &said).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(house.token(&approved, None).await.unwrap_err().kind(), ErrorKind::NeedsReconnect);

    let again = house.auth.begin_again(&waiting.id, CALLBACK.into()).await.unwrap();
    assert_eq!(house.visit(&again.url)["login_hint"], "ann@contoso.example");
    let account = house.sign_in(&again).await.unwrap();
    assert_eq!((account.id.as_str(), account.state, account.user_id.as_str()), (waiting.id.as_str(), AccountState::Connected, PERSON));
    assert_eq!((account.context.as_deref(), account.problem.as_deref()), (Some("room 7"), None));
    assert_eq!(house.token(&account, None).await.unwrap(), "at1");
}

#[tokio::test]
async fn somebody_who_is_connected_already_replaces_the_waiting_account() {
    let house = house();
    let account = house.connect().await;
    let waiting = house.waiting().await;
    assert_ne!(waiting.id, account.id);
    let again = house.auth.begin_again(&waiting.id, CALLBACK.into()).await.unwrap();
    let renewed = house.sign_in(&again).await.unwrap();
    assert_eq!(renewed.id, account.id);
    assert_eq!(house.auth.account(&waiting.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(house.auth.accounts(AccountFilter::default()).await.unwrap().len(), 1);
    assert_eq!(house.token(&renewed, None).await.unwrap(), "at2");
}

#[tokio::test]
async fn an_administrator_may_decline_and_be_asked_again() {
    let house = house();
    let waiting = house.waiting().await;
    for words in ["admin_consent=True&error=consent_required&error_description=AADSTS65004", "error=permission_denied&error_description=The+admin+canceled"] {
        let approval = house.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
        assert_eq!(house.state(&waiting).await.0, AccountState::AwaitingAdmin);
        let words = format!("{words}&tenant={TENANT}");
        let error = house.come_back(&approval.url, &approval.binding, &words).await.unwrap_err();
        assert_eq!((error.kind(), error.account_id()), (ErrorKind::Cancelled, Some(waiting.id.as_str())));
        let (state, problem) = house.state(&waiting).await;
        assert!(state == AccountState::Declined && problem.contains("declined"));
    }
    // One who is no administrator decides nothing, and an outage says nothing.
    let approval = house.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
    assert_eq!(house.come_back(&approval.url, &approval.binding, NEEDS_ADMIN).await.unwrap_err().kind(), ErrorKind::ConsentMissing);
    assert_eq!(house.state(&waiting).await.0, AccountState::AwaitingAdmin);
    // A callback of a sign-in is none of an approval.
    let approval = house.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
    assert_eq!(house.come_back(&approval.url, &approval.binding, "code=c").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(house.come_back(&approval.url, &approval.binding, "admin_consent=True&tenant=contoso").await.unwrap_err().kind(), ErrorKind::TokenRejected);
    assert_eq!(house.come_back(&approval.url, "other", &format!("admin_consent=True&tenant={TENANT}")).await.unwrap_err().kind(), ErrorKind::TokenRejected);
    assert_eq!(house.state(&waiting).await.0, AccountState::AwaitingAdmin);
}

#[tokio::test]
async fn nobody_is_awaited_for_longer_than_thirty_days() {
    let house = house();
    let waiting = house.waiting().await;
    house.clock.advance(30 * 86_400_000 - 1);
    assert_eq!(house.state(&waiting).await.0, AccountState::AwaitingAdmin);
    house.clock.advance(1);
    let declined = house.auth.accounts(AccountFilter { state: Some(AccountState::Declined), ..Default::default() }).await.unwrap();
    assert!(declined[0].id == waiting.id && declined[0].problem.as_ref().unwrap().contains("Nobody approved"));
    assert_eq!(house.store.account(&waiting.id).unwrap().unwrap().state, AccountState::Declined, "kept, not only shown");
    house.auth.begin_approval(&waiting.id, CALLBACK.into()).await.unwrap();
    house.clock.advance(29 * 86_400_000);
    assert_eq!(house.state(&waiting).await.0, AccountState::AwaitingAdmin);
}

#[tokio::test]
async fn an_approval_that_came_without_a_callback_is_looked_for_by_signing_in() {
    let house = house();
    let waiting = house.waiting().await;
    let resumed = house.auth.resume(&waiting.id).await.unwrap();
    assert_eq!(resumed.state, AccountState::NeedsReconnect);
    assert!(resumed.problem.unwrap().contains("sign in again"));
    // Not approved after all: it waits on, under the same id.
    let again = house.auth.begin_again(&waiting.id, CALLBACK.into()).await.unwrap();
    let error = house.come_back(&again.url, &again.binding, NEEDS_ADMIN).await.unwrap_err();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::ConsentMissing, Some(waiting.id.as_str())));
    assert_eq!(house.state(&waiting).await.0, AccountState::AwaitingAdmin);
    assert_eq!(house.auth.accounts(AccountFilter::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn consent_missing_at_the_token_endpoint_waits_as_well() {
    let house = house();
    let sign_in = house.auth.begin(wish()).await.unwrap();
    house.entra.refuses(400, "invalid_grant", 65001);
    let error = house.sign_in(&sign_in).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsentMissing);
    assert_eq!(house.auth.account(error.account_id().unwrap()).await.unwrap().state, AccountState::AwaitingAdmin);
    // A policy is nothing an approval changes.
    let sign_in = house.auth.begin(wish()).await.unwrap();
    house.entra.refuses(400, "invalid_grant", 53003);
    let error = house.sign_in(&sign_in).await.unwrap_err();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::Forbidden, None));
}

#[tokio::test]
async fn an_approval_of_another_organisation_changes_nothing() {
    let house = house();
    let account = house.connect().await;
    let more = house.auth.begin_more(&account.id, vec![Feature::Channels], CALLBACK.into()).await.unwrap();
    house.come_back(&more.url, &more.binding, NEEDS_ADMIN).await.unwrap_err();
    let approval = house.auth.begin_approval(&account.id, CALLBACK.into()).await.unwrap();
    assert!(approval.url.contains(&format!("/{TENANT}/v2.0/adminconsent?")) && approval.sheet.contains(TENANT));
    let error = house.come_back(&approval.url, &approval.binding, &format!("admin_consent=True&tenant={OTHER_TENANT}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRejected);
    let approval = house.auth.begin_approval(&account.id, CALLBACK.into()).await.unwrap();
    let same = house.come_back(&approval.url, &approval.binding, &format!("admin_consent=True&tenant={}", TENANT.to_uppercase())).await.unwrap();
    assert_eq!(same.state, AccountState::Connected);
}
