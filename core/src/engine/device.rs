//! A sign-in on another device, by a code.

use super::Inner;
use super::sign_in::{Ended, turn};
use crate::auth::DeviceAttempt;
use crate::error::Result;
use crate::model::Account;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::Mutex;

/// A sign-in on another device, by a code (RFC 8628).
pub struct DeviceSignIn {
    inner: Arc<Inner>,
    device: Arc<DeviceAttempt>,
    /// How it ended, once it has. Held by whoever waits.
    ended: Arc<Mutex<Option<Ended>>>,
}

impl DeviceSignIn {
    pub(super) fn new(inner: Arc<Inner>, device: DeviceAttempt) -> Self {
        Self { inner, device: Arc::new(device), ended: Arc::default() }
    }

    /// What the person types in at `verification_uri`.
    pub fn user_code(&self) -> String {
        self.device.user_code().to_owned()
    }

    pub fn verification_uri(&self) -> String {
        self.device.verification_uri().to_owned()
    }

    /// A sentence for the person, with address and code.
    pub fn message(&self) -> String {
        self.device.message().to_owned()
    }

    pub fn expires_at(&self) -> SystemTime {
        self.device.expires_at()
    }

    /// Waits until the person has signed in and finishes. A wait that is given up can be taken up by another one until the code expires.
    /// Errors: those of `finish_connect`; Cancelled when declined or expired.
    pub async fn wait(&self) -> Result<Account> {
        let (inner, device, ended) = (self.inner.clone(), self.device.clone(), self.ended.clone());
        self.inner
            .runtime
            .guard(move |stop| async move {
                let mut ended = turn(ended, &stop).await?;
                if let Some(ended) = &*ended {
                    return ended.tell(&inner).await;
                }
                let outcome = inner.auth.wait_device(&device, &stop).await;
                if outcome.is_err() && stop.is_set() {
                    // Nobody waits any more; somebody may again.
                    return outcome;
                }
                *ended = Some(Ended::with(&outcome));
                inner.noted(outcome).await
            })
            .await
    }
}
