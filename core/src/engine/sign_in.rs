//! A sign-in whose callback this process receives itself.

use super::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Account, SignIn};
use crate::pipeline::LoopbackReceiver;
use crate::runtime::Stop;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{Mutex, OwnedMutexGuard};
use zeroize::Zeroizing;

/// A sign-in whose callback this process receives itself, on a loopback address (RFC 8252).
pub struct LoopbackSignIn {
    inner: Arc<Inner>,
    sign_in: SignIn,
    /// Held by whoever waits.
    browser: Arc<Mutex<Browser>>,
}

enum Browser {
    Away(LoopbackReceiver),
    /// What it brought, as long as that may still be good.
    Back(Arc<Zeroizing<String>>),
    /// It did not come back in time.
    Late,
    Ended(Ended),
}

/// How a sign-in ended.
pub(super) enum Ended {
    /// With this account: whoever waits again, since he missed the answer, is told it again.
    In(String),
    Refused,
}

impl LoopbackSignIn {
    pub(super) fn new(inner: Arc<Inner>, sign_in: SignIn, receiver: LoopbackReceiver) -> Self {
        let browser = Arc::new(Mutex::new(Browser::Away(receiver)));
        // The port is kept while nobody waits, but not for longer than the sign-in is good.
        let (place, stop) = (Arc::downgrade(&browser), inner.runtime.stop());
        let over = inner.clock.deadline(sign_in.expires_at.duration_since(inner.clock.now()).unwrap_or_default());
        inner.runtime.background(async move {
            tokio::select! { () = over => {}, () = stop.wait() => {} }
            if let Some(place) = place.upgrade() {
                let mut browser = place.lock().await;
                if matches!(*browser, Browser::Away(_)) {
                    *browser = Browser::Late;
                }
            }
        });
        Self { inner, sign_in, browser }
    }

    /// Open this in a browser.
    pub fn url(&self) -> String {
        self.sign_in.url.clone()
    }

    /// Waits for the browser to come back and finishes the sign-in. A wait that is given up can be taken up by another one until the sign-in expires.
    /// Errors: those of `finish_connect`; Cancelled when the sign-in expired.
    pub async fn wait(&self) -> Result<Account> {
        let (inner, binding, until, place) = (self.inner.clone(), self.sign_in.binding.clone(), self.sign_in.expires_at, self.browser.clone());
        self.inner
            .runtime
            .guard(move |stop| async move {
                let mut browser = turn(place, &stop).await?;
                if let Browser::Away(receiver) = &mut *browser {
                    match inner.receive(receiver, until, &stop).await? {
                        Some(callback) => *browser = Browser::Back(Arc::new(Zeroizing::new(callback))),
                        None => *browser = Browser::Late,
                    }
                }
                let callback = match &*browser {
                    Browser::Back(callback) => callback.clone(),
                    Browser::Ended(ended) => return ended.tell(&inner).await,
                    Browser::Away(_) | Browser::Late => {
                        return Err(Error::new(ErrorKind::Cancelled, "Nobody came back from Microsoft's sign-in page in time. Start the sign-in again."));
                    }
                };
                let account = inner.finish_sign_in(&callback, &binding).await;
                // After an outage it can be waited for again.
                if !account.as_ref().is_err_and(|e| e.kind().is_retryable()) {
                    *browser = Browser::Ended(Ended::with(&account));
                }
                account
            })
            .await
    }
}

impl Drop for LoopbackSignIn {
    fn drop(&mut self) {
        if self.inner.runtime.is_forked() {
            // To close the port here would take it from the parent's list of ports to watch, which both have.
            std::mem::forget(self.browser.clone());
        }
    }
}

impl Ended {
    pub(super) fn with(outcome: &Result<Account>) -> Self {
        outcome.as_ref().map_or(Self::Refused, |account| Self::In(account.id.clone()))
    }

    pub(super) async fn tell(&self, inner: &Inner) -> Result<Account> {
        match self {
            Self::In(account_id) => inner.auth.account(account_id).await,
            Self::Refused => Err(Error::new(ErrorKind::Conflict, "This sign-in was refused already. Start a new one.")),
        }
    }
}

/// Waits until nobody else waits for this sign-in.
pub(super) async fn turn<T>(place: Arc<Mutex<T>>, stop: &Stop) -> Result<OwnedMutexGuard<T>> {
    tokio::select! {
        mine = place.lock_owned() => Ok(mine),
        () = stop.wait() => Err(not_waited(stop)),
    }
}

fn not_waited(stop: &Stop) -> Error {
    match stop.check() {
        Err(error) if error.kind() == ErrorKind::Closed => error,
        _ => Error::new(ErrorKind::Cancelled, "The sign-in was not waited for."),
    }
}

impl Inner {
    /// None: nobody came back in time.
    async fn receive(&self, receiver: &mut LoopbackReceiver, until: SystemTime, stop: &Stop) -> Result<Option<String>> {
        let left = until.duration_since(self.clock.now()).unwrap_or_default();
        tokio::select! {
            callback = receiver.callback() => callback.map(Some),
            () = self.clock.deadline(left) => Ok(None),
            () = stop.wait() => Err(not_waited(stop)),
        }
    }
}
