//! A sign-in whose callback this process receives itself.

use super::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Account, SignIn};
use crate::pipeline::LoopbackReceiver;
use std::sync::{Arc, Mutex, PoisonError};

/// A sign-in whose callback this process receives itself, on a loopback address (RFC 8252).
pub struct LoopbackSignIn {
    inner: Arc<Inner>,
    sign_in: SignIn,
    receiver: Mutex<Option<LoopbackReceiver>>,
}

impl LoopbackSignIn {
    pub(super) fn new(inner: Arc<Inner>, sign_in: SignIn, receiver: LoopbackReceiver) -> Self {
        Self { inner, sign_in, receiver: Mutex::new(Some(receiver)) }
    }

    /// Open this in a browser.
    pub fn url(&self) -> String {
        self.sign_in.url.clone()
    }

    /// Waits for the browser to come back and finishes the sign-in. Errors: those of `finish_connect`; Cancelled when the sign-in expired.
    pub async fn wait(&self) -> Result<Account> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let receiver = receiver.ok_or_else(|| Error::new(ErrorKind::Conflict, "This sign-in was already waited for. Start a new one."))?;
        let (inner, binding) = (self.inner.clone(), self.sign_in.binding.clone());
        let until = self.sign_in.expires_at;
        self.inner
            .runtime
            .guard(move |stop| async move {
                let left = until.duration_since(inner.clock.now()).unwrap_or_default();
                let callback = tokio::select! {
                    callback = receiver.callback() => callback?,
                    () = inner.clock.deadline(left) => {
                        return Err(Error::new(ErrorKind::Cancelled, "Nobody came back from Microsoft's sign-in page in time. Start the sign-in again."));
                    }
                    () = stop.wait() => {
                        stop.check()?;
                        return Err(Error::new(ErrorKind::Cancelled, "The sign-in was not waited for."));
                    }
                };
                inner.finish_sign_in(&callback, &binding).await
            })
            .await
    }
}
