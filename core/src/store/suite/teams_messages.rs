//! Messages of chats, and how far each chat is.

use super::*;

fn message(id: &str, sent_at: i64, digest: u8, version: i64) -> NewTeamsMessage {
    NewTeamsMessage { public_id: format!("tms_{id}"), graph_id: id.into(), sent_at, digest: [digest; 32], version, sealed: sealed(id) }
}

pub async fn messages_are_kept_with_the_place_of_their_chat(s: &dyn Store) {
    let account = connect(s, "a").await;
    let lease = s.take_lease("chats/a", "me", 0, 1_000_000).await.unwrap().unwrap();
    let batch = |chat: &str, put: Vec<NewTeamsMessage>, gone: &[&str], mark: u8| TeamsMessageBatch {
        account_id: "a".into(),
        generation: account.generation,
        lease: lease.clone(),
        place: ChatPlaceRow { chat_id: chat.into(), mark: [mark; 32], known_to: 100 },
        put,
        gone: gone.iter().map(|id| (*id).to_owned()).collect(),
        now: 5,
    };
    assert_eq!(s.chats_looked_at("a").await.unwrap(), None);
    assert!(s.chats_were_looked_at("a", account.generation, &lease, 7).await.unwrap());
    assert_eq!(s.chats_looked_at("a").await.unwrap(), Some(7));
    assert_eq!(s.store_teams_messages(batch("x", vec![message("1", 10, 1, 1), message("2", 20, 1, 1)], &[], 1)).await.unwrap(), Some(2));
    // Ids are those of a chat.
    assert_eq!(s.store_teams_messages(batch("y", vec![NewTeamsMessage { public_id: "tms_y1".into(), ..message("1", 15, 1, 1) }], &[], 2)).await.unwrap(), Some(1));
    let mut places = s.chat_places("a").await.unwrap();
    places.sort_by(|a, b| a.chat_id.cmp(&b.chat_id));
    assert_eq!(places.iter().map(|place| (place.chat_id.as_str(), place.mark[0], place.known_to)).collect::<Vec<_>>(), [("x", 1, 100), ("y", 2, 100)]);
    assert_eq!(s.known_teams_messages("a", "x", &["1".into(), "9".into()]).await.unwrap(), [KnownTeamsMessage { graph_id: "1".into(), digest: [1; 32], version: 1 }]);
    let window = TeamsMessageWindow { account_ids: vec!["a".into()], limit: 2, ..TeamsMessageWindow::default() };
    let ids = |rows: Vec<TeamsMessageRow>| rows.into_iter().map(|row| row.public_id).collect::<Vec<_>>();
    let rows = s.teams_messages(&window).await.unwrap();
    let before = Some((rows[1].sent_at, rows[1].row_id));
    assert_eq!(ids(rows), ["tms_2", "tms_y1", "tms_1"], "the newest first, and one more than the limit");
    assert_eq!(ids(s.teams_messages(&TeamsMessageWindow { before, ..window.clone() }).await.unwrap()), ["tms_1"]);
    assert_eq!(ids(s.teams_messages(&TeamsMessageWindow { chat_id: Some("y".into()), ..window.clone() }).await.unwrap()), ["tms_y1"]);
    assert_eq!(s.store_teams_messages(batch("x", vec![message("2", 20, 2, 2)], &["1", "9"], 3)).await.unwrap(), Some(2));
    let told: Vec<ChangeKind> = changes(s, 0).await.into_iter().map(|row| row.kind).filter(|kind| matches!(kind, ChangeKind::ChatMessageChanged | ChangeKind::ChatMessageRemoved)).collect();
    assert_eq!(told.iter().filter(|kind| **kind == ChangeKind::ChatMessageRemoved).count(), 1);
    assert_eq!(told.len(), 5);
    let stale = TeamsMessageBatch { generation: account.generation + 1, ..batch("x", vec![], &["2"], 4) };
    assert_eq!(s.store_teams_messages(stale).await.unwrap(), None);
    s.begin_purge(Purged::Account("a"), "purged", 7).await.unwrap();
    while s.erase_some("a", 1, 8).await.unwrap() {}
    assert!(s.teams_messages(&window).await.unwrap().is_empty() && s.chat_places("a").await.unwrap().is_empty() && s.chats_looked_at("a").await.unwrap().is_none());
}
