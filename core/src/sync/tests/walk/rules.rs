//! Rules for keys over mail that is here: in steps, killed between two of them.

use super::edits::There;
use super::*;
use crate::failpoint::Armed;
use crate::model::{ChangeKind, LinkRule, MessageQuery};
use crate::store::Scope;
use crate::sync::Edits;
use std::collections::BTreeMap;
use std::sync::Mutex;

#[tokio::test]
async fn whatever_a_killed_scan_left_is_done_by_the_next() {
    for point in ["links.stored_rule", "links.scanned"] {
        let there = Arc::new(Mutex::new(There::default()));
        (0..450).for_each(|n| there.lock().unwrap().put(&format!("m{n:03}")));
        let (answering, clock) = (there.clone(), crate::pipeline::fake::clock());
        let fixture = fixture(clock.clone(), move |request| answering.lock().unwrap().answer(request));
        fixture.sync().await.unwrap();
        let rule = LinkRule { owner: "owner".into(), key: "client-1".into(), addresses: vec![], domains: vec!["CONTOSO.example".into()] };
        let armed = Armed::at(point, 0);
        let edits = Edits::new(fixture.reader.clone(), EventBus::new());
        let (worker, wanted) = (edits.clone(), rule.clone());
        let working = tokio::spawn(async move {
            worker.set_rule(&wanted).await.unwrap();
            worker.scan("a").await.unwrap();
        });
        armed.reached().await;
        working.abort();
        let _ = working.await;
        drop(armed);
        clock.advance(60_000);
        let next = Edits::new(fixture.reader.clone(), EventBus::new());
        next.scan("a").await.unwrap();
        assert!(fixture.store.accounts_to_scan().await.unwrap().is_empty(), "{point}");
        let query = MessageQuery { account_id: Some("a".into()), link: Some("client-1".into()), limit: 500, ..MessageQuery::default() };
        let page = fixture.reader.messages(Scope::Account("a".into()), query).await.unwrap();
        assert!(page.items.len() == 450 && page.items.iter().all(|message| message.links == ["client-1"]), "{point}");
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for row in fixture.store.changes(&["a".into()], 0, 10_000).await.unwrap() {
            if let (ChangeKind::MessageChanged, Some(id)) = (row.kind, row.subject_id) {
                *told.entry(id).or_default() += 1;
            }
        }
        assert_eq!(told.len(), 450, "{point}");
        assert_eq!(next.rules("owner").await.unwrap(), [rule]);
        // What arrives from now on has it at once.
        there.lock().unwrap().put("new");
        fixture.sync().await.unwrap();
        let query = MessageQuery { account_id: Some("a".into()), link: Some("client-1".into()), limit: 500, ..MessageQuery::default() };
        assert_eq!(fixture.reader.messages(Scope::Account("a".into()), query).await.unwrap().items.len(), 451);
    }
}
