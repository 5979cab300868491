//! Pages, moves, questions, lists, the feed.

use super::*;

pub async fn a_page_and_its_cursor_are_one(s: &dyn Store) {
    let lease = mailbox(s).await;
    let since = last(s);
    let applied = apply(s, &lease, vec![message("m", "in", 1), message("M", "in", 1)], |_| {});
    assert_eq!(applied, Applied::Written { stored: 2 }, "ids differ by letter case");
    let folder = s.folders("a").unwrap().remove(0);
    assert_eq!((folder.stored, folder.cursor.as_ref().unwrap().version, folder.cursor.unwrap().is_delta), (2, 1, false));
    assert_eq!(told(s, since), [ChangeKind::MessageAdded, ChangeKind::MessageAdded]);
    let known = s.known("a", &["m", "none", "M", "m"]).unwrap();
    assert_eq!(known.len(), 2);
    assert!(s.known("b", &["m"]).unwrap().is_empty() && s.known("a", &[]).unwrap().is_empty());
    let row = s.message("msg_m", None).unwrap().unwrap();
    assert_eq!((row.graph_id.as_str(), row.version, row.change_key.as_str()), ("m", 1, "ck1"));
    assert_eq!(s.body(row.row_id).unwrap().unwrap().1, 1);
    // A head alone: the body stays, at the version it was sealed for.
    apply(s, &lease, vec![NewMessage { body: None, is_read: true, ..message("m", "in", 2) }], |_| {});
    assert_eq!(s.message("msg_m", None).unwrap().unwrap().version, 2);
    assert_eq!(s.body(row.row_id).unwrap().unwrap().1, 1);
    assert_eq!(s.messages(&MessageWindow { is_read: Some(true), ..window() }).unwrap().rows.len(), 1);
}

pub async fn the_same_page_twice_changes_nothing(s: &dyn Store) {
    let lease = mailbox(s).await;
    let mut batch = page("a", &lease, vec![message("m", "in", 1), message("n", "in", 1)]);
    batch.quarantined = vec![
        Quarantined { graph_id: None, raw: sealed("raw"), place: "p1".into(), reason: "unreadable".into(), kind: QuarantineKind::Message },
        Quarantined { graph_id: Some("q".into()), raw: sealed("raw"), place: "p2".into(), reason: "unreadable".into(), kind: QuarantineKind::Message },
    ];
    s.apply(&batch).unwrap();
    let since = last(s);
    let again = s.apply(&batch).unwrap();
    assert_eq!(again, Applied::Written { stored: 2 });
    assert_eq!(told(s, since), []);
    assert_eq!(s.count_quarantine("a").unwrap(), 2);
    // Once readable it leaves the quarantine.
    apply(s, &lease, vec![message("q", "in", 1)], |_| {});
    assert_eq!(s.count_quarantine("a").unwrap(), 1);
}

pub async fn a_page_that_was_planned_over_something_else_changes_nothing(s: &dyn Store) {
    let lease = mailbox(s).await;
    let cursor = |version| Some(Cursor { link: sealed("link"), version, is_delta: true });
    apply(s, &lease, vec![NewMessage { is_unlisted: true, ..message("m", "in", 1) }], |b| b.cursor = cursor(1));
    s.put_attachments("a", 1, &[AttachmentList { graph_id: "m".into(), version: 1, head: Some(sealed("head")) }], &[], 5).unwrap();
    let since = last(s);
    let late = || vec![message("m", "in", 2), message("n", "in", 1)];
    for outside in [false, true] {
        let applied = apply(s, &lease, late(), |b| b.cursor = if outside { None } else { cursor(2) });
        assert!(applied == Applied::Refused(Refusal::Outdated) && told(s, since).is_empty() && s.known("a", &["n"]).unwrap().is_empty());
    }
    assert_eq!(s.folders("a").unwrap()[0].cursor.as_ref().unwrap().version, 1, "it is asked for once more");
    assert_eq!(apply(s, &lease, vec![message("m", "in", 3), message("n", "in", 1)], |b| b.cursor = cursor(2)), Applied::Written { stored: 2 });
}

pub async fn attachments_are_listed_for_the_message_that_was_seen(s: &dyn Store) {
    let lease = mailbox(s).await;
    let of = |id: &str, version, at| NewMessage { is_unlisted: true, received_at: Some(at), ..message(id, "in", version) };
    apply(s, &lease, vec![of("old", 1, 1), of("new", 1, 9), message("none", "in", 1), of("fails", 1, 5), of("changes", 1, 4)], |_| {});
    let ids = |now| s.unlisted("a", now, 10).unwrap().into_iter().map(|m| m.graph_id).collect::<Vec<_>>();
    assert_eq!(ids(5), ["new", "fails", "changes", "old"]);
    assert_eq!((s.count_unlisted("a", 5).unwrap(), s.unlisted("a", 5, 2).unwrap().len(), s.count_unlisted("b", 5).unwrap()), (4, 2, 0));
    apply(s, &lease, vec![of("changes", 2, 4)], |b| b.cursor = Some(Cursor { link: sealed("link"), version: 2, is_delta: false }));
    let since = last(s);
    let files = sealed("files");
    let list = |id: &str, head: bool| AttachmentList { graph_id: id.into(), version: 1, head: head.then(|| files.clone()) };
    let aside = |place: &str| Quarantined { graph_id: Some("fails".into()), raw: sealed("raw"), place: place.into(), reason: "busy".into(), kind: QuarantineKind::Attachments };
    let lists = [list("new", true), list("old", false), list("changes", true), list("gone", true), list("none", true)];
    assert_eq!(s.put_attachments("a", 2, &lists, &[], 5).unwrap(), None, "the account was connected anew");
    assert_eq!(s.put_attachments("a", 1, &lists, &[(1, aside("p1"))], 5).unwrap(), Some(3));
    assert_eq!(told(s, since), [ChangeKind::MessageChanged], "what is new in it is told, and nothing else");
    let row = s.message("msg_new", None).unwrap().unwrap();
    assert_eq!((row.version, row.head.as_bytes() == files.as_bytes(), s.body(row.row_id).unwrap().unwrap().1), (2, true, 1));
    assert_eq!((s.message("msg_old", None).unwrap().unwrap().version, s.message("msg_none", None).unwrap().unwrap().version), (1, 1));
    // One that fails waits longer and longer, and is no message to be fetched anew.
    assert_eq!((ids(5), s.count_unlisted("a", 5).unwrap(), s.count_quarantine("a").unwrap()), (vec!["changes".to_owned()], 1, 1));
    assert_eq!(ids(60_005), ["fails", "changes"]);
    assert!(s.due_quarantine("a", i64::MAX, 10).unwrap().is_empty());
    assert_eq!(s.put_attachments("a", 1, &[], &[(1, aside("p2"))], 60_005).unwrap(), Some(1));
    assert_eq!(s.quarantine("a", 10).unwrap().iter().map(|q| (q.tries, q.next_at)).collect::<Vec<_>>(), [(2, 300_005)]);
    assert_eq!(s.put_attachments("a", 1, &[list("fails", true)], &[], 300_005).unwrap(), Some(1));
    assert_eq!(s.count_quarantine("a").unwrap(), 0);
    // Who is gone is not asked about.
    apply(s, &lease, vec![], |b| b.pending_removals = vec!["changes".into()]);
    s.settle_pending_removals("a", 1, &lease, &["changes".into()], &[], 9).unwrap();
    assert!(ids(i64::MAX).is_empty());
    assert_eq!(s.put_attachments("a", 1, &[AttachmentList { version: 2, ..list("changes", true) }], &[], 9).unwrap(), Some(0));
}

pub async fn a_stranger_writes_nothing(s: &dyn Store) {
    let lease = mailbox(s).await;
    let lost = Lease { fence: lease.fence - 1, ..lease.clone() };
    let taken_over = Applied::Refused(Refusal::TakenOver);
    assert_eq!(apply(s, &lost, vec![message("m", "in", 1)], |_| {}), taken_over);
    assert_eq!(apply(s, &lease, vec![message("m", "in", 1)], |b| b.generation = 2), taken_over);
    assert_eq!(apply(s, &lease, vec![message("m", "in", 1)], |b| b.folder_id = "nowhere"), taken_over);
    assert!(!s.save_folders("a", 1, &lost, &listed(&[]), 1).unwrap());
    assert!(!s.begin_resync("a", "in", 1, &lost, 1).unwrap());
    assert!(s.settle_pending_removals("a", 1, &lost, &["m".into()], &[], 1).unwrap().is_none());
    assert!(s.messages(&window()).unwrap().rows.is_empty());
    assert_eq!(s.folders("a").unwrap().len(), 2);
}

pub async fn a_move_is_no_removal(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |_| {});
    apply(s, &lease, vec![], |b| b.pending_removals = vec!["m".into(), "stranger".into()]);
    assert_eq!(s.pending_removals("a", i64::MAX, 10).unwrap(), [("m".to_owned(), "in".to_owned())]);
    // It turns up elsewhere: the question is answered and the row is the same.
    let since = last(s);
    let moved = NewMessage { change: Some(ChangeKind::MessageMoved), ..message("m", "out", 2) };
    apply(s, &lease, vec![moved], |b| b.folder_id = "out");
    assert!(s.pending_removals("a", i64::MAX, 10).unwrap().is_empty());
    assert_eq!(told(s, since), [ChangeKind::MessageMoved]);
    let now = s.message("msg_m", None).unwrap().unwrap();
    assert_eq!(now.folder_id, "out");
    let stored: Vec<_> = s.folders("a").unwrap().into_iter().map(|f| f.stored).collect();
    assert_eq!(stored, [0, 1]);
    // The page of the old folder comes late: no question at all.
    apply(s, &lease, vec![], |b| b.pending_removals = vec!["m".into()]);
    assert!(s.pending_removals("a", i64::MAX, 10).unwrap().is_empty());
}

pub async fn questions_are_settled(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, ["gone", "moved", "stays"].map(|id| message(id, "in", 1)).to_vec(), |_| {});
    let (gone, body) = ("msg_gone", id_of(s, "gone"));
    apply(s, &lease, vec![], |b| b.pending_removals = ["gone", "moved", "stays"].map(Into::into).to_vec());
    assert_eq!(s.pending_removals("a", i64::MAX, 2).unwrap().len(), 2);
    let since = last(s);
    let there = [("moved".to_owned(), "out".to_owned()), ("stays".to_owned(), "in".to_owned())];
    // What was never asked is not removed, whatever is claimed.
    let settled = s.settle_pending_removals("a", 1, &lease, &["gone".into(), "unasked".into()], &there, 9).unwrap();
    assert_eq!(settled, Some((1, 1)));
    assert_eq!(told(s, since), [ChangeKind::MessageRemoved, ChangeKind::MessageMoved]);
    assert!(s.pending_removals("a", i64::MAX, 10).unwrap().is_empty());
    assert!(s.message(gone, None).unwrap().is_none() && s.body(body).unwrap().is_none());
    assert!(s.known("a", &["gone"]).unwrap()[0].is_removed);
    assert_eq!(s.message("msg_moved", None).unwrap().unwrap().folder_id, "out");
    let stored: Vec<_> = s.folders("a").unwrap().into_iter().map(|f| f.stored).collect();
    assert_eq!(stored, [1, 1]);
    assert_eq!(s.settle_pending_removals("a", 1, &lease, &["stays".into()], &[], 9).unwrap(), Some((0, 0)));
    assert_eq!(s.messages(&window()).unwrap().rows.len(), 2);
    // A replay of the page that first brought it does not bring it back …
    let since = last(s);
    apply(s, &lease, vec![message("gone", "in", 1)], |_| {});
    apply(s, &lease, vec![], |b| b.seen = vec!["gone".into()]);
    assert!(s.message(gone, None).unwrap().is_none() && told(s, since).is_empty());
    // … a fresh listing does, under its old id and as an addition.
    apply(s, &lease, vec![message("gone", "in", 2)], |_| {});
    assert_eq!(told(s, since), [ChangeKind::MessageAdded]);
    assert_eq!(s.message(gone, None).unwrap().unwrap().version, 2);
    assert_eq!(s.folders("a").unwrap()[0].stored, 2);
}

pub async fn a_complete_pass_asks_for_what_it_did_not_show(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, ["a", "b", "c"].map(|id| message(id, "in", 1)).to_vec(), |b| b.completes_pass = true);
    assert!(s.pending_removals("a", i64::MAX, 10).unwrap().is_empty());
    // An ordinary delta round shows only what changed and asks nothing.
    apply(s, &lease, vec![], |b| b.completes_pass = true);
    assert!(s.pending_removals("a", i64::MAX, 10).unwrap().is_empty());
    assert!(s.begin_resync("a", "in", 1, &lease, 7).unwrap());
    let folder = s.folders("a").unwrap().remove(0);
    assert_eq!((folder.enumeration, folder.cursor.is_none()), (2, true));
    apply(s, &lease, vec![message("b", "in", 2)], |b| { b.enumeration = 2; b.seen = vec!["a".into()]; });
    assert!(s.pending_removals("a", i64::MAX, 10).unwrap().is_empty(), "half a pass proves nothing");
    apply(s, &lease, vec![message("d", "in", 1)], |b| { b.enumeration = 2; b.completes_pass = true; b.cursor.as_mut().unwrap().is_delta = true; });
    assert_eq!(s.pending_removals("a", i64::MAX, 10).unwrap(), [("c".to_owned(), "in".to_owned())]);
    let folder = s.folders("a").unwrap().remove(0);
    assert!(folder.cursor.unwrap().is_delta);
    // The comparison is over: the next round is an ordinary one again.
    s.settle_pending_removals("a", 1, &lease, &["c".to_owned()], &[], 1).unwrap();
    apply(s, &lease, vec![], |b| { b.enumeration = 3; b.completes_pass = true; b.cursor.as_mut().unwrap().is_delta = true; });
    assert!(s.pending_removals("a", i64::MAX, 10).unwrap().is_empty());
}

pub async fn what_was_listed_is_to_be_shown_by_the_enumeration(s: &dyn Store) {
    let lease = mailbox(s).await;
    let outside = |ids: &[&str], seen: &[&str]| {
        apply(s, &lease, ids.iter().map(|id| message(id, "in", 1)).collect(), |b| {
            (b.enumeration, b.cursor) = (0, None);
            b.seen = seen.iter().map(|id| (*id).to_owned()).collect();
        })
    };
    assert_eq!(outside(&["a", "b", "c"], &[]), Applied::Written { stored: 3 });
    assert!(s.folders("a").unwrap()[0].cursor.is_none());
    apply(s, &lease, vec![message("d", "in", 1), message("b", "in", 2)], |b| b.seen = vec!["a".into()]);
    // Listed once more, by a process that begins anew: what the enumeration has shown stays shown.
    outside(&[], &["a", "b", "c", "d"]);
    apply(s, &lease, vec![message("a", "in", 2)], |b| (b.enumeration, b.cursor) = (0, None));
    assert_eq!(apply(s, &lease, vec![], |b| b.completes_pass = true), Applied::Written { stored: 4 });
    assert_eq!(s.pending_removals("a", i64::MAX, 10).unwrap(), [("c".to_owned(), "in".to_owned())], "it may have left before the enumeration came to it");
    // What is listed once that is over would be asked about by nobody.
    apply(s, &lease, vec![], |b| b.cursor = Some(Cursor { link: sealed("link"), version: 2, is_delta: true }));
    assert!(outside(&["e"], &[]) == Applied::Refused(Refusal::Late) && s.known("a", &["e"]).unwrap().is_empty());
    assert_eq!(apply(s, &lease, vec![message("e", "in", 1)], |b| b.cursor = None), Applied::Written { stored: 5 });
}

pub async fn a_folder_that_is_gone_asks_for_its_mail(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |b| b.completes_pass = true);
    assert!(s.save_folders("a", 1, &lease, &FolderNews { gone: vec!["in".into(), "never seen".into()], ..listed(&[FolderRow { total: 9, ..folder("out") }]) }, 5).unwrap());
    let folders = s.folders("a").unwrap();
    assert_eq!((folders.len(), folders[0].row.total), (1, 9));
    assert_eq!(s.pending_removals("a", i64::MAX, 10).unwrap(), [("m".to_owned(), "in".to_owned())]);
    assert_eq!(s.settle_pending_removals("a", 1, &lease, &[], &[("m".into(), "out".into())], 6).unwrap(), Some((0, 1)));
    assert_eq!(s.folders("a").unwrap()[0].stored, 1);
    // It returns: enumerated anew, with a pass of its own.
    s.save_folders("a", 1, &lease, &listed(&[folder("in"), folder("out")]), 7).unwrap();
    let back = s.folders("a").unwrap().into_iter().find(|f| f.row.graph_id == "in").unwrap();
    assert!(back.cursor.is_none() && back.enumeration == 2 && back.stored == 0);
}

pub async fn lists_are_paged_without_gaps(s: &dyn Store) {
    let lease = mailbox(s).await;
    let many = (0..25).map(|n| {
        let received_at = if n == 0 { None } else { Some(1_000 + i64::from(n / 3)) };
        NewMessage { received_at, conversation_id: format!("c{}", n % 2), ..message(&format!("m{n}"), if n % 5 == 0 { "out" } else { "in" }, 1) }
    });
    apply(s, &lease, many.collect(), |_| {});
    for oldest_first in [false, true] {
        let mut window = MessageWindow { limit: 7, oldest_first, ..window() };
        let mut seen = Vec::new();
        loop {
            let page = s.messages(&window).unwrap();
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
    let count = |w: MessageWindow| s.messages(&w).unwrap().rows.len();
    assert_eq!(count(MessageWindow { mailboxes: vec![of_folder("out")], ..window() }), 5);
    assert_eq!(count(MessageWindow { mailboxes: vec![of_folder("in"), of_folder("out")], ..window() }), 25);
    assert_eq!(count(MessageWindow { mailboxes: vec![], ..window() }), 0);
    assert_eq!(count(MessageWindow { conversation_id: Some("c1".into()), ..window() }), 12);
    assert_eq!(count(MessageWindow { mailboxes: vec![of_account("b")], ..window() }), 0);
}

/// Several accounts read as one list: in order over all of them, without gaps, and none of anybody else.
pub async fn lists_of_several_accounts_are_one(s: &dyn Store) {
    let mut all = Vec::new();
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        connect(s, id);
        let lease = s.take_lease(&format!("sync:{id}"), "me", 0, 1_000_000).await.unwrap().unwrap();
        let key = sealed_by(s.active_key(KeyPurpose::Content, Some(id)).unwrap().unwrap().id, "x");
        assert!(s.save_folders(id, 1, &lease, &listed(&[FolderRow { name: key.clone(), ..folder("in") }]), 1).unwrap());
        let upserts = (0..20).map(|k| NewMessage {
            id: format!("msg_{id}{k}"),
            received_at: Some(1_000 + (k * 7 + n as i64 * 3) % 11),
            head: key.clone(),
            body: Some(key.clone()),
            ..message(&format!("m{k}"), "in", 1)
        });
        let mut batch = page(id, &lease, upserts.collect());
        batch.cursor.as_mut().unwrap().link = key;
        assert!(matches!(s.apply(&batch).unwrap(), Applied::Written { .. }));
        all.extend(s.messages(&MessageWindow { mailboxes: vec![of_account(id)], ..window() }).unwrap().rows.into_iter().map(|r| (r.received_at, r.row_id, r.id)));
    }
    for (mailboxes, wanted) in [(vec!["a", "c"], 40), (vec!["c", "b", "a"], 60), (vec!["b", "nobody"], 20)] {
        let mailboxes: Vec<Mailbox> = mailboxes.into_iter().map(of_account).collect();
        let mut window = MessageWindow { mailboxes, limit: 7, ..MessageWindow::default() };
        let mut seen = Vec::new();
        loop {
            let page = s.messages(&window).unwrap();
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
    let ids = |accounts: &[&str], after, limit| {
        let accounts: Vec<String> = accounts.iter().map(|a| (*a).to_owned()).collect();
        s.changes(&accounts, after, limit).unwrap().into_iter().map(|c| (c.id, c.account_id)).collect::<Vec<_>>()
    };
    let whole = ids(&["b", "a"], 0, 1_000);
    assert!(whole.len() >= 42 && whole.is_sorted() && whole.iter().all(|(_, account)| account != "c"));
    let mut paged = Vec::new();
    while let page @ [_, ..] = ids(&["a", "b"], paged.last().map_or(0, |(id, _)| *id), 9).as_slice() {
        paged.extend_from_slice(page);
    }
    assert_eq!(paged, whole);
    assert!(ids(&[], 0, 9).is_empty());
}

/// By the id that hosts have, and to its owner alone.
pub async fn a_message_is_its_owners(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |_| {});
    assert!(s.message("msg_m", Some("owner")).unwrap().is_some() && s.message("msg_m", None).unwrap().is_some());
    for (id, owner) in [("msg_m", Some("other")), ("msg_m", Some("")), ("msg_M", None), ("m", None), ("msg_1", None), ("", None)] {
        assert!(s.message(id, owner).unwrap().is_none(), "{id} {owner:?}");
    }
    assert_eq!(s.account_ids("owner", false).unwrap(), ["a"]);
    assert!(s.account_ids("other", true).unwrap().is_empty());
    // The id stays when the message changes, and when it comes back.
    apply(s, &lease, vec![NewMessage { id: "msg_other".into(), ..message("m", "in", 2) }], |_| {});
    assert_eq!(s.message("msg_m", None).unwrap().unwrap().version, 2);
    assert!(s.message("msg_other", None).unwrap().is_none());
    assert_eq!(changes(s, 0).last().unwrap().subject_id.as_deref(), Some("msg_m"));
    // Who purges an account is told of its end; nobody else is.
    s.begin_purge(&["a".into()], None, "purged", 5).unwrap();
    assert!(s.account_ids("owner", false).unwrap().is_empty() && s.message("msg_m", Some("owner")).unwrap().is_none());
    assert_eq!(s.account_ids("owner", true).unwrap(), ["a"]);
}

pub async fn reading_is_told_once(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |_| {});
    let (row, since) = (id_of(s, "m"), last(s));
    s.set_read(row, true, Some("ck9"), 5).unwrap();
    s.set_read(row, true, None, 6).unwrap();
    let now = s.message("msg_m", None).unwrap().unwrap();
    assert!(now.is_read && now.change_key == "ck9" && now.version == 1);
    assert_eq!(told(s, since), [ChangeKind::MessageChanged]);
    assert_eq!(s.changes(&["a".to_owned()], since, 0).unwrap().len(), 0);
}
