//! Whose things a query is about.

/// An account, or all accounts of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Account(String),
    Owner { owner: String, account_ids: Vec<String> },
}

impl Scope {
    pub fn account_ids(&self) -> &[String] {
        match self {
            Self::Account(id) => std::slice::from_ref(id),
            Self::Owner { account_ids, .. } => account_ids,
        }
    }

    /// The one account, if it is about one.
    pub fn account_id(&self) -> Option<&str> {
        match self {
            Self::Account(id) => Some(id),
            Self::Owner { .. } => None,
        }
    }

    /// What cursors of its lists are bound to.
    pub fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Account(id) => [b"account", id.as_bytes()],
            Self::Owner { owner, .. } => [b"owner", owner.as_bytes()],
        }
    }
}
