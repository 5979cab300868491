use super::draft::Address;
use serde::{Deserialize, Serialize};

/// A contact of a mailbox, as it was at the last sync.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub id: String,
    pub account_id: String,
    /// Microsoft's immutable id.
    pub graph_id: String,
    /// `contacts` for the default folder, else Microsoft's id of the folder.
    pub folder_id: String,
    pub display_name: String,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub company_name: Option<String>,
    pub department: Option<String>,
    pub job_title: Option<String>,
    /// Mail addresses, the primary one first.
    pub addresses: Vec<Address>,
    pub business_phones: Vec<String>,
    pub home_phones: Vec<String>,
    pub mobile_phone: Option<String>,
    pub categories: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactQuery {
    /// Whose contacts: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    /// Those with this mail address, in any letter case; of a contact its first 100 count.
    pub address: Option<String>,
    /// 1 to 500.
    pub limit: u32,
    /// `next` of the page before; good for the same owner, account and address.
    pub cursor: Option<String>,
}

impl Default for ContactQuery {
    fn default() -> Self {
        Self { owner: None, account_id: None, address: None, limit: 50, cursor: None }
    }
}

/// In the order in which they came here first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactPage {
    pub items: Vec<Contact>,
    /// Cursor of the next page; none at the end.
    pub next: Option<String>,
}
