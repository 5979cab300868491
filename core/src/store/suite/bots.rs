//! What a bot knows: tokens, people, conversations.

use super::*;
use crate::model::{BotActivityKind, BotPlaceKind, BotPlaceState};
use crate::store::{ActivityBatch, BotPersonBy, BotPersonRow, BotTokenRow, BotWindow, ConversationRow, NewActivity};

fn person(id: &str, object_id: Option<&str>, hash: u8, version: i64) -> BotPersonRow {
    BotPersonRow {
        account_id: "a".into(),
        teams_user_id: id.into(),
        object_id: object_id.map(Into::into),
        address_hash: Some([hash; 32]),
        user_name_hash: Some([hash + 100; 32]),
        version,
        sealed: sealed(id),
    }
}

fn conversation(id: &str, user: Option<&str>, service_url: Option<&str>, at: i64) -> ConversationRow {
    ConversationRow {
        account_id: "a".into(),
        conversation_id: id.into(),
        kind: if user.is_some() { BotPlaceKind::Personal } else { BotPlaceKind::Channel },
        teams_user_id: user.map(Into::into),
        service_url: service_url.map(Into::into),
        state: BotPlaceState::Open,
        updated_at: at,
        active_at: at,
        version: 1,
        sealed: None,
    }
}

pub async fn the_newer_token_of_a_bot_stays(s: &dyn Store) {
    connect(s, "a").await;
    let row = |version, expires_at| BotTokenRow { name: "app tenant".into(), version, expires_at, sealed: sealed("token") };
    assert!(s.bot_token("app tenant").await.unwrap().is_none());
    s.save_bot_token(&row(1, 10)).await.unwrap();
    s.save_bot_token(&row(2, 20)).await.unwrap();
    s.save_bot_token(&row(2, 30)).await.unwrap();
    let kept = s.bot_token("app tenant").await.unwrap().unwrap();
    assert_eq!((kept.version, kept.expires_at), (2, 20));
    assert!(s.bot_token("app other").await.unwrap().is_none());
}

pub async fn people_of_a_bot_are_found_by_each_of_their_names(s: &dyn Store) {
    connect(s, "a").await;
    let gone = BotPersonRow { account_id: "nobody".into(), ..person("29:x", None, 9, 1) };
    s.keep_bot_people(&[person("29:1", Some("o1"), 1, 1), person("29:2", None, 2, 1), gone], 5).await.unwrap();
    let find = async |by: BotPersonBy| s.bot_person("a", &by).await.unwrap().map(|row| row.teams_user_id);
    assert_eq!(find(BotPersonBy::TeamsUser("29:1".into())).await.as_deref(), Some("29:1"));
    assert_eq!(find(BotPersonBy::Object("o1".into())).await.as_deref(), Some("29:1"));
    assert_eq!(find(BotPersonBy::Address([2; 32])).await.as_deref(), Some("29:2"));
    assert_eq!(find(BotPersonBy::Address([102; 32])).await.as_deref(), Some("29:2"));
    assert_eq!(find(BotPersonBy::Address([3; 32])).await, None);
    assert!(s.bot_person("nobody", &BotPersonBy::TeamsUser("29:x".into())).await.unwrap().is_none());
    // A later look that says less takes nothing away; an older one changes nothing.
    s.keep_bot_people(&[BotPersonRow { object_id: None, address_hash: None, ..person("29:1", None, 7, 2) }, person("29:2", Some("o2"), 8, 1)], 6).await.unwrap();
    assert_eq!(find(BotPersonBy::Object("o1".into())).await.as_deref(), Some("29:1"));
    assert_eq!(find(BotPersonBy::Address([1; 32])).await.as_deref(), Some("29:1"));
    assert_eq!(find(BotPersonBy::Object("o2".into())).await, None);
    let mut versions = s.bot_people_versions("a", &["29:1".into(), "29:2".into(), "29:3".into()]).await.unwrap();
    versions.sort();
    assert_eq!(versions, [("29:1".to_owned(), 2), ("29:2".to_owned(), 1)]);
}

pub async fn conversations_of_a_bot_are_remembered(s: &dyn Store) {
    connect(s, "a").await;
    assert_eq!(s.service_url("a").await.unwrap(), None);
    s.keep_conversation(&conversation("c1", Some("29:1"), None, 1)).await.unwrap();
    s.keep_conversation(&conversation("c2", None, Some("https://one/"), 2)).await.unwrap();
    s.keep_conversation(&conversation("c1", None, Some("https://two/"), 3)).await.unwrap();
    let kept = s.conversation("a", "c1").await.unwrap().unwrap();
    assert_eq!((kept.teams_user_id.as_deref(), kept.service_url.as_deref(), kept.updated_at), (Some("29:1"), Some("https://two/"), 3));
    assert_eq!(s.service_url("a").await.unwrap().as_deref(), Some("https://two/"));
    s.keep_conversation(&conversation("c1", Some("29:1"), None, 4)).await.unwrap();
    assert_eq!(s.conversation("a", "c1").await.unwrap().unwrap().service_url.as_deref(), Some("https://two/"), "what is not said stays");
    assert_eq!(s.conversation_with("a", "29:1").await.unwrap().map(|row| row.conversation_id).as_deref(), Some("c1"));
    s.set_conversation_state("a", "c1", BotPlaceState::Blocked).await.unwrap();
    s.set_conversation_state("a", "c9", BotPlaceState::Blocked).await.unwrap();
    assert!(s.conversation_with("a", "29:1").await.unwrap().is_none());
    assert_eq!(s.conversation("a", "c1").await.unwrap().unwrap().state, BotPlaceState::Blocked);
    s.keep_conversation(&conversation("c2", None, Some("https://three/"), 6)).await.unwrap();
    s.set_conversation_state("a", "c1", BotPlaceState::Gone).await.unwrap();
    assert_eq!(s.service_url("a").await.unwrap().as_deref(), Some("https://three/"), "that a conversation is gone says nothing of where the organisation is");
    s.keep_conversation(&ConversationRow { account_id: "nobody".into(), ..conversation("c3", None, None, 1) }).await.unwrap();
    assert!(s.conversation("nobody", "c3").await.unwrap().is_none());
}

pub async fn an_activity_is_taken_once_with_all_it_says(s: &dyn Store) {
    connect(s, "a").await;
    let batch = |account: &str, mark: &str, at: i64| ActivityBatch {
        reachable: Vec::new(),
        endpoints: Vec::new(),
        person: Some(BotPersonRow { account_id: account.into(), ..person("29:1", Some("o1"), 1, at) }),
        conversation: ConversationRow { account_id: account.into(), sealed: Some(sealed("names")), version: at, ..conversation("c1", Some("29:1"), Some("https://one/"), at) },
        activity: Some((
            NewActivity {
                public_id: format!("act_{account}{mark}"),
                account_id: account.into(),
                conversation_id: "c1".into(),
                activity_id: mark.into(),
                kind: BotActivityKind::Message,
                mark: mark.into(),
                at,
                received_at: at,
                sealed: sealed("said"),
            },
            Some(ChangeKind::BotMessage),
        )),
    };
    assert_eq!(s.take_activity(&batch("a", "1", 10)).await.unwrap(), Some(true));
    assert_eq!(s.take_activity(&batch("a", "2", 20)).await.unwrap(), Some(true));
    assert_eq!(s.take_activity(&batch("a", "1", 30)).await.unwrap(), Some(false), "posted again");
    assert_eq!(s.take_activity(&batch("nobody", "1", 10)).await.unwrap(), None);
    assert!(s.bot_person("a", &BotPersonBy::Object("o1".into())).await.unwrap().is_some());
    let told = changes(s, 0).await.into_iter().filter(|row| row.kind == ChangeKind::BotMessage).map(|row| row.subject_id.unwrap()).collect::<Vec<_>>();
    assert_eq!(told, ["act_a1", "act_a2"]);
    let window = BotWindow { account_ids: vec!["a".into()], limit: 1, ..BotWindow::default() };
    let rows = s.activities(&window).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.public_id.as_str()).collect::<Vec<_>>(), ["act_a2", "act_a1"], "the newest first, and one more than the limit");
    assert_eq!(s.activities(&BotWindow { before: Some((rows[0].at, rows[0].row_id)), ..window.clone() }).await.unwrap().len(), 1);
    assert!(s.activities(&BotWindow { conversation_id: Some("c2".into()), ..window.clone() }).await.unwrap().is_empty());
    assert_eq!(s.activity("act_a1").await.unwrap().unwrap().activity_id, "1");
    let conversations = s.conversations(&window).await.unwrap();
    assert_eq!((conversations.len(), conversations[0].1.active_at, conversations[0].1.version), (1, 20, 20));
    assert!(s.organisations("nowhere").await.unwrap().is_empty());
    let own = s.own_activity("a", "1").await.unwrap().unwrap();
    assert!(s.own_activity("nobody", "1").await.unwrap().is_none());
    let gone = sealed("gone");
    s.change_activity(&own.public_id, BotActivityKind::MessageDeleted, &gone).await.unwrap();
    let changed = s.activity(&own.public_id).await.unwrap().unwrap();
    assert_eq!((changed.kind, changed.at, changed.sealed == gone), (BotActivityKind::MessageDeleted, own.at, true));
    assert!(!s.is_conversation_of_another("c1", "nowhere").await.unwrap() && !s.is_conversation_of_another("unknown", "nowhere").await.unwrap(), "a person's account is no organisation");
    // It only tells where somebody can be reached.
    assert_eq!(s.take_activity(&ActivityBatch { activity: None, ..batch("a", "3", 40) }).await.unwrap(), Some(true));
    assert_eq!(s.activities(&BotWindow { limit: 10, ..window }).await.unwrap().len(), 2);
    s.keep_conversation(&conversation("19:x@thread.tacv2;messageid=1", None, None, 10)).await.unwrap();
    s.keep_conversation(&conversation("19:x@thread.tacv2;messageid=2", None, None, 20)).await.unwrap();
    s.keep_conversation(&conversation("19:x@thread.tacv2", None, None, 10)).await.unwrap();
    // What is older than is kept goes; of conversations the threads alone.
    let kept = Kept { now: 100, changes_since: 15, most_changes: 100, sends_since: 0, senders_since: 0 };
    s.trim(&kept, 10).await.unwrap();
    assert!(s.activity("act_a1").await.unwrap().is_none() && s.activity("act_a2").await.unwrap().is_some());
    let left = s.conversations(&BotWindow { account_ids: vec!["a".into()], limit: 10, ..BotWindow::default() }).await.unwrap();
    let mut left: Vec<String> = left.into_iter().map(|(_, row)| row.conversation_id).collect();
    left.sort();
    assert_eq!(left, ["19:x@thread.tacv2", "19:x@thread.tacv2;messageid=2", "c1"]);
}
