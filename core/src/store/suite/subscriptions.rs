//! Subscriptions and the accounts that have news.

use super::*;

async fn made(s: &dyn Store, id: &str) -> SubscriptionRow {
    connect(s, id).await;
    s.add_subscriptions(10).await.unwrap();
    s.subscription(id).await.unwrap().unwrap()
}

async fn due(s: &dyn Store, now: i64) -> Vec<String> {
    s.due_subscriptions(now, 10).await.unwrap().into_iter().map(|row| row.account_id).collect()
}

pub async fn a_subscription_is_decided_on_the_row_as_it_is(s: &dyn Store) {
    let row = made(s, "a").await;
    assert_eq!((row.state, row.is_wanted, row.next_at, row.version), (SubscriptionState::Absent, true, 10, 1));
    let active = SubscriptionRow {
        state: SubscriptionState::Active,
        state_since: 12,
        graph_id: Some("sub".into()),
        client_hash: Some([1; 32]),
        expires_at: 100,
        next_at: 50,
        generation: 1,
        problem: Some("why".into()),
        tries: 3,
        ..row.clone()
    };
    assert!(s.save_subscription(&active).await.unwrap());
    assert!(!s.save_subscription(&row).await.unwrap(), "it has moved on");
    assert_eq!(s.subscription("a").await.unwrap().unwrap(), SubscriptionRow { version: 2, ..active });
    s.add_subscriptions(99).await.unwrap();
    assert_eq!(s.subscription("a").await.unwrap().unwrap().next_at, 50, "there is one");
}

pub async fn subscriptions_are_due_in_their_time_and_after_another_sign_in(s: &dyn Store) {
    let row = made(s, "a").await;
    assert_eq!(due(s, 9).await, ["a"], "it was never made");
    let active = SubscriptionRow { state: SubscriptionState::Active, client_hash: Some([1; 32]), next_at: 50, generation: 1, ..row };
    s.save_subscription(&active).await.unwrap();
    assert_eq!((due(s, 49).await.len(), due(s, 50).await.len(), s.next_subscription().await.unwrap()), (0, 1, Some(50)));
    s.set_account_state("a", 1, AccountState::NeedsReconnect, None, 1).await.unwrap();
    assert_eq!((due(s, 50).await.len(), s.next_subscription().await.unwrap()), (0, None));
    s.store_account(&AccountRow { generation: 2, ..account("a") }, None, &[], None, 5).await.unwrap();
    assert_eq!(due(s, 20).await, ["a"]);
}

pub async fn what_is_told_of_a_subscription_makes_it_due(s: &dyn Store) {
    let row = made(s, "a").await;
    let active = SubscriptionRow { state: SubscriptionState::Active, graph_id: Some("sub".into()), client_hash: Some([1; 32]), expires_at: 100, next_at: 50, generation: 1, ..row };
    s.save_subscription(&active).await.unwrap();
    s.tell_subscriptions(&[([2; 32], Lifecycle::Removed), ([1; 32], Lifecycle::MustReauthorize)], 20).await.unwrap();
    let told = s.subscription("a").await.unwrap().unwrap();
    assert_eq!((told.must_reauthorize, told.next_at, told.version), (true, 20, 3));
    s.tell_subscriptions(&[([1; 32], Lifecycle::MustReauthorize)], 21).await.unwrap();
    assert_eq!(s.subscription("a").await.unwrap().unwrap().version, 3, "told already");
    s.tell_subscriptions(&[([1; 32], Lifecycle::Removed)], 22).await.unwrap();
    let gone = s.subscription("a").await.unwrap().unwrap();
    assert_eq!((gone.state, gone.graph_id, gone.client_hash, gone.next_at), (SubscriptionState::Absent, None, None, 22));
}

pub async fn notifications_find_their_subscription_by_its_client_state(s: &dyn Store) {
    let row = made(s, "a").await;
    made(s, "b").await;
    let creating = SubscriptionRow { state: SubscriptionState::Creating, client_hash: Some([1; 32]), ..row };
    s.save_subscription(&creating).await.unwrap();
    let known = |graph_id: Option<&str>| KnownSubscription { client_hash: [1; 32], account_id: "a".into(), graph_id: graph_id.map(str::to_owned), tenant_id: "t".into(), app: "default".into() };
    assert_eq!(s.known_subscriptions(&[[2; 32], [1; 32]]).await.unwrap(), [known(None)]);
    s.want_subscription("a", false, 5).await.unwrap();
    assert!(s.known_subscriptions(&[[1; 32]]).await.unwrap().is_empty(), "it is not wanted");
    assert_eq!(s.subscription("a").await.unwrap().unwrap().next_at, 5);
    assert!(!s.want_subscription("nobody", true, 5).await.unwrap());
    assert!(s.want_subscription("a", true, 6).await.unwrap());
    s.disconnect_account("a", "by hand", 7).await.unwrap();
    assert!(s.known_subscriptions(&[[1; 32]]).await.unwrap().is_empty());
    assert_eq!(s.subscription("a").await.unwrap(), None);
}

pub async fn news_stay_until_they_were_synced(s: &dyn Store) {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    let both = ["a".to_owned(), "b".to_owned(), "nobody".to_owned()];
    s.mark_news(&both, "one", 5).await.unwrap();
    s.mark_news(&both[..1], "two", 6).await.unwrap();
    let seen = s.news_of("a", "one").await.unwrap().unwrap();
    s.mark_news(&both[..1], "one", 7).await.unwrap();
    s.clear_news(&seen).await.unwrap();
    let left = |rows: Vec<NewsRow>| rows.into_iter().map(|row| (row.account_id, row.holder, row.number)).collect::<Vec<_>>();
    let row = |id: &str, holder: &str, number| (id.to_owned(), holder.to_owned(), number);
    assert_eq!(left(s.news().await.unwrap()), [row("b", "one", 1), row("a", "two", 1), row("a", "one", 2)], "told again meanwhile");
    s.clear_news(&s.news_of("a", "one").await.unwrap().unwrap()).await.unwrap();
    s.disconnect_account("b", "by hand", 8).await.unwrap();
    assert_eq!(left(s.news().await.unwrap()), [row("a", "two", 1)]);
    s.mark_news(&both, "one", 9).await.unwrap();
    assert!(s.news_of("b", "one").await.unwrap().is_none(), "it has ended");
}
