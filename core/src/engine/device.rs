//! A sign-in on another device, by a code.

use super::Inner;
use crate::auth::DeviceAttempt;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Account;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A sign-in on another device, by a code (RFC 8628).
pub struct DeviceSignIn {
    inner: Arc<Inner>,
    device: Arc<DeviceAttempt>,
    /// Empty while somebody waits, and once it has ended.
    open: Arc<Mutex<Option<()>>>,
}

impl DeviceSignIn {
    pub(super) fn new(inner: Arc<Inner>, device: DeviceAttempt) -> Self {
        Self { inner, device: Arc::new(device), open: Arc::new(Mutex::new(Some(()))) }
    }

    /// What the person types in at `verification_uri`.
    pub fn user_code(&self) -> String {
        self.device.user_code().to_owned()
    }

    pub fn verification_uri(&self) -> String {
        self.device.verification_uri().to_owned()
    }

    /// Microsoft's own sentence for the person, with address and code.
    pub fn message(&self) -> String {
        self.device.message().to_owned()
    }

    pub fn expires_at(&self) -> SystemTime {
        self.device.expires_at()
    }

    /// Waits until the person has signed in and finishes. Errors: those of `finish_connect`; Cancelled when declined or expired.
    pub async fn wait(&self) -> Result<Account> {
        if self.open.lock().unwrap_or_else(PoisonError::into_inner).take().is_none() {
            return Err(Error::new(ErrorKind::Conflict, "This sign-in was already waited for. Start a new one."));
        }
        let (inner, device, open) = (self.inner.clone(), self.device.clone(), self.open.clone());
        self.inner
            .runtime
            .guard(move |stop| async move {
                let outcome = inner.auth.wait_device(&device, &stop).await;
                if outcome.is_err() && stop.is_set() {
                    // Nobody waits any more; somebody may again.
                    *open.lock().unwrap_or_else(PoisonError::into_inner) = Some(());
                    return outcome;
                }
                inner.noted(outcome).await
            })
            .await
    }
}
