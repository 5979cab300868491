//! Pages, moves, questions, lists, the feed.

use super::*;

pub async fn a_page_and_its_cursor_are_one(s: &dyn Store) {
    let lease = mailbox(s).await;
    let since = last(s).await;
    let applied = apply(s, &lease, vec![message("m", "in", 1), message("M", "in", 1)], |_| {}).await;
    assert_eq!(applied, Applied::Written { stored: 2 }, "ids differ by letter case");
    let folder = s.folders("a").await.unwrap().remove(0);
    assert_eq!((folder.stored, folder.cursor.as_ref().unwrap().version, folder.cursor.unwrap().is_delta), (2, 1, false));
    assert_eq!(told(s, since).await, [ChangeKind::MessageAdded, ChangeKind::MessageAdded]);
    let known = s.known("a", &["m", "none", "M", "m"]).await.unwrap();
    assert_eq!(known.len(), 2);
    assert!(s.known("b", &["m"]).await.unwrap().is_empty() && s.known("a", &[]).await.unwrap().is_empty());
    let row = s.message("msg_m", None).await.unwrap().unwrap();
    assert_eq!((row.graph_id.as_str(), row.version, row.change_key.as_str()), ("m", 1, "ck1"));
    assert_eq!(s.body(row.row_id).await.unwrap().unwrap().1, 1);
    // A head alone: the body stays, at the version it was sealed for.
    apply(s, &lease, vec![NewMessage { body: None, is_read: true, ..message("m", "in", 2) }], |_| {}).await;
    assert_eq!(s.message("msg_m", None).await.unwrap().unwrap().version, 2);
    assert_eq!(s.body(row.row_id).await.unwrap().unwrap().1, 1);
    assert_eq!(s.messages(&MessageWindow { is_read: Some(true), ..window() }).await.unwrap().rows.len(), 1);
}

pub async fn the_same_page_twice_changes_nothing(s: &dyn Store) {
    let lease = mailbox(s).await;
    let mut batch = page("a", &lease, vec![message("m", "in", 1), message("n", "in", 1)]);
    batch.quarantined = vec![
        Quarantined { graph_id: None, raw: sealed("raw"), place: "p1".into(), reason: "unreadable".into(), kind: QuarantineKind::Message },
        Quarantined { graph_id: Some("q".into()), raw: sealed("raw"), place: "p2".into(), reason: "unreadable".into(), kind: QuarantineKind::Message },
    ];
    s.apply(batch.clone()).await.unwrap();
    let since = last(s).await;
    let again = s.apply(batch.clone()).await.unwrap();
    assert_eq!(again, Applied::Written { stored: 2 });
    assert_eq!(told(s, since).await, []);
    assert_eq!(s.count_quarantine("a").await.unwrap(), 2);
    // Once readable it leaves the quarantine.
    apply(s, &lease, vec![message("q", "in", 1)], |_| {}).await;
    assert_eq!(s.count_quarantine("a").await.unwrap(), 1);
}

pub async fn a_page_that_was_planned_over_something_else_changes_nothing(s: &dyn Store) {
    let lease = mailbox(s).await;
    let cursor = |version| Some(Cursor { link: sealed("link"), version, is_delta: true });
    apply(s, &lease, vec![NewMessage { is_unlisted: true, ..message("m", "in", 1) }], |b| b.cursor = cursor(1)).await;
    s.put_attachments("a", 1, &[AttachmentList { graph_id: "m".into(), version: 1, head: Some(sealed("head")), has_attachments: true }], &[], 5).await.unwrap();
    let since = last(s).await;
    let late = || vec![message("m", "in", 2), message("n", "in", 1)];
    for outside in [false, true] {
        let applied = apply(s, &lease, late(), |b| b.cursor = if outside { None } else { cursor(2) }).await;
        assert!(applied == Applied::Refused(Refusal::Outdated) && told(s, since).await.is_empty() && s.known("a", &["n"]).await.unwrap().is_empty());
    }
    assert_eq!(s.folders("a").await.unwrap()[0].cursor.as_ref().unwrap().version, 1, "it is asked for once more");
    assert_eq!(apply(s, &lease, vec![message("m", "in", 3), message("n", "in", 1)], |b| b.cursor = cursor(2)).await, Applied::Written { stored: 2 });
}

pub async fn attachments_are_listed_for_the_message_that_was_seen(s: &dyn Store) {
    let lease = mailbox(s).await;
    let of = |id: &str, version, at| NewMessage { is_unlisted: true, received_at: Some(at), ..message(id, "in", version) };
    apply(s, &lease, vec![of("old", 1, 1), of("new", 1, 9), message("none", "in", 1), of("fails", 1, 5), of("changes", 1, 4)], |_| {}).await;
    let ids = async |now| s.unlisted("a", now, 10).await.unwrap().into_iter().map(|m| m.graph_id).collect::<Vec<_>>();
    assert_eq!(ids(5).await, ["new", "fails", "changes", "old"]);
    assert_eq!((s.count_unlisted("a", 5).await.unwrap(), s.unlisted("a", 5, 2).await.unwrap().len(), s.count_unlisted("b", 5).await.unwrap()), (4, 2, 0));
    apply(s, &lease, vec![of("changes", 2, 4)], |b| b.cursor = Some(Cursor { link: sealed("link"), version: 2, is_delta: false })).await;
    let since = last(s).await;
    let files = sealed("files");
    let list = |id: &str, head: bool| AttachmentList { graph_id: id.into(), version: 1, head: head.then(|| files.clone()), has_attachments: true };
    let aside = |place: &str| Quarantined { graph_id: Some("fails".into()), raw: sealed("raw"), place: place.into(), reason: "busy".into(), kind: QuarantineKind::Attachments };
    let lists = [list("new", true), list("old", false), list("changes", true), list("gone", true), list("none", true)];
    assert_eq!(s.put_attachments("a", 2, &lists, &[], 5).await.unwrap(), None, "the account was connected anew");
    assert_eq!(s.put_attachments("a", 1, &lists, &[(1, aside("p1"))], 5).await.unwrap(), Some(3));
    assert_eq!(told(s, since).await, [ChangeKind::MessageChanged], "what is new in it is told, and nothing else");
    let row = s.message("msg_new", None).await.unwrap().unwrap();
    assert_eq!((row.version, row.head.as_bytes() == files.as_bytes(), s.body(row.row_id).await.unwrap().unwrap().1), (2, true, 1));
    assert_eq!((s.message("msg_old", None).await.unwrap().unwrap().version, s.message("msg_none", None).await.unwrap().unwrap().version), (1, 1));
    // One that fails waits longer and longer, and is no message to be fetched anew.
    assert_eq!((ids(5).await, s.count_unlisted("a", 5).await.unwrap(), s.count_quarantine("a").await.unwrap()), (vec!["changes".to_owned()], 1, 1));
    assert_eq!(ids(60_005).await, ["fails", "changes"]);
    assert!(s.due_quarantine("a", i64::MAX, 10).await.unwrap().is_empty());
    assert_eq!(s.put_attachments("a", 1, &[], &[(1, aside("p2"))], 60_005).await.unwrap(), Some(1));
    assert_eq!(s.quarantine("a", 10).await.unwrap().iter().map(|q| (q.tries, q.next_at)).collect::<Vec<_>>(), [(2, 300_005)]);
    assert_eq!(s.put_attachments("a", 1, &[list("fails", true)], &[], 300_005).await.unwrap(), Some(1));
    assert_eq!(s.count_quarantine("a").await.unwrap(), 0);
    // Who is gone is not asked about.
    apply(s, &lease, vec![], |b| b.pending_removals = vec!["changes".into()]).await;
    s.settle("a", 1, &lease, Question::PendingRemovals, &Settled { gone: &["changes".into()], there: &[], later: &[] }, 9).await.unwrap();
    assert!(ids(i64::MAX).await.is_empty());
    assert_eq!(s.put_attachments("a", 1, &[AttachmentList { version: 2, ..list("changes", true) }], &[], 9).await.unwrap(), Some(0));
}

pub async fn a_stranger_writes_nothing(s: &dyn Store) {
    let lease = mailbox(s).await;
    let lost = Lease { fence: lease.fence - 1, ..lease.clone() };
    let taken_over = Applied::Refused(Refusal::TakenOver);
    assert_eq!(apply(s, &lost, vec![message("m", "in", 1)], |_| {}).await, taken_over);
    assert_eq!(apply(s, &lease, vec![message("m", "in", 1)], |b| b.generation = 2).await, taken_over);
    assert_eq!(apply(s, &lease, vec![message("m", "in", 1)], |b| b.folder_id = "nowhere".into()).await, taken_over);
    assert!(!s.save_folders("a", 1, &lost, &listed(&[]), 1).await.unwrap());
    assert_eq!(s.note_cursor("a", "in", 1, &lost, CursorEvent::Lost, 1).await.unwrap(), None);
    assert!(s.settle("a", 1, &lost, Question::PendingRemovals, &Settled { gone: &["m".into()], there: &[], later: &[] }, 1).await.unwrap().is_none());
    assert!(s.messages(&window()).await.unwrap().rows.is_empty());
    assert_eq!(s.folders("a").await.unwrap().len(), 2);
}

pub async fn a_move_is_no_removal(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |_| {}).await;
    apply(s, &lease, vec![], |b| b.pending_removals = vec!["m".into(), "stranger".into()]).await;
    assert_eq!(s.pending_removals("a", i64::MAX, 10).await.unwrap(), [("m".to_owned(), "in".to_owned())]);
    // It turns up elsewhere: the question is answered and the row is the same.
    let since = last(s).await;
    let moved = NewMessage { change: Some(ChangeKind::MessageMoved), ..message("m", "out", 2) };
    apply(s, &lease, vec![moved], |b| b.folder_id = "out".into()).await;
    assert!(s.pending_removals("a", i64::MAX, 10).await.unwrap().is_empty());
    assert_eq!(told(s, since).await, [ChangeKind::MessageMoved]);
    let now = s.message("msg_m", None).await.unwrap().unwrap();
    assert_eq!(now.folder_id, "out");
    let stored: Vec<_> = s.folders("a").await.unwrap().into_iter().map(|f| f.stored).collect();
    assert_eq!(stored, [0, 1]);
    // The page of the old folder comes late: no question at all.
    apply(s, &lease, vec![], |b| b.pending_removals = vec!["m".into()]).await;
    assert!(s.pending_removals("a", i64::MAX, 10).await.unwrap().is_empty());
}

pub async fn questions_are_settled(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, ["gone", "moved", "stays"].map(|id| message(id, "in", 1)).to_vec(), |_| {}).await;
    let (gone, body) = ("msg_gone", id_of(s, "gone").await);
    apply(s, &lease, vec![], |b| b.pending_removals = ["gone", "moved", "stays"].map(Into::into).to_vec()).await;
    assert_eq!(s.pending_removals("a", i64::MAX, 2).await.unwrap().len(), 2);
    let since = last(s).await;
    let there = [("moved".to_owned(), "out".to_owned()), ("stays".to_owned(), "in".to_owned())];
    // What was never asked is not removed, whatever is claimed.
    let settled = s.settle("a", 1, &lease, Question::PendingRemovals, &Settled { gone: &["gone".into(), "unasked".into()], there: &there, later: &[] }, 9).await.unwrap();
    assert_eq!(settled, Some((1, 1)));
    assert_eq!(told(s, since).await, [ChangeKind::MessageRemoved, ChangeKind::MessageMoved]);
    assert!(s.pending_removals("a", i64::MAX, 10).await.unwrap().is_empty());
    assert!(s.message(gone, None).await.unwrap().is_none() && s.body(body).await.unwrap().is_none());
    assert!(s.known("a", &["gone"]).await.unwrap()[0].is_removed);
    assert_eq!(s.message("msg_moved", None).await.unwrap().unwrap().folder_id, "out");
    let stored: Vec<_> = s.folders("a").await.unwrap().into_iter().map(|f| f.stored).collect();
    assert_eq!(stored, [1, 1]);
    assert_eq!(s.settle("a", 1, &lease, Question::PendingRemovals, &Settled { gone: &["stays".into()], there: &[], later: &[] }, 9).await.unwrap(), Some((0, 0)));
    assert_eq!(s.messages(&window()).await.unwrap().rows.len(), 2);
    // A replay of the page that first brought it does not bring it back …
    let since = last(s).await;
    apply(s, &lease, vec![message("gone", "in", 1)], |_| {}).await;
    apply(s, &lease, vec![], |b| b.seen = vec!["gone".into()]).await;
    assert!(s.message(gone, None).await.unwrap().is_none() && told(s, since).await.is_empty());
    // … a fresh listing does, under its old id and as an addition.
    apply(s, &lease, vec![message("gone", "in", 2)], |_| {}).await;
    assert_eq!(told(s, since).await, [ChangeKind::MessageAdded]);
    assert_eq!(s.message(gone, None).await.unwrap().unwrap().version, 2);
    assert_eq!(s.folders("a").await.unwrap()[0].stored, 2);
}

pub async fn a_complete_pass_asks_for_what_it_did_not_show(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, ["a", "b", "c"].map(|id| message(id, "in", 1)).to_vec(), |b| b.completes_pass = true).await;
    assert!(s.pending_removals("a", i64::MAX, 10).await.unwrap().is_empty());
    // An ordinary delta round shows only what changed and asks nothing.
    apply(s, &lease, vec![], |b| b.completes_pass = true).await;
    assert!(s.pending_removals("a", i64::MAX, 10).await.unwrap().is_empty());
    assert_eq!(s.note_cursor("a", "in", 1, &lease, CursorEvent::Lost, 7).await.unwrap(), Some(1));
    let folder = s.folders("a").await.unwrap().remove(0);
    assert_eq!((folder.enumeration, folder.cursor.is_none()), (2, true));
    apply(s, &lease, vec![message("b", "in", 2)], |b| { b.enumeration = 2; b.seen = vec!["a".into()]; }).await;
    assert!(s.pending_removals("a", i64::MAX, 10).await.unwrap().is_empty(), "half a pass proves nothing");
    apply(s, &lease, vec![message("d", "in", 1)], |b| { b.enumeration = 2; b.completes_pass = true; b.cursor.as_mut().unwrap().is_delta = true; }).await;
    assert_eq!(s.pending_removals("a", i64::MAX, 10).await.unwrap(), [("c".to_owned(), "in".to_owned())]);
    let folder = s.folders("a").await.unwrap().remove(0);
    assert!(folder.cursor.unwrap().is_delta);
    // The comparison is over: the next round is an ordinary one again.
    s.settle("a", 1, &lease, Question::PendingRemovals, &Settled { gone: &["c".to_owned()], there: &[], later: &[] }, 1).await.unwrap();
    apply(s, &lease, vec![], |b| { b.enumeration = 3; b.completes_pass = true; b.cursor.as_mut().unwrap().is_delta = true; }).await;
    assert!(s.pending_removals("a", i64::MAX, 10).await.unwrap().is_empty());
}

pub async fn what_was_listed_is_to_be_shown_by_the_enumeration(s: &dyn Store) {
    let lease = mailbox(s).await;
    let outside = async |ids: &[&str], seen: &[&str]| {
        apply(s, &lease, ids.iter().map(|id| message(id, "in", 1)).collect(), |b| {
            (b.enumeration, b.cursor) = (0, None);
            b.seen = seen.iter().map(|id| (*id).to_owned()).collect();
        }).await
    };
    assert_eq!(outside(&["a", "b", "c"], &[]).await, Applied::Written { stored: 3 });
    assert!(s.folders("a").await.unwrap()[0].cursor.is_none());
    apply(s, &lease, vec![message("d", "in", 1), message("b", "in", 2)], |b| b.seen = vec!["a".into()]).await;
    // Listed once more, by a process that begins anew: what the enumeration has shown stays shown.
    outside(&[], &["a", "b", "c", "d"]).await;
    apply(s, &lease, vec![message("a", "in", 2)], |b| (b.enumeration, b.cursor) = (0, None)).await;
    assert_eq!(apply(s, &lease, vec![], |b| b.completes_pass = true).await, Applied::Written { stored: 4 });
    assert_eq!(s.pending_removals("a", i64::MAX, 10).await.unwrap(), [("c".to_owned(), "in".to_owned())], "it may have left before the enumeration came to it");
    // What is listed once that is over would be asked about by nobody.
    apply(s, &lease, vec![], |b| b.cursor = Some(Cursor { link: sealed("link"), version: 2, is_delta: true })).await;
    assert!(outside(&["e"], &[]).await == Applied::Refused(Refusal::Late) && s.known("a", &["e"]).await.unwrap().is_empty());
    assert_eq!(apply(s, &lease, vec![message("e", "in", 1)], |b| b.cursor = None).await, Applied::Written { stored: 5 });
}

pub async fn a_folder_that_is_gone_asks_for_its_mail(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |b| b.completes_pass = true).await;
    assert!(s.save_folders("a", 1, &lease, &FolderNews { gone: vec!["in".into(), "never seen".into()], ..listed(&[FolderRow { total: 9, ..folder("out") }]) }, 5).await.unwrap());
    let folders = s.folders("a").await.unwrap();
    assert_eq!((folders.len(), folders[0].row.total), (1, 9));
    assert_eq!(s.pending_removals("a", i64::MAX, 10).await.unwrap(), [("m".to_owned(), "in".to_owned())]);
    assert_eq!(s.settle("a", 1, &lease, Question::PendingRemovals, &Settled { gone: &[], there: &[("m".into(), "out".into())], later: &[] }, 6).await.unwrap(), Some((0, 1)));
    assert_eq!(s.folders("a").await.unwrap()[0].stored, 1);
    // It returns: enumerated anew, with a pass of its own.
    s.save_folders("a", 1, &lease, &listed(&[folder("in"), folder("out")]), 7).await.unwrap();
    let back = s.folders("a").await.unwrap().into_iter().find(|f| f.row.graph_id == "in").unwrap();
    assert!(back.cursor.is_none() && back.enumeration == 2 && back.stored == 0);
}

pub async fn lists_are_paged_without_gaps(s: &dyn Store) {
    let lease = mailbox(s).await;
    let many = (0..25).map(|n| {
        let received_at = if n == 0 { None } else { Some(1_000 + i64::from(n / 3)) };
        NewMessage { received_at, conversation_id: format!("c{}", n % 2), ..message(&format!("m{n}"), if n % 5 == 0 { "out" } else { "in" }, 1) }
    });
    apply(s, &lease, many.collect(), |_| {}).await;
    for oldest_first in [false, true] {
        let mut window = MessageWindow { limit: 7, oldest_first, ..window() };
        let mut seen = Vec::new();
        loop {
            let page = s.messages(&window).await.unwrap();
            seen.extend(page.rows.iter().map(|r| (r.received_at.unwrap_or(0), r.row_id)));
            if !page.more {
                break;
            }
            window.after = seen.last().copied();
        }
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        if !oldest_first {
            sorted.reverse();
        }
        assert_eq!((seen.len(), &seen), (25, &sorted));
    }
    let count = async |w: MessageWindow| s.messages(&w).await.unwrap().rows.len();
    assert_eq!(count(MessageWindow { mailboxes: vec![of_folder("out")], ..window() }).await, 5);
    assert_eq!(count(MessageWindow { mailboxes: vec![of_folder("in"), of_folder("out")], ..window() }).await, 25);
    assert_eq!(count(MessageWindow { mailboxes: vec![], ..window() }).await, 0);
    assert_eq!(count(MessageWindow { conversation_id: Some("c1".into()), ..window() }).await, 12);
    assert_eq!(count(MessageWindow { mailboxes: vec![of_account("b")], ..window() }).await, 0);
}

/// Several accounts read as one list: in order over all of them, without gaps, and none of anybody else.
pub async fn lists_of_several_accounts_are_one(s: &dyn Store) {
    let mut all = Vec::new();
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        connect(s, id).await;
        let lease = s.take_lease(&format!("sync:{id}"), "me", 0, 1_000_000).await.unwrap().unwrap();
        let key = sealed_by(s.active_key(KeyPurpose::Content, Some(id)).await.unwrap().unwrap().id, "x");
        assert!(s.save_folders(id, 1, &lease, &listed(&[FolderRow { name: key.clone(), ..folder("in") }]), 1).await.unwrap());
        let upserts = (0..20).map(|k| NewMessage {
            id: format!("msg_{id}{k}"),
            received_at: Some(1_000 + (k * 7 + n as i64 * 3) % 11),
            head: key.clone(),
            body: Some(key.clone()),
            ..message(&format!("m{k}"), "in", 1)
        });
        let mut batch = page(id, &lease, upserts.collect());
        batch.cursor.as_mut().unwrap().link = key;
        assert!(matches!(s.apply(batch.clone()).await.unwrap(), Applied::Written { .. }));
        all.extend(s.messages(&MessageWindow { mailboxes: vec![of_account(id)], ..window() }).await.unwrap().rows.into_iter().map(|r| (r.received_at, r.row_id, r.id)));
    }
    for (mailboxes, wanted) in [(vec!["a", "c"], 40), (vec!["c", "b", "a"], 60), (vec!["b", "nobody"], 20)] {
        let mailboxes: Vec<Mailbox> = mailboxes.into_iter().map(of_account).collect();
        let mut window = MessageWindow { mailboxes, limit: 7, ..MessageWindow::default() };
        let mut seen = Vec::new();
        loop {
            let page = s.messages(&window).await.unwrap();
            seen.extend(page.rows.iter().map(|r| (r.received_at, r.row_id, r.id.clone())));
            if !page.more {
                break;
            }
            window.after = seen.last().map(|(at, row, _)| (at.unwrap_or(0), *row));
        }
        let mut sorted: Vec<_> = all.iter().filter(|(_, _, id)| window.mailboxes.iter().any(|m| id.starts_with(&format!("msg_{}", m.account_id)))).cloned().collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!((seen.len(), &seen), (wanted, &sorted));
    }
    // The feed as well, in the order in which things happened.
    let ids = async |accounts: &[&str], after, limit| {
        let accounts: Vec<String> = accounts.iter().map(|a| (*a).to_owned()).collect();
        s.changes(&accounts, after, limit).await.unwrap().into_iter().map(|c| (c.id, c.account_id)).collect::<Vec<_>>()
    };
    let whole = ids(&["b", "a"], 0, 1_000).await;
    assert!(whole.len() >= 42 && whole.is_sorted() && whole.iter().all(|(_, account)| account != "c"));
    let mut paged = Vec::new();
    while let page @ [_, ..] = ids(&["a", "b"], paged.last().map_or(0, |(id, _)| *id), 9).await.as_slice() {
        paged.extend_from_slice(page);
    }
    assert_eq!(paged, whole);
    assert!(ids(&[], 0, 9).await.is_empty());
}

/// By the id that hosts have, and to its owner alone.
pub async fn a_message_is_its_owners(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |_| {}).await;
    assert!(s.message("msg_m", Some("owner")).await.unwrap().is_some() && s.message("msg_m", None).await.unwrap().is_some());
    for (id, owner) in [("msg_m", Some("other")), ("msg_m", Some("")), ("msg_M", None), ("m", None), ("msg_1", None), ("", None)] {
        assert!(s.message(id, owner).await.unwrap().is_none(), "{id} {owner:?}");
    }
    assert_eq!(s.account_ids("owner", false).await.unwrap(), ["a"]);
    assert!(s.account_ids("other", true).await.unwrap().is_empty());
    // The id stays when the message changes, and when it comes back.
    apply(s, &lease, vec![NewMessage { id: "msg_other".into(), ..message("m", "in", 2) }], |_| {}).await;
    assert_eq!(s.message("msg_m", None).await.unwrap().unwrap().version, 2);
    assert!(s.message("msg_other", None).await.unwrap().is_none());
    assert_eq!(changes(s, 0).await.last().unwrap().subject_id.as_deref(), Some("msg_m"));
    // Who purges an account is told of its end; nobody else is.
    s.begin_purge(Purged::Account("a"), "purged", 5).await.unwrap();
    assert!(s.account_ids("owner", false).await.unwrap().is_empty() && s.message("msg_m", Some("owner")).await.unwrap().is_none());
    assert_eq!(s.account_ids("owner", true).await.unwrap(), ["a"]);
}
