//! A sign-in whose callback this process receives itself.

use super::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Account, SignIn};
use crate::pipeline::LoopbackReceiver;
use crate::runtime::Stop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use zeroize::Zeroizing;

/// A sign-in whose callback this process receives itself, on a loopback address (RFC 8252).
pub struct LoopbackSignIn {
    inner: Arc<Inner>,
    sign_in: SignIn,
    browser: Arc<Mutex<Browser>>,
}

enum Browser {
    Away(LoopbackReceiver),
    /// What it brought, as long as that may still be good.
    Back(Arc<Zeroizing<String>>),
    Done,
}

impl LoopbackSignIn {
    pub(super) fn new(inner: Arc<Inner>, sign_in: SignIn, receiver: LoopbackReceiver) -> Self {
        Self { inner, sign_in, browser: Arc::new(Mutex::new(Browser::Away(receiver))) }
    }

    /// Open this in a browser.
    pub fn url(&self) -> String {
        self.sign_in.url.clone()
    }

    /// Waits for the browser to come back and finishes the sign-in. Errors: those of `finish_connect`; Cancelled when the sign-in expired.
    pub async fn wait(&self) -> Result<Account> {
        let browser = std::mem::replace(&mut *lock(&self.browser), Browser::Done);
        if matches!(browser, Browser::Done) {
            return Err(Error::new(ErrorKind::Conflict, "This sign-in was already waited for. Start a new one."));
        }
        let (inner, binding, until, place) = (self.inner.clone(), self.sign_in.binding.clone(), self.sign_in.expires_at, self.browser.clone());
        self.inner
            .runtime
            .guard(move |stop| async move {
                let callback = match browser {
                    Browser::Back(callback) => callback,
                    Browser::Away(receiver) => Arc::new(Zeroizing::new(inner.receive(receiver, until, stop).await?)),
                    Browser::Done => return Err(crate::runtime::closed()),
                };
                let account = inner.finish_sign_in(&callback, &binding).await;
                if account.as_ref().is_err_and(|e| e.kind().is_retryable()) {
                    // An outage: it counts once all the same, but it can be waited for again.
                    *lock(&place) = Browser::Back(callback);
                }
                account
            })
            .await
    }
}

impl Inner {
    async fn receive(&self, receiver: LoopbackReceiver, until: SystemTime, stop: Stop) -> Result<String> {
        let left = until.duration_since(self.clock.now()).unwrap_or_default();
        tokio::select! {
            callback = receiver.callback() => callback,
            () = self.clock.deadline(left) => {
                Err(Error::new(ErrorKind::Cancelled, "Nobody came back from Microsoft's sign-in page in time. Start the sign-in again."))
            }
            () = stop.wait() => {
                stop.check()?;
                Err(Error::new(ErrorKind::Cancelled, "The sign-in was not waited for."))
            }
        }
    }
}

fn lock(browser: &Mutex<Browser>) -> MutexGuard<'_, Browser> {
    browser.lock().unwrap_or_else(PoisonError::into_inner)
}
