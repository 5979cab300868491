//! What is new among the contacts of a mailbox.

use super::{Contacts, address_hash};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::{Caller, Changes, ChangesAnswer, ContactItem};
use crate::model::Contact;
use crate::pipeline::Priority;
use crate::random;
use crate::runtime::Stop;
use crate::store::{AccountRow, ContactBatch, ContactFolderRow, KnownContact, Lease, NewContact, contact_cursor_place, contact_place, leased, taken_over};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// What is done here, as errors name it.
const THIS: &str = "this sync of contacts";
/// How long it waits in all for Retry-After and outages before it reports them.
const PATIENCE: Duration = Duration::from_secs(300);
/// Pages of one round: more contacts than a mailbox holds.
const MOST_PAGES: u32 = 5_000;

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
        let mut changed = 0_u32;
        for folder_id in &folders {
            if self.folder(folder_id, &mut changed).await? {
                here.insert(folder_id.clone());
            }
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
        let mut has_begun = false;
        for _ in 0..MOST_PAGES {
            if row.is_none() || link.is_none() {
                let enumeration = store.begin_contacts(account_id, self.account.generation, &self.lease, folder_id).await?.ok_or_else(|| taken_over(THIS))?;
                let version = row.map_or(0, |row| row.link_version);
                row = Some(ContactFolderRow { graph_id: folder_id.to_owned(), link: None, link_version: version, enumeration });
                has_begun = true;
            }
            let Some(current) = row.as_mut() else { return Ok(false) };
            match self.stop.until(self.contacts.graph.contact_changes(&self.caller(), folder_id, link.as_deref())).await? {
                ChangesAnswer::Gone => return Ok(false),
                ChangesAnswer::Lost if has_begun => return Err(Error::new(ErrorKind::Upstream, "Microsoft lost its place among the contacts twice. Sync again later; nothing here is lost.")),
                ChangesAnswer::Lost => link = None,
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
        Err(Error::new(ErrorKind::Upstream, "Microsoft's pages of contacts do not end."))
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
        // Of one that is shown twice, the last counts.
        let mut latest: HashMap<&str, (&Contact, &str)> = HashMap::new();
        for item in &page.items {
            if let ContactItem::Contact { contact, change_key } = item {
                latest.insert(&contact.graph_id, (contact, change_key));
            }
        }
        let ids: Vec<String> = latest.keys().map(|id| (*id).to_owned()).collect();
        let known: HashMap<String, KnownContact> = contacts.store.known_contacts(account_id, &ids).await?.into_iter().map(|row| (row.graph_id.clone(), row)).collect();
        let (content, hashes) = (contacts.vault.content(account_id).await?, contacts.vault.hashes(account_id).await?);
        let (mut put, mut same) = (Vec::new(), Vec::new());
        for (id, (contact, change_key)) in latest {
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
                addresses: contact.addresses.iter().map(|address| address_hash(&hashes, &address.address)).collect::<Result<_>>()?,
            });
        }
        let gone = page.items.iter().filter_map(|item| if let ContactItem::Removed { id } = item { Some(id.clone()) } else { None }).collect();
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
