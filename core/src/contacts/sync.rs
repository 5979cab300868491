//! What is new among the contacts of a mailbox.

use super::{Contacts, address_hash};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{Caller, Changes, ChangesAnswer, ContactItem, Round, is_about_one};
use crate::model::Contact;
use crate::pipeline::Priority;
use crate::random;
use crate::runtime::Stop;
use crate::store::{AccountRow, ContactBatch, ContactFolderRow, KnownContact, Lease, NewContact, contact_cursor_place, contact_place, leased, taken_over};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// What is done here, as errors name it.
const THIS: &str = "this sync of contacts";
/// How long it waits in all for Retry-After and outages before it reports them.
const PATIENCE: Duration = Duration::from_secs(300);
/// Folders that may fail in one sync; more of them are an outage.
const MOST_FAILURES: usize = 10;
/// Addresses by which a contact is found; Exchange keeps three.
const MOST_ADDRESSES: usize = 100;

/// One sync of one account's contacts.
struct Pass<'a> {
    contacts: &'a Contacts,
    account: &'a AccountRow,
    lease: Lease,
    stop: &'a Stop,
}

impl Contacts {
    /// Brings the contacts of an account up to date; answers how many are new, changed or gone. Stops between pages when told to; what is stored stays.
    pub async fn sync(&self, account: &AccountRow, stop: &Stop) -> Result<u32> {
        let run = |lease| async move { Pass { contacts: self, account, lease, stop }.run().await };
        let outcome = leased(&self.store, &self.clock, format!("contacts/{}", account.id), stop, THIS, run).await;
        if let Ok(1..) = outcome {
            self.news.send_modify(|n| *n = n.wrapping_add(1));
        }
        outcome.map_err(|e| e.on_account(&account.id))
    }
}

impl Pass<'_> {
    fn caller(&self) -> Caller {
        Caller::of(self.account, Priority::Sync, PATIENCE)
    }

    async fn run(&self) -> Result<u32> {
        let folders = self.stop.until(self.contacts.graph.contact_folders(&self.caller())).await?;
        let mut here = HashSet::new();
        let (mut changed, mut failed) = (0_u32, Vec::new());
        for folder_id in &folders.ids {
            match self.folder(folder_id, &mut changed).await {
                Ok(true) => drop(here.insert(folder_id.clone())),
                Ok(false) => {}
                // What is wrong with one folder keeps none of the others out. It is told in the end.
                Err(error) if is_about_one(&error) && !error.is_overload() && failed.len() < MOST_FAILURES => failed.push(error),
                Err(error) => return Err(error),
            }
        }
        // A contact may have been moved to the one that was not read.
        if let Some(error) = failed.into_iter().next() {
            return Err(error);
        }
        if folders.are_more {
            tracing::warn!(target: "tidings::sync", account = self.account.id, "some folders of contacts cannot be read; what is here of them stays");
            here.extend(self.contacts.store.contact_folders(&self.account.id).await?.into_iter().map(|row| row.graph_id));
        }
        let here: Vec<String> = here.into_iter().collect();
        let now = to_ms(self.contacts.clock.now());
        let gone = self.contacts.store.settle_contacts(&self.account.id, self.account.generation, &self.lease, &here, now).await?.ok_or_else(|| taken_over(THIS))?;
        Ok(changed.saturating_add(gone))
    }

    /// Every page of a folder from where it stands to its next delta link. False: there is no such folder any more.
    async fn folder(&self, folder_id: &str, changed: &mut u32) -> Result<bool> {
        let (store, account_id) = (&self.contacts.store, self.account.id.as_str());
        let mut row = store.contact_folders(account_id).await?.into_iter().find(|row| row.graph_id == folder_id);
        let mut link = self.link(folder_id).await?;
        let (mut has_begun, mut round) = (false, Round::default());
        loop {
            if row.is_none() || link.is_none() {
                let enumeration = store.begin_contacts(account_id, self.account.generation, &self.lease, folder_id).await?.ok_or_else(|| taken_over(THIS))?;
                let version = row.map_or(0, |row| row.link_version);
                row = Some(ContactFolderRow { graph_id: folder_id.to_owned(), link: None, link_version: version, enumeration });
                (has_begun, round) = (true, Round::default());
            }
            let Some(current) = row.as_mut() else { return Ok(false) };
            let answer = match self.stop.until(self.contacts.graph.contact_changes(&self.caller(), folder_id, link.as_deref())).await? {
                ChangesAnswer::Page(page) => match round.take(&page.link, page.is_delta, page.items.iter().map(mark), "contacts") {
                    Ok(()) => ChangesAnswer::Page(page),
                    Err(endless) => ChangesAnswer::UnusableLink(endless),
                },
                answer => answer,
            };
            match answer {
                ChangesAnswer::Gone => return Ok(false),
                ChangesAnswer::Lost if has_begun => return Err(Error::new(ErrorKind::Upstream, "Microsoft lost its place among the contacts twice. Sync again later; nothing here is lost.")),
                ChangesAnswer::Lost => link = None,
                ChangesAnswer::UnusableLink(error) if has_begun => return Err(error),
                // Else the folder would stand still for ever.
                ChangesAnswer::UnusableLink(error) => {
                    tracing::warn!(target: "tidings::sync", account = account_id, reason = error.reason(), "a stored link of contacts is given up; the folder is read anew");
                    link = None;
                }
                ChangesAnswer::Page(page) => {
                    let (is_delta, next) = (page.is_delta, page.link.clone());
                    current.link_version += 1;
                    let stored = self.contacts.vault.with_current_keys(async || self.store(current, &page).await).await?;
                    *changed = changed.saturating_add(stored.ok_or_else(|| taken_over(THIS))?);
                    failpoint!("contacts.stored_page");
                    if is_delta {
                        return Ok(true);
                    }
                    link = Some(next);
                }
            }
        }
    }

    /// Where the folder stands. None: at its beginning.
    async fn link(&self, folder_id: &str) -> Result<Option<String>> {
        let (contacts, account_id) = (self.contacts, self.account.id.as_str());
        let open = async || match contacts.store.contact_folders(account_id).await?.into_iter().find(|row| row.graph_id == folder_id) {
            Some(ContactFolderRow { link: Some(link), link_version, .. }) => contacts.vault.secrets(account_id).await?.open(contact_cursor_place(account_id, folder_id, link_version), &link).map(Some),
            _ => Ok(None),
        };
        match contacts.vault.with_current_keys(open).await {
            Ok(link) => Ok(link.and_then(|plain| String::from_utf8(plain.to_vec()).ok())),
            // The account was connected anew, and has another key: the folder is read from its beginning.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// None: taken over.
    async fn store(&self, folder: &ContactFolderRow, page: &Changes<ContactItem>) -> Result<Option<u32>> {
        let (contacts, account_id) = (self.contacts, self.account.id.as_str());
        // Of one that is shown twice, or shown and removed, the last word counts.
        let mut latest: BTreeMap<&str, Option<(&Contact, &str)>> = BTreeMap::new();
        let mut unreadable = 0_u32;
        for item in &page.items {
            match item {
                ContactItem::Contact { contact, change_key } => drop(latest.insert(&contact.graph_id, Some((contact, change_key)))),
                ContactItem::Removed { id } => drop(latest.insert(id, None)),
                ContactItem::Unreadable => unreadable += 1,
            }
        }
        if unreadable > 0 {
            tracing::warn!(target: "tidings::sync", account = account_id, rows = unreadable, "contacts that cannot be read are left out");
        }
        let ids: Vec<String> = latest.keys().map(|id| (*id).to_owned()).collect();
        let known: HashMap<String, KnownContact> = contacts.store.known_contacts(account_id, &ids).await?.into_iter().map(|row| (row.graph_id.clone(), row)).collect();
        let (content, hashes) = (contacts.vault.content(account_id).await?, contacts.vault.hashes(account_id).await?);
        let (mut put, mut same, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (id, shown) in latest {
            let Some((contact, change_key)) = shown else {
                gone.push(id.to_owned());
                continue;
            };
            let before = known.get(id);
            if before.is_some_and(|known| !change_key.is_empty() && known.change_key == change_key && known.folder_id == folder.graph_id) {
                same.push(id.to_owned());
                continue;
            }
            let version = before.map_or(1, |known| known.version + 1);
            let text = serde_json::to_vec(contact).map_err(|e| Error::internal("A contact cannot be written.").with_source(e))?;
            put.push(NewContact {
                public_id: format!("con_{}", random::token::<16>()?),
                graph_id: id.to_owned(),
                change_key: change_key.to_owned(),
                version,
                sealed: content.seal(contact_place(account_id, id, version), &text)?,
                addresses: contact.addresses.iter().take(MOST_ADDRESSES).map(|address| address_hash(&hashes, &address.address)).collect::<Result<_>>()?,
            });
        }
        let link = contacts.vault.secrets(account_id).await?.seal(contact_cursor_place(account_id, &folder.graph_id, folder.link_version), page.link.as_bytes())?;
        let batch = ContactBatch {
            account_id: account_id.to_owned(),
            generation: self.account.generation,
            lease: self.lease.clone(),
            folder_id: folder.graph_id.clone(),
            enumeration: folder.enumeration,
            put,
            same,
            gone,
            link,
            link_version: folder.link_version,
            is_delta: page.is_delta,
            now: to_ms(contacts.clock.now()),
        };
        contacts.store.store_contacts(batch).await
    }
}

/// What tells one item of a round from another.
fn mark(item: &ContactItem) -> (&str, &str) {
    match item {
        ContactItem::Contact { contact, change_key } => (&contact.graph_id, change_key),
        ContactItem::Removed { id } => (id, "removed"),
        ContactItem::Unreadable => ("", ""),
    }
}
