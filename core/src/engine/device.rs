//! A sign-in on another device, by a code.

use crate::error::{Error, Result};
use crate::model::Account;
use std::time::SystemTime;

/// A sign-in on another device, by a code (RFC 8628).
pub struct DeviceSignIn {}

impl DeviceSignIn {
    /// What the person types in at `verification_uri`.
    pub fn user_code(&self) -> String {
        String::new()
    }

    pub fn verification_uri(&self) -> String {
        String::new()
    }

    /// Microsoft's own sentence for the person, with address and code.
    pub fn message(&self) -> String {
        String::new()
    }

    pub fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    /// Waits until the person has signed in and finishes. Errors: those of `finish_connect`; Cancelled when declined or expired.
    pub async fn wait(&self) -> Result<Account> {
        Err(Error::internal("Not built yet."))
    }
}
