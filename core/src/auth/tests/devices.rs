//! Signing in by a code on another device.

use super::*;
use crate::runtime::Runtime;

fn refusal(error: &str) -> Answer {
    says(400, json!({ "error": error, "error_description": "<foreign>" }).to_string())
}

/// The answers come in this order; after them the person has signed in.
pub(super) fn will_answer(fixture: &Fixture, answers: Vec<Answer>) {
    *fixture.entra.queued.lock().unwrap() = answers.into_iter().rev().collect();
}

pub(super) fn signed_in(fixture: &Fixture) -> Answer {
    let mut claims = claims("unused", fixture.clock.now_ms() as i64 / 1000);
    claims.as_object_mut().unwrap().remove("nonce");
    let token = Issuer::get().sign(&header(), &claims);
    says(200, json!({ "token_type": "Bearer", "expires_in": 3600, "scope": "Mail.ReadWrite Mail.Send", "access_token": "at1", "refresh_token": "rt1", "id_token": token }).to_string())
}

#[tokio::test]
async fn a_code_is_typed_in_elsewhere() {
    let fixture = fixture();
    let runtime = Runtime::start().unwrap();
    let device = fixture.auth.begin_device(ConnectRequest { redirect_uri: String::new(), ..wish() }).await.unwrap();
    assert_eq!((device.user_code(), device.verification_uri(), device.message()), ("ABC123", "https://microsoft.com/devicelogin", "To sign in, open https://microsoft.com/devicelogin in a browser and enter the code ABC123."));
    will_answer(&fixture, vec![refusal("authorization_pending"), refusal("slow_down"), refusal("authorization_pending"), breaks(Sent::No), signed_in(&fixture)]);
    let start = fixture.clock.now_ms();
    let account = fixture.auth.wait_device(&device, &runtime.stop()).await.unwrap();
    assert_eq!((account.state, account.user_id.as_str()), (AccountState::Connected, PERSON));
    // 5, 5, then 10 s a look; the pipeline's own pauses come on top.
    assert!(fixture.clock.now_ms() - start >= 30_000, "{}", fixture.clock.now_ms() - start);
    let form = fixture.entra.forms.lock().unwrap()[0].clone();
    assert_eq!((form["grant_type"].as_str(), form["device_code"].as_str()), ("urn:ietf:params:oauth:grant-type:device_code", "dc1"));
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at1");
}

#[tokio::test]
async fn it_ends_in_words_when_nobody_signs_in() {
    let fixture = fixture();
    let runtime = Runtime::start().unwrap();
    for (error, word) in [("authorization_declined", "declined"), ("expired_token", "expired"), ("bad_verification_code", "does not know")] {
        let device = fixture.auth.begin_device(wish()).await.unwrap();
        will_answer(&fixture, vec![refusal(error)]);
        let told = fixture.auth.wait_device(&device, &runtime.stop()).await.unwrap_err();
        assert_eq!(told.kind(), ErrorKind::Cancelled, "{error}");
        assert!(told.reason().contains(word) && !told.reason().contains("foreign"), "{}", told.reason());
    }
    // Nobody ever comes.
    let device = fixture.auth.begin_device(wish()).await.unwrap();
    will_answer(&fixture, (0..300).map(|_| refusal("authorization_pending")).collect());
    assert_eq!(fixture.auth.wait_device(&device, &runtime.stop()).await.unwrap_err().kind(), ErrorKind::Cancelled);
    // The registration does not allow it.
    *fixture.entra.devices_refused.lock().unwrap() = Some(says(401, json!({ "error": "invalid_client", "error_codes": [7000218] }).to_string()));
    let told = fixture.auth.begin_device(wish()).await.err().unwrap();
    assert!(told.kind() == ErrorKind::Forbidden && told.reason().contains("Allow public client flows"));
    assert_eq!(fixture.auth.begin_device(ConnectRequest { features: vec![], ..wish() }).await.err().unwrap().kind(), ErrorKind::InvalidInput);
    assert_eq!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn name_and_address_are_brought_up_to_date() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let renewed = fixture.auth.renew_profile(&account.id, Some(PERSON), Some("new@contoso.example".into()), Some("Ann New".into())).await.unwrap();
    assert_eq!((renewed.address.as_str(), renewed.display_name.as_str()), ("new@contoso.example", "Ann New"));
    assert_eq!(fixture.auth.account(&account.id).await.unwrap().address, "new@contoso.example");
    let stranger = fixture.auth.renew_profile(&account.id, Some(TENANT), None, None).await;
    assert_eq!(stranger.unwrap_err().kind(), ErrorKind::TokenRejected);
}
