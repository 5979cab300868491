//! What was changed of messages here, until the mailbox has it.

use super::*;

fn edit(graph_id: &str, property: EditedProperty, number: i64) -> EditRow {
    EditRow {
        account_id: "a".into(),
        graph_id: graph_id.into(),
        property,
        number,
        version: number,
        edited_at: number,
        is_open: true,
        is_begun: false,
        tries: 0,
        modified: None,
        sealed: sealed("wish"),
    }
}

async fn shown(s: &dyn Store, graph_id: &str, is_read: bool, folder: &str, change: ChangeKind) -> MessageEdit {
    let row = s.message(&format!("msg_{graph_id}"), None).await.unwrap().unwrap();
    MessageEdit { row_id: row.row_id, account_id: "a".into(), version: row.version, head: sealed("head"), is_read, folder_id: folder.into(), change: Some(change) }
}

async fn put(s: &dyn Store, row: EditRow, seen: Option<i64>) -> bool {
    s.write_edits(EditBatch { edits: vec![(row, seen)], now: 5, ..EditBatch::default() }).await.unwrap()
}

async fn end(s: &dyn Store, row: EditRow, end: EditEnd) {
    assert!(s.write_edits(EditBatch { ended: vec![row.ended(end)], now: 9, ..EditBatch::default() }).await.unwrap());
}

/// Property, number, whether open and begun, tries, version.
async fn here(s: &dyn Store, graph_id: &str) -> Vec<(EditedProperty, i64, bool, bool, u32, i64)> {
    s.edits_of("a", &[graph_id]).await.unwrap().into_iter().map(|e| (e.property, e.number, e.is_open, e.is_begun, e.tries, e.version)).collect()
}

pub async fn a_change_is_shown_with_what_is_to_be_delivered(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1), message("n", "in", 1)], |_| {}).await;
    let since = last(s).await;
    let batch = EditBatch {
        messages: vec![shown(s, "m", true, "out", ChangeKind::MessageMoved).await, shown(s, "n", true, "in", ChangeKind::MessageChanged).await],
        edits: vec![(edit("m", EditedProperty::Place, 1), None), (edit("n", EditedProperty::Read, 1), None)],
        now: 5,
        ..EditBatch::default()
    };
    assert!(s.write_edits(batch.clone()).await.unwrap());
    let moved = s.message("msg_m", None).await.unwrap().unwrap();
    assert!(moved.is_read && moved.folder_id == "out" && moved.version == 2);
    assert_eq!(told(s, since).await, [ChangeKind::MessageMoved, ChangeKind::MessageChanged]);
    let stored: Vec<(String, u32)> = s.folders("a").await.unwrap().into_iter().map(|f| (f.row.graph_id, f.stored)).collect();
    assert_eq!(stored, [("in".to_owned(), 1), ("out".to_owned(), 1)]);
    let rows = [id_of(s, "m").await, id_of(s, "n").await];
    assert_eq!(s.waiting_edits(&rows).await.unwrap().len(), 2);
    // What was planned over what is not here any more is not written, in no part.
    assert!(!s.write_edits(batch).await.unwrap());
    assert_eq!(told(s, since).await.len(), 2);
    // A page that was planned before changes nothing either.
    let late = apply(s, &lease, vec![message("m", "in", 2)], |b| b.cursor = None).await;
    assert_eq!(late, Applied::Refused(Refusal::Outdated));
}

pub async fn a_newer_change_replaces_the_older_one(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |_| {}).await;
    assert!(put(s, edit("m", EditedProperty::Place, 1), None).await && put(s, edit("m", EditedProperty::Flag, 1), None).await);
    s.begin_moves("a", &[("m".into(), 1)]).await.unwrap();
    end(s, edit("m", EditedProperty::Place, 1), EditEnd::Later { next_at: 900, is_counted: true }).await;
    assert!(!put(s, edit("m", EditedProperty::Place, 2), None).await, "there is one");
    assert!(put(s, edit("m", EditedProperty::Place, 2), Some(1)).await);
    let place = |number, begun, version| (EditedProperty::Place, number, true, begun, 0, version);
    let flag = (EditedProperty::Flag, 1, true, false, 0, 1);
    assert_eq!(here(s, "m").await, [place(2, true, 2), flag], "the older one may have been sent");
    end(s, edit("m", EditedProperty::Place, 2), EditEnd::Arrived { modified: Some(7) }).await;
    assert!(put(s, edit("m", EditedProperty::Place, 3), Some(2)).await);
    assert_eq!(here(s, "m").await, [place(3, false, 3), flag]);
}

pub async fn changes_wait_for_their_time_and_their_account(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1), message("n", "in", 1)], |_| {}).await;
    assert_eq!((s.next_edit_at().await.unwrap(), s.accounts_with_edits(9).await.unwrap()), (None, vec![]));
    put(s, edit("m", EditedProperty::Read, 1), None).await;
    put(s, edit("n", EditedProperty::Read, 1), None).await;
    end(s, edit("m", EditedProperty::Read, 1), EditEnd::Later { next_at: 50, is_counted: true }).await;
    let due = async |now| s.due_edits("a", now, 10).await.unwrap().into_iter().map(|e| e.graph_id).collect::<Vec<_>>();
    assert_eq!((due(49).await, due(50).await), (vec!["n".to_owned()], vec!["m".to_owned(), "n".to_owned()]));
    assert_eq!(s.due_edits("a", 50, 1).await.unwrap().len(), 1);
    assert_eq!(s.accounts_with_edits(9).await.unwrap(), ["a"]);
    end(s, edit("n", EditedProperty::Read, 1), EditEnd::Arrived { modified: None }).await;
    assert_eq!((s.next_edit_at().await.unwrap(), s.accounts_with_edits(49).await.unwrap()), (Some(50), vec![]));
    s.set_account_state("a", 1, AccountState::NeedsReconnect, None, 5).await.unwrap();
    assert_eq!((s.next_edit_at().await.unwrap(), s.accounts_with_edits(50).await.unwrap()), (None, vec![]));
    let error = s.write_edits(EditBatch { edits: vec![(edit("n", EditedProperty::Flag, 1), None)], ..EditBatch::default() }).await.unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::NotConnected);
    // What arrived is remembered until it is old.
    s.forget_edits(9).await.unwrap();
    assert_eq!(here(s, "n").await.len(), 1);
    s.forget_edits(10).await.unwrap();
    assert!(here(s, "n").await.is_empty() && !here(s, "m").await.is_empty());
}

pub async fn what_becomes_of_a_change_is_not_said_of_a_newer_one(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |_| {}).await;
    put(s, edit("m", EditedProperty::Read, 2), None).await;
    for ending in [EditEnd::Arrived { modified: None }, EditEnd::Dropped, EditEnd::Later { next_at: 9, is_counted: true }, EditEnd::Rebased { sealed: sealed("x"), version: 3 }] {
        end(s, edit("m", EditedProperty::Read, 1), ending).await;
        assert_eq!(here(s, "m").await, [(EditedProperty::Read, 2, true, false, 0, 2)]);
    }
    end(s, edit("m", EditedProperty::Read, 2), EditEnd::Rebased { sealed: sealed("x"), version: 3 }).await;
    assert_eq!(here(s, "m").await[0].5, 3);
    // With a page.
    let ended = edit("m", EditedProperty::Read, 2).ended(EditEnd::Dropped);
    apply(s, &lease, vec![], |b| b.edits = vec![ended.clone()]).await;
    assert!(here(s, "m").await.is_empty());
    // A change key is learnt where it is the one that was known.
    let keys = |known: &str| EditBatch { change_keys: vec![("a".into(), "m".into(), known.into(), "new".into())], ..EditBatch::default() };
    s.write_edits(keys("other")).await.unwrap();
    assert_eq!(s.message("msg_m", None).await.unwrap().unwrap().change_key, "ck1");
    s.write_edits(keys("ck1")).await.unwrap();
    assert_eq!(s.message("msg_m", None).await.unwrap().unwrap().change_key, "new");
}

pub async fn changes_go_with_their_message_and_account(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1), message("n", "in", 1), message("o", "in", 1)], |_| {}).await;
    for id in ["m", "n", "o"] {
        put(s, edit(id, EditedProperty::Read, 1), None).await;
        put(s, edit(id, EditedProperty::Place, 1), None).await;
    }
    // The mailbox has no such message: it is proven as any other removal.
    end(s, edit("m", EditedProperty::Read, 1), EditEnd::Gone).await;
    assert!(here(s, "m").await.is_empty());
    assert_eq!(s.pending_removals("a", 10, 10).await.unwrap(), [("m".to_owned(), "in".to_owned())]);
    // One that was moved here stays where it is shown, wherever the mailbox has it.
    apply(s, &lease, vec![], |b| b.pending_removals = vec!["n".into(), "o".into()]).await;
    let there = [("n".to_owned(), "out".to_owned())];
    let settled = Settled { gone: &["m".to_owned(), "o".to_owned()], there: &there, later: &[] };
    s.settle("a", 1, &lease, Question::PendingRemovals, &settled, 9).await.unwrap().unwrap();
    assert_eq!(s.message("msg_n", None).await.unwrap().unwrap().folder_id, "in");
    assert!(here(s, "o").await.is_empty() && here(s, "n").await.len() == 2);
    s.disconnect_account("a", "why", 9).await.unwrap();
    assert!(here(s, "n").await.is_empty());
}
