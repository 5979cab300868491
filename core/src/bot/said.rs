//! What is kept of an activity: of a person, or of the bot itself.

use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Under the content key.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    pub sender_id: Option<String>,
    pub sender_object_id: Option<String>,
    pub sender_name: String,
    pub text: String,
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    /// The bot itself said it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_own: bool,
}

impl Said {
    pub fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal("An activity cannot be written.").with_source(e))
    }

    pub fn read(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|e| Error::new(ErrorKind::Corrupt, "A stored activity cannot be read.").with_source(e))
    }
}
