//! Sign-ins begun before their account or owner ended.

use super::*;
use crate::store::Purged;

impl Fixture {
    /// Something of it is still in the store.
    fn holds(&self, sign_in: &SignIn) -> bool {
        let state = self.visit(&sign_in.url)["state"].clone();
        block_on(self.store.attempt(&attempt::hash(&state))).unwrap().is_some()
    }

    fn now(&self) -> i64 {
        self.clock.now_ms() as i64
    }

    async fn purge(&self, purged: Purged<'_>) {
        for id in self.store.begin_purge(purged, "purged", self.now()).await.unwrap() {
            while self.store.erase_some(&id, 100, self.now()).await.unwrap() {}
            self.auth.forget(&id);
        }
    }
}

#[tokio::test]
async fn a_sign_in_does_not_undo_a_disconnect() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let open = [
        fixture.auth.begin_more(&account.id, vec![Feature::Calendar], CALLBACK.into()).await.unwrap(),
        fixture.auth.begin_again(&account.id, CALLBACK.into()).await.unwrap(),
    ];
    let approval = fixture.auth.begin_approval(&account.id, CALLBACK.into()).await.unwrap();
    fixture.store.disconnect_account(&account.id, "by hand", fixture.now()).await.unwrap();
    fixture.auth.forget(&account.id);
    for sign_in in &open {
        assert_eq!(fixture.sign_in(sign_in).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let said = format!("admin_consent=True&tenant={TENANT}");
    assert_eq!(fixture.come_back(&approval.url, &approval.binding, &said).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(fixture.state(&account).await.0, AccountState::Disconnected);
    // One begun afterwards does.
    let again = fixture.auth.begin_again(&account.id, CALLBACK.into()).await.unwrap();
    assert_eq!(fixture.sign_in(&again).await.unwrap().state, AccountState::Connected);
}

#[tokio::test]
async fn a_sign_in_does_not_undo_a_purge_and_nothing_of_it_stays() {
    let fixture = fixture();
    let first = fixture.auth.begin(wish()).await.unwrap();
    let account = fixture.sign_in(&first).await.unwrap();
    let again = fixture.auth.begin_again(&account.id, CALLBACK.into()).await.unwrap();
    assert!(fixture.holds(&first) && fixture.holds(&again));
    fixture.purge(Purged::Account(&account.id)).await;
    assert!(!fixture.holds(&first) && !fixture.holds(&again), "neither the one it came by nor the one under way");

    fixture.connect().await;
    let open = fixture.auth.begin(ConnectRequest { login_hint: Some("ann@contoso.example".into()), ..wish() }).await.unwrap();
    let others = fixture.auth.begin(ConnectRequest { owner: "owner-2".into(), ..wish() }).await.unwrap();
    let device = fixture.auth.begin_device(wish()).await.unwrap();
    fixture.purge(Purged::Owner("owner-1")).await;
    assert!(!fixture.holds(&open) && fixture.holds(&others));
    assert_eq!(fixture.sign_in(&open).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let runtime = crate::runtime::Runtime::start().unwrap();
    devices::will_answer(&fixture, vec![devices::signed_in(&fixture)]);
    assert_eq!(fixture.auth.wait_device(&device, &runtime.stop()).await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.is_empty());
    assert_eq!(fixture.sign_in(&others).await.unwrap().owner, "owner-2");
}

#[tokio::test]
async fn a_sign_in_under_way_while_the_owner_is_purged_stores_nothing() {
    let fixture = fixture();
    let sign_in = fixture.auth.begin(wish()).await.unwrap();
    let state = fixture.visit(&sign_in.url)["state"].clone();
    let callback = format!("{CALLBACK}?code=c1&state={state}");
    // The code is used up, Microsoft is being asked, and then the owner is purged.
    let parsed = callback::Callback::parse(&callback).unwrap();
    let attempt = fixture.auth.look(&parsed, &sign_in.binding).await.unwrap();
    fixture.auth.consume(&parsed).await.unwrap();
    let app = fixture.auth.choose_app(Some(&attempt.app)).unwrap();
    let grant = app.entra.exchange("common", "c1", &attempt.verifier, &attempt.redirect_uri).await.ok().unwrap();
    fixture.purge(Purged::Owner("owner-1")).await;
    assert_eq!(fixture.auth.keep_grant(&attempt, grant, None).await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(fixture.auth.await_approval(&attempt).await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(fixture.auth.accounts(AccountFilter::default()).await.unwrap().items.is_empty());
}
