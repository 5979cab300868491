//! Contacts: folders, and what changed in each since a link. Source: Graph, contactFolder and contact: delta.
//!
//! The default folder stands in no list of folders, so it is asked for as the contacts of the mailbox (Graph, known issues).

use super::changes::ChangesAnswer;
use super::mail::is_about_one;
use super::wire::{self, EmailAddress, Recipient};
use super::{Caller, Graph, segment};
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::Proofs;
use crate::json::lenient;
use crate::model::Contact;
use serde::Deserialize;
use std::collections::HashSet;

const CONTACT: &str = "displayName,givenName,surname,companyName,department,jobTitle,emailAddresses,businessPhones,homePhones,mobilePhone,categories,changeKey,parentFolderId";
/// Bytes of a change key; a longer one is none, and the contact is compared.
const LONGEST_KEY: usize = 1_024;
/// More folders than this are no contact list.
const MOST_FOLDERS: usize = 1_000;
/// The default folder, by its well-known name.
pub const DEFAULT_CONTACTS: &str = "contacts";

#[derive(Debug)]
pub enum ContactItem {
    /// Without what only this store knows of it.
    Contact { contact: Box<Contact>, change_key: String },
    Removed { id: String },
    /// Of no usable form.
    Unreadable,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFolder {
    #[serde(deserialize_with = "wire::id")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireContact {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(rename = "@removed", default)]
    removed: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    change_key: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    given_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    surname: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    company_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    department: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    job_title: Option<String>,
    #[serde(default, deserialize_with = "lenient::objects")]
    email_addresses: Vec<EmailAddress>,
    #[serde(default, deserialize_with = "lenient::scalars")]
    business_phones: Vec<String>,
    #[serde(default, deserialize_with = "lenient::scalars")]
    home_phones: Vec<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    mobile_phone: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalars")]
    categories: Vec<String>,
}

/// The folders of contacts of a mailbox.
#[derive(Debug)]
pub struct ContactFolders {
    /// The default one first.
    pub ids: Vec<String>,
    /// There are others, of which no id can be read, or that could not be listed now.
    pub are_more: bool,
}

impl WireContact {
    fn read(self) -> ContactItem {
        if self.removed.is_some() {
            return ContactItem::Removed { id: self.id };
        }
        let addresses = self.email_addresses.into_iter().filter_map(|address| Recipient { email_address: Some(address) }.address()).filter(|address| !address.address.is_empty());
        let contact = Contact {
            graph_id: self.id,
            display_name: self.display_name.unwrap_or_default(),
            given_name: wire::told(self.given_name),
            surname: wire::told(self.surname),
            company_name: wire::told(self.company_name),
            department: wire::told(self.department),
            job_title: wire::told(self.job_title),
            addresses: addresses.collect(),
            business_phones: self.business_phones,
            home_phones: self.home_phones,
            mobile_phone: wire::told(self.mobile_phone),
            categories: self.categories,
            ..Contact::default()
        };
        ContactItem::Contact { contact: Box::new(contact), change_key: self.change_key.filter(|key| key.len() <= LONGEST_KEY).unwrap_or_default() }
    }
}

pub(super) fn item(raw: &str, proofs: &Proofs) -> ContactItem {
    match wire::item::<WireContact>(raw) {
        // What is stored in clear repeats what proves who we are.
        Some(contact) if !proofs.are_in(&contact.id) && !contact.change_key.as_ref().is_some_and(|key| proofs.are_in(key)) => contact.read(),
        _ => ContactItem::Unreadable,
    }
}

impl Graph {
    /// Errors: LimitExceeded, when there are more than anybody has.
    pub async fn contact_folders(&self, caller: &Caller) -> Result<ContactFolders> {
        let (mut ids, mut seen, mut are_more) = (vec![DEFAULT_CONTACTS.to_owned()], HashSet::from([DEFAULT_CONTACTS.to_owned()]), false);
        let mut open: Vec<Option<String>> = vec![None];
        while let Some(parent) = open.pop() {
            let path = match &parent {
                None => self.path(caller, "contactFolders").await?,
                Some(id) => self.path(caller, &format!("contactFolders/{}/childFolders", segment(id)?)).await?,
            };
            let url = self.url(&path, &[("$select", "id"), ("$top", "100")])?;
            let list = match self.list::<WireFolder>(caller, url).await {
                Ok(Some(list)) => list,
                // Deleted since its parent was read.
                Ok(None) => continue,
                // What lies in one folder keeps none of the others out.
                Err(error) if parent.is_some() && is_about_one(&error) && !error.is_overload() => {
                    are_more = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            are_more |= list.unread > 0;
            for folder in list.items {
                if !seen.insert(folder.id.clone()) {
                    continue;
                }
                if ids.len() >= MOST_FOLDERS {
                    return Err(Error::new(ErrorKind::LimitExceeded, "The mailbox has more than 1,000 folders of contacts, so none of them is synced.").on_account(&caller.account_id));
                }
                open.push(Some(folder.id.clone()));
                ids.push(folder.id);
            }
        }
        Ok(ContactFolders { ids, are_more })
    }

    /// A page of what changed in a folder since `link`; from the beginning without one.
    pub async fn contact_changes(&self, caller: &Caller, folder_id: &str, link: Option<&str>) -> Result<ChangesAnswer<ContactItem>> {
        let path = match folder_id {
            DEFAULT_CONTACTS => self.path(caller, "contacts/delta").await?,
            id => self.path(caller, &format!("contactFolders/{}/contacts/delta", segment(id)?)).await?,
        };
        let first = self.url(&path, &[("$select", CONTACT)])?;
        self.changes(caller, &first, link, "", "contacts", item).await
    }
}
