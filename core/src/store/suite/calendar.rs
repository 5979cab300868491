//! Events of a calendar, its view and its rounds.

use super::*;

struct Calendar<'a> {
    s: &'a dyn Store,
    account: AccountRow,
    lease: Lease,
}

fn event(id: &str, series: &str, start: i64, digest: u8) -> NewEvent {
    NewEvent {
        public_id: format!("evt_{id}"),
        graph_id: id.into(),
        series_id: series.into(),
        is_master: false,
        start_at: start,
        end_at: start + 10,
        digest: [digest; 32],
        version: 1,
        sealed: sealed(id),
    }
}

fn master(id: &str, digest: u8) -> NewEvent {
    NewEvent { is_master: true, ..event(id, "", 0, digest) }
}

impl Calendar<'_> {
    async fn begin(&self, view: (i64, i64)) -> bool {
        self.s.begin_calendar(&self.account.id, self.account.generation, &self.lease, view).await.unwrap()
    }

    async fn store(&self, put: Vec<NewEvent>, same: &[&str], gone: &[&str], is_end: bool) -> Option<u32> {
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let batch = EventBatch {
            account_id: self.account.id.clone(),
            generation: self.account.generation,
            lease: self.lease.clone(),
            put,
            same: texts(same),
            gone: texts(gone),
            link: Some((sealed_by(1, "link"), 1)),
            is_end,
            now: 5,
        };
        self.s.store_events(batch).await.unwrap()
    }

    async fn held(&self) -> Vec<String> {
        let window = EventWindow { account_ids: vec![self.account.id.clone()], from_at: -10_000, to_at: 10_000, after: None, limit: 100 };
        self.s.events(&window).await.unwrap().into_iter().map(|row| row.own.graph_id).collect()
    }

    async fn unshown(&self) -> Vec<String> {
        let mut ids = self.s.unshown_events(&self.account.id).await.unwrap();
        ids.sort();
        ids
    }

    async fn told(&self, wanted: ChangeKind) -> usize {
        changes(self.s, 0).await.into_iter().filter(|row| row.kind == wanted).count()
    }
}

async fn calendar<'a>(s: &'a dyn Store, id: &str) -> Calendar<'a> {
    let account = connect(s, id).await;
    let lease = s.take_lease(&format!("calendar/{id}"), "me", 0, 1_000_000).await.unwrap().unwrap();
    Calendar { s, account, lease }
}

pub async fn a_calendar_is_kept_with_its_place_and_a_series_goes_as_one(s: &dyn Store) {
    let a = calendar(s, "a").await;
    assert!(s.calendar_view("a").await.unwrap().is_none());
    assert!(a.begin((0, 1_000)).await);
    assert_eq!(a.store(vec![event("x", "", 100, 1), master("m", 1), event("o1", "m", 200, 1), event("o2", "m", 300, 1)], &[], &[], false).await, Some(3));
    let view = s.calendar_view("a").await.unwrap().unwrap();
    assert_eq!((view.from_at, view.to_at, view.link.is_some(), view.link_version), (0, 1_000, true, 1));
    assert_eq!(a.held().await, ["x", "o1", "o2"], "a master is no event");
    let known = s.known_events("a", &["m".into(), "z".into()]).await.unwrap();
    assert_eq!(known, [KnownEvent { graph_id: "m".into(), is_master: true, digest: [1; 32], version: 1 }]);
    assert_eq!(a.store(vec![], &[], &[], true).await, Some(0));
    // What they have in common changed: each of them did.
    assert_eq!(a.store(vec![NewEvent { version: 2, ..master("m", 2) }], &["o1", "o2"], &[], true).await, Some(2));
    assert_eq!(a.told(ChangeKind::EventChanged).await, 5);
    assert_eq!((a.store(vec![], &[], &["m"], true).await, a.held().await), (Some(2), vec!["x".to_owned()]));
    assert_eq!(a.told(ChangeKind::EventRemoved).await, 2);
    let other = Calendar { s, account: AccountRow { generation: a.account.generation + 1, ..a.account.clone() }, lease: a.lease.clone() };
    assert_eq!((other.begin((0, 1)).await, other.store(vec![], &[], &["x"], true).await), (false, None));
    assert_eq!(a.held().await, ["x"]);
}

pub async fn what_a_round_did_not_show_is_asked_about_and_what_the_view_left_is_dropped(s: &dyn Store) {
    let a = calendar(s, "a").await;
    a.begin((0, 1_000)).await;
    a.store(vec![event("old", "", 50, 1), event("x", "", 400, 1), master("m", 1), event("o1", "m", 500, 1), event("o2", "m", 600, 1)], &[], &[], false).await;
    assert!(a.unshown().await.is_empty());
    a.store(vec![], &[], &[], true).await;
    // Of a round of changes: those of a series of which something was shown.
    assert!(a.unshown().await.is_empty());
    a.store(vec![], &["m", "o2"], &[], false).await;
    assert_eq!(a.unshown().await, ["o1"]);
    assert_eq!(a.store(vec![], &[], &["o1"], true).await, Some(1));
    // Of a whole one: all within its view, which went on meanwhile.
    a.begin((200, 1_200)).await;
    a.store(vec![], &["o2"], &[], false).await;
    assert_eq!(a.unshown().await, ["x"]);
    assert_eq!(a.store(vec![], &["x"], &[], true).await, Some(0));
    assert_eq!((a.held().await, a.told(ChangeKind::EventRemoved).await), (vec!["x".to_owned(), "o2".to_owned()], 1));
    assert!(a.unshown().await.is_empty());
    // What a series has in common goes with the last of it.
    a.store(vec![], &[], &["o2"], true).await;
    assert!(s.known_events("a", &["m".into()]).await.unwrap().is_empty());
}

pub async fn events_come_in_order_of_time_with_their_masters(s: &dyn Store) {
    let (a, b) = (calendar(s, "a").await, calendar(s, "b").await);
    for one in [&a, &b] {
        one.begin((0, 1_000)).await;
    }
    a.store(vec![event("a3", "", 300, 1), event("a1", "", 100, 1), master("m", 1), event("a2", "m", 200, 1)], &[], &[], true).await;
    b.store(vec![event("b2", "", 200, 1), NewEvent { end_at: 250, ..event("b0", "", 10, 1) }], &[], &[], true).await;
    let window = EventWindow { account_ids: vec!["a".into(), "b".into()], from_at: 110, to_at: 300, after: None, limit: 2 };
    let rows = s.events(&window).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.own.graph_id.as_str()).collect::<Vec<_>>(), ["b0", "a2", "b2"], "what is not over yet, one more than the limit, and not what begins when it ends");
    assert_eq!(rows.iter().map(|row| row.master.as_ref().map(|one| one.graph_id.clone())).collect::<Vec<_>>(), [None, Some("m".to_owned()), None]);
    let after = Some((rows[1].start_at, rows[1].row_id));
    assert_eq!(s.events(&EventWindow { after, ..window }).await.unwrap().len(), 1);
    s.begin_purge(Purged::Account("a"), "purged", 7).await.unwrap();
    while s.erase_some("a", 1, 8).await.unwrap() {}
    assert!(a.held().await.is_empty() && s.calendar_view("a").await.unwrap().is_none());
    assert_eq!(b.held().await.len(), 2);
}
