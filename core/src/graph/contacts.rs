//! Contacts: folders, and what changed in each since a link. Source: Graph, contactFolder and contact: delta.
//!
//! The default folder stands in no list of folders, so it is asked for as the contacts of the mailbox (Graph, known issues).

use super::delta::is_forgotten;
use super::paging::followed;
use super::wire::{self, EmailAddress, Page, Recipient};
use super::{Caller, Graph, IMMUTABLE, PREFER, fault, segment};
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::Proofs;
use crate::json::{self, lenient};
use crate::model::Contact;
use crate::pipeline::error_code;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;

const CONTACT: &str = "displayName,givenName,surname,companyName,department,jobTitle,emailAddresses,businessPhones,homePhones,mobilePhone,categories,changeKey,parentFolderId";
/// Contacts of a page.
const PAGE: u32 = 200;
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

#[derive(Debug)]
pub struct ContactChanges {
    pub items: Vec<ContactItem>,
    pub link: String,
    /// The round is complete; `link` starts the next one.
    pub is_delta: bool,
}

#[derive(Debug)]
pub enum ContactAnswer {
    Page(ContactChanges),
    /// The link is no longer good.
    Lost,
    FolderGone,
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

fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
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
            given_name: said(self.given_name),
            surname: said(self.surname),
            company_name: said(self.company_name),
            department: said(self.department),
            job_title: said(self.job_title),
            addresses: addresses.collect(),
            business_phones: self.business_phones,
            home_phones: self.home_phones,
            mobile_phone: said(self.mobile_phone),
            categories: self.categories,
            ..Contact::default()
        };
        ContactItem::Contact { contact: Box::new(contact), change_key: self.change_key.unwrap_or_default() }
    }
}

fn item(raw: &str, proofs: &Proofs) -> ContactItem {
    match wire::item::<WireContact>(raw) {
        // An id that is stored in clear repeats what proves who we are.
        Some(contact) if !proofs.are_in(&contact.id) => contact.read(),
        _ => ContactItem::Unreadable,
    }
}

impl Graph {
    /// Ids of the folders of contacts, the default one first. Errors: LimitExceeded, when there are more than anybody has.
    pub async fn contact_folders(&self, caller: &Caller) -> Result<Vec<String>> {
        let (mut ids, mut seen) = (vec![DEFAULT_CONTACTS.to_owned()], HashSet::new());
        let mut open: Vec<Option<String>> = vec![None];
        while let Some(parent) = open.pop() {
            let path = match &parent {
                None => self.path(caller, "contactFolders").await?,
                Some(id) => self.path(caller, &format!("contactFolders/{}/childFolders", segment(id)?)).await?,
            };
            let url = self.url(&path, &[("$select", "id"), ("$top", "100")])?;
            // Deleted since its parent was read.
            let Some(list) = self.list::<WireFolder>(caller, url).await? else { continue };
            for folder in list.all()? {
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
        Ok(ids)
    }

    /// A page of what changed in a folder since `link`; from the beginning without one.
    pub async fn contact_changes(&self, caller: &Caller, folder_id: &str, link: Option<&str>) -> Result<ContactAnswer> {
        let path = match folder_id {
            DEFAULT_CONTACTS => self.path(caller, "contacts/delta").await?,
            id => self.path(caller, &format!("contactFolders/{}/contacts/delta", segment(id)?)).await?,
        };
        let first = self.url(&path, &[("$select", CONTACT)])?;
        let follow = |link: &str| followed(self.pipeline.hosts(), &self.root, caller, &first, link);
        let url = match link {
            // A stored link is received data like a fresh one.
            Some(link) => match follow(link) {
                Ok(url) => url,
                Err(_) => return Ok(ContactAnswer::Lost),
            },
            None => first.clone(),
        };
        let prefer = HeaderValue::from_str(&format!("{IMMUTABLE}, odata.maxpagesize={PAGE}")).map_err(|_| Error::internal("A header could not be made."))?;
        let response = self.pipeline.send(self.get(caller, url).header(PREFER, prefer)).await?;
        if !response.status.is_success() {
            let is_gone = response.status.as_u16() == 404 && error_code(&response.body).is_one_of(&["erroritemnotfound", "errorsyncfoldernotfound", "errorfoldernotfound", "resourcenotfound"]);
            return match (link.is_some() && is_forgotten(&response), is_gone) {
                (true, _) => Ok(ContactAnswer::Lost),
                (false, true) => Ok(ContactAnswer::FolderGone),
                _ => Err(fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id)),
            };
        }
        let text = json::text(&response.body);
        let mut page: Page<&RawValue> = wire::of_text(&text)?;
        let proofs = response.secrets.proofs();
        let items = page.items()?.into_iter().map(|raw| item(raw.get(), &proofs)).collect();
        match (page.next_link, page.delta_link) {
            (Some(next), None) if link != Some(next.as_str()) => {
                follow(&next)?;
                Ok(ContactAnswer::Page(ContactChanges { items, link: next, is_delta: false }))
            }
            (None, Some(delta)) => {
                follow(&delta)?;
                Ok(ContactAnswer::Page(ContactChanges { items, link: delta, is_delta: true }))
            }
            _ => Err(Error::new(ErrorKind::Upstream, "A page of contacts says neither where it goes on nor that it is the last.").on_account(&caller.account_id)),
        }
    }
}
