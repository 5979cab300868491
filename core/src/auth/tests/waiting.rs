//! Accounts that wait for an administrator: one for each thing that is waited for, and none once it has come.

use super::*;

const OTHER: &str = "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee";

impl Fixture {
    async fn refused(&self, request: ConnectRequest) -> Error {
        let sign_in = self.auth.begin(request).await.unwrap();
        self.come_back(&sign_in.url, &sign_in.binding, NEEDS_ADMIN).await.unwrap_err()
    }

    /// The account that waits after a refusal.
    async fn waits(&self, request: ConnectRequest) -> String {
        let error = self.refused(request).await;
        assert_eq!(error.kind(), ErrorKind::ConsentMissing);
        error.account_id().unwrap().to_owned()
    }

    async fn connects(&self, request: ConnectRequest) -> Account {
        let sign_in = self.auth.begin(request).await.unwrap();
        self.sign_in(&sign_in).await.unwrap()
    }

    async fn ids(&self) -> Vec<String> {
        self.auth.accounts(AccountFilter::default()).await.unwrap().items.into_iter().map(|account| account.id).collect()
    }
}

fn hinted(address: &str) -> ConnectRequest {
    ConnectRequest { login_hint: Some(address.into()), ..wish() }
}

#[tokio::test]
async fn whoever_tries_again_waits_on() {
    let fixture = fixture();
    let first = fixture.waits(wish()).await;
    let events = fixture.event_bus.listen();
    for _ in 0..5 {
        assert_eq!(fixture.waits(wish()).await, first);
    }
    assert_eq!(fixture.ids().await, [first.as_str()]);
    // What is said more precisely later is kept; the time it waits does not begin anew.
    let since = fixture.store.account(&first).await.unwrap().unwrap().state_since;
    fixture.clock.advance(86_400_000);
    assert_eq!(fixture.waits(ConnectRequest { context: Some("room 7".into()), ..hinted("ann@contoso.example") }).await, first);
    assert_eq!(events.next().await.unwrap(), Some(Event::AccountChanged { account_id: first.clone(), state: AccountState::AwaitingAdmin }));
    assert_eq!(fixture.auth.account(&first).await.unwrap().context.as_deref(), Some("room 7"));
    assert_eq!(fixture.store.account(&first).await.unwrap().unwrap().state_since, since);
    let again = fixture.auth.begin_again(&first, CALLBACK.into()).await.unwrap();
    assert_eq!(fixture.visit(&again.url)["login_hint"], "ann@contoso.example");
    // Nobody approved within the month: waiting begins again under the same id.
    fixture.clock.advance(31 * 86_400_000);
    assert_eq!(fixture.auth.account(&first).await.unwrap().state, AccountState::Declined);
    assert_eq!(fixture.waits(hinted("Ann@Contoso.example")).await, first);
    assert_eq!(fixture.auth.account(&first).await.unwrap().state, AccountState::AwaitingAdmin);
}

#[tokio::test]
async fn who_waits_for_something_else_waits_apart() {
    let fixture = fixture();
    let first = fixture.waits(ConnectRequest { context: Some("room 7".into()), ..hinted("ann@contoso.example") }).await;
    let others = [
        hinted("ben@contoso.example"),
        ConnectRequest { context: Some("room 8".into()), ..hinted("ann@contoso.example") },
        ConnectRequest { owner: "owner-2".into(), ..wish() },
        ConnectRequest { features: vec![Feature::MailSync], ..wish() },
        ConnectRequest { extra_scopes: vec!["Tasks.Read".into()], ..wish() },
        ConnectRequest { app: Some("server".into()), ..wish() },
        ConnectRequest { tenant: Some("contoso.example".into()), ..wish() },
    ];
    let mut seen = vec![first];
    for request in others {
        let id = fixture.waits(request.clone()).await;
        assert!(!seen.contains(&id));
        assert_eq!(fixture.waits(request).await, id);
        seen.push(id);
    }
    let link = fixture.auth.begin_link(LinkRequest { owner: "owner-1".into(), redirect_uri: CALLBACK.into(), ..Default::default() }).await.unwrap();
    let error = fixture.come_back(&link.url, &link.binding, NEEDS_ADMIN).await.unwrap_err();
    assert!(!seen.iter().any(|id| Some(id.as_str()) == error.account_id()));
    // One that was taken back is not woken by it.
    fixture.store.disconnect_account(&seen[3], "by hand", 1).await.unwrap();
    assert_ne!(fixture.waits(ConnectRequest { owner: "owner-2".into(), ..wish() }).await, seen[3]);
}

#[tokio::test]
async fn an_owner_has_so_many_waiting_accounts_and_no_more() {
    let fixture = fixture();
    let person = |n: usize| hinted(&format!("person{n}@contoso.example"));
    for n in 0..20 {
        fixture.waits(person(n)).await;
    }
    let error = fixture.refused(person(20)).await;
    assert!(error.kind() == ErrorKind::LimitExceeded && error.reason().contains("administrator"), "{error:?}");
    assert_eq!(fixture.ids().await.len(), 20);
    // Those who wait already and other owners are not touched by it.
    fixture.waits(person(7)).await;
    fixture.waits(ConnectRequest { owner: "owner-2".into(), ..person(20) }).await;
    assert_eq!(fixture.connects(wish()).await.state, AccountState::Connected);
}

#[tokio::test]
async fn a_sign_in_by_connect_takes_the_waiting_account_over() {
    let fixture = fixture();
    let waiting = fixture.waits(ConnectRequest { context: Some("room 7".into()), ..wish() }).await;
    let account = fixture.connects(wish()).await;
    assert_eq!((account.id.as_str(), account.state, account.user_id.as_str(), account.context.as_deref()), (waiting.as_str(), AccountState::Connected, PERSON, Some("room 7")));
    assert_eq!(fixture.ids().await, [waiting.as_str()]);
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at1");
    // Somebody else who waits is not taken for this person, who has an account.
    let second = fixture.waits(wish()).await;
    assert_eq!(fixture.connects(wish()).await.id, waiting);
    assert_eq!(fixture.state(&Account { id: second.clone(), ..account.clone() }).await.0, AccountState::AwaitingAdmin);
    // Known to be the same person, it has nothing to wait for any longer.
    let third = fixture.waits(ConnectRequest { context: Some("x".into()), ..hinted("ann@contoso.example") }).await;
    assert_eq!(third, second, "said more precisely");
    assert_eq!(fixture.connects(wish()).await.id, waiting);
    assert_eq!(fixture.ids().await, [waiting]);
}

#[tokio::test]
async fn a_waiting_account_goes_to_nobody_it_is_not_for() {
    let fixture = fixture();
    let ben = fixture.waits(hinted("ben@contoso.example")).await;
    let carl = fixture.waits(hinted("carl@contoso.example")).await;
    // Ann is neither of them.
    let ann = fixture.connects(wish()).await;
    assert!(![&ben, &carl].contains(&&ann.id));
    // Of two that wait without a name nobody can tell.
    let chats = |context: &str| ConnectRequest { features: vec![Feature::Chat], context: Some(context.into()), ..wish() };
    fixture.waits(chats("1")).await;
    fixture.waits(chats("2")).await;
    fixture.entra.says("oid", OTHER);
    let other = fixture.connects(ConnectRequest { context: None, ..chats("") }).await;
    assert_eq!(fixture.ids().await.len(), 6);
    assert_eq!(other.user_id, OTHER);
    // A person who is only known, as well.
    let link = || LinkRequest { owner: "owner-1".into(), redirect_uri: CALLBACK.into(), ..Default::default() };
    let sign_in = fixture.auth.begin_link(link()).await.unwrap();
    let error = fixture.come_back(&sign_in.url, &sign_in.binding, NEEDS_ADMIN).await.unwrap_err();
    let sign_in = fixture.auth.begin_link(link()).await.unwrap();
    let known = fixture.sign_in(&sign_in).await.unwrap();
    assert_eq!((Some(known.id.as_str()), known.kind, known.state), (error.account_id(), AccountKind::Link, AccountState::Connected));
}
