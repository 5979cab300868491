//! Contacts, their folders and addresses.

use super::*;
use std::collections::HashMap;

async fn lease(s: &dyn Store, account: &str) -> Lease {
    s.take_lease(&format!("contacts/{account}"), "me", 0, 1_000_000).await.unwrap().unwrap()
}

fn contact(id: &str, key: &str, version: i64, address: u8) -> NewContact {
    NewContact { public_id: format!("con_{id}"), graph_id: id.into(), change_key: key.into(), version, sealed: sealed(id), addresses: vec![[address; 32]] }
}

struct Page<'a> {
    s: &'a dyn Store,
    account: AccountRow,
    lease: Lease,
}

impl Page<'_> {
    async fn begin(&self, folder: &str) -> i64 {
        self.s.begin_contacts(&self.account.id, self.account.generation, &self.lease, folder).await.unwrap().unwrap()
    }

    async fn store(&self, folder: &str, enumeration: i64, put: Vec<NewContact>, same: &[&str], gone: &[&str], is_delta: bool) -> Option<u32> {
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let batch = ContactBatch {
            account_id: self.account.id.clone(),
            generation: self.account.generation,
            lease: self.lease.clone(),
            folder_id: folder.into(),
            enumeration,
            put,
            same: texts(same),
            gone: texts(gone),
            link: sealed_by(1, "link"),
            link_version: 1,
            is_delta,
            now: 5,
        };
        self.s.store_contacts(batch).await.unwrap()
    }

    async fn settle(&self, folders: &[&str]) -> Option<u32> {
        let folders: Vec<String> = folders.iter().map(|id| (*id).to_owned()).collect();
        self.s.settle_contacts(&self.account.id, self.account.generation, &self.lease, &folders, 6).await.unwrap()
    }

    async fn held(&self) -> Vec<(String, String)> {
        let window = ContactWindow { account_ids: vec![self.account.id.clone()], limit: 100, ..ContactWindow::default() };
        self.s.contacts(&window).await.unwrap().into_iter().map(|row| (row.graph_id, row.folder_id)).collect()
    }
}

async fn page<'a>(s: &'a dyn Store, id: &str) -> Page<'a> {
    let account = connect(s, id).await;
    Page { s, lease: lease(s, id).await, account }
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(id, folder)| ((*id).to_owned(), (*folder).to_owned())).collect()
}

pub async fn contacts_are_kept_with_the_place_in_their_folder(s: &dyn Store) {
    let a = page(s, "a").await;
    assert!(s.contact_folders("a").await.unwrap().is_empty());
    assert_eq!(a.begin("contacts").await, 1);
    assert_eq!(a.store("contacts", 1, vec![contact("x", "1", 1, 1), contact("y", "1", 1, 2)], &[], &[], false).await, Some(2));
    let folders = s.contact_folders("a").await.unwrap();
    assert_eq!((folders.len(), folders[0].link.is_some(), folders[0].link_version, folders[0].enumeration), (1, true, 1, 1));
    assert_eq!(a.held().await, pairs(&[("x", "contacts"), ("y", "contacts")]));
    let known = s.known_contacts("a", &["y".into(), "z".into()]).await.unwrap();
    assert_eq!(known, [KnownContact { graph_id: "y".into(), folder_id: "contacts".into(), change_key: "1".into(), version: 1 }]);
    a.store("contacts", 1, vec![contact("y", "2", 2, 2)], &["x"], &[], true).await;
    let told: Vec<ChangeKind> = changes(s, 0).await.into_iter().map(|row| row.kind).filter(|kind| *kind == ChangeKind::ContactChanged).collect();
    assert_eq!(told.len(), 3, "two that are new and one that changed");
    // Whoever lost the lease, or works for an account as it was before, writes nothing.
    let other = Page { s, account: AccountRow { generation: a.account.generation + 1, ..a.account.clone() }, lease: a.lease.clone() };
    assert_eq!((other.store("contacts", 1, vec![contact("z", "1", 1, 1)], &[], &[], true).await, other.settle(&[]).await), (None, None));
    assert_eq!(a.held().await.len(), 2);
}

pub async fn a_contact_is_gone_when_no_folder_has_it(s: &dyn Store) {
    let a = page(s, "a").await;
    for folder in ["contacts", "f"] {
        a.begin(folder).await;
    }
    a.store("contacts", 1, vec![contact("x", "1", 1, 1), contact("y", "1", 1, 2), contact("z", "1", 1, 3)], &[], &[], true).await;
    // Moved, told by the new folder first and by the new folder last; and one that is really gone.
    a.store("f", 1, vec![contact("x", "2", 2, 1)], &[], &[], true).await;
    a.store("contacts", 1, vec![], &[], &["x", "y", "z"], true).await;
    a.store("f", 1, vec![], &["y"], &[], true).await;
    assert_eq!(a.settle(&["contacts", "f"]).await, Some(1));
    assert_eq!(a.held().await, pairs(&[("x", "f"), ("y", "f")]));
    // Enumerated anew: what it does not show is gone.
    assert_eq!(a.begin("f").await, 2);
    assert!(s.contact_folders("a").await.unwrap().iter().any(|folder| folder.graph_id == "f" && folder.link.is_none()));
    a.store("f", 2, vec![], &["x"], &[], true).await;
    assert_eq!((a.settle(&["contacts", "f"]).await, a.held().await), (Some(1), pairs(&[("x", "f")])));
    // The folder is gone.
    assert_eq!((a.settle(&["contacts"]).await, a.held().await), (Some(1), pairs(&[])));
    assert_eq!(s.contact_folders("a").await.unwrap().len(), 1);
}

pub async fn contacts_are_found_by_address_and_paged(s: &dyn Store) {
    let (a, b) = (page(s, "a").await, page(s, "b").await);
    for one in [&a, &b] {
        one.begin("contacts").await;
    }
    a.store("contacts", 1, (0..5).map(|n| contact(&format!("a{n}"), "1", 1, n % 2)).collect(), &[], &[], true).await;
    b.store("contacts", 1, vec![contact("b0", "1", 1, 1)], &[], &[], true).await;
    let both = vec!["a".to_owned(), "b".to_owned()];
    let address = HashMap::from([("a".to_owned(), [1; 32]), ("b".to_owned(), [1; 32])]);
    let window = ContactWindow { account_ids: both.clone(), address: Some(address), after: 0, limit: 2 };
    let ids = |rows: Vec<ContactRow>| rows.into_iter().map(|row| row.graph_id).collect::<Vec<_>>();
    let rows = s.contacts(&window).await.unwrap();
    let after = rows[1].row_id;
    assert_eq!(ids(rows), ["a1", "a3", "b0"], "one more than the limit, to know that there is more");
    assert_eq!(ids(s.contacts(&ContactWindow { after, ..window }).await.unwrap()), ["b0"]);
    assert_eq!(ids(s.contacts(&ContactWindow { account_ids: both, limit: 100, ..ContactWindow::default() }).await.unwrap()).len(), 6);
    s.begin_purge(Purged::Account("a"), "purged", 7).await.unwrap();
    while s.erase_some("a", 1, 8).await.unwrap() {}
    assert!(a.held().await.is_empty() && s.contact_folders("a").await.unwrap().is_empty());
}
