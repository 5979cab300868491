//! A sign-in on another device, by a code. It lives in memory: whoever stops waiting for it can wait again, until it expires.

use super::Auth;
use super::attempt::Attempt;
use super::state::Refusal;
use super::token::{Denied, DeviceCode};
use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::foreign::Secrets;
use crate::model::{Account, ConnectRequest};
use crate::runtime::Stop;
use std::time::{Duration, SystemTime};

const USUAL_INTERVAL: u32 = 5;
const SLOWER: Duration = Duration::from_secs(5);
const LONGEST: u32 = 3600;
/// A look that begins in time may end after it.
const LAST_LOOK_MS: i64 = 600_000;

/// A code, and what is done when somebody has signed in with it.
pub struct DeviceAttempt {
    attempt: Attempt,
    code: DeviceCode,
    expires_at: i64,
}

impl DeviceAttempt {
    pub fn user_code(&self) -> &str {
        &self.code.user_code
    }

    pub fn verification_uri(&self) -> &str {
        &self.code.verification_uri
    }

    pub fn message(&self) -> &str {
        &self.code.message
    }

    pub fn expires_at(&self) -> SystemTime {
        from_ms(self.expires_at)
    }
}

impl Auth {
    /// Asks Microsoft for a code.
    pub async fn begin_device(&self, request: ConnectRequest) -> Result<DeviceAttempt> {
        let mut attempt = self.attempt_of(request)?;
        // No browser carries the answer, so there is none that could bring another's.
        attempt.nonce = None;
        let app = self.choose_app(Some(&attempt.app))?;
        let tenant = attempt.tenant(app);
        // A code is not shown to anybody whose sign-in could then not be verified.
        self.trust.ready(tenant).await?;
        let asked_at = self.now();
        let code = match app.entra.device_code(tenant, &attempt.scopes).await {
            Ok(code) => self.checked(code)?,
            Err(Denied::Refused(refusal, request_id)) => return Err(not_allowed(&refusal).unwrap_or_else(|| refusal.error(true)).with_request_id(request_id)),
            Err(Denied::Failed(error)) => return Err(error),
        };
        let expires_at = asked_at.saturating_add(i64::from(code.expires_in) * 1000);
        self.mark(&mut attempt, expires_at.saturating_add(LAST_LOOK_MS)).await?;
        Ok(DeviceAttempt { attempt, code, expires_at })
    }

    /// Looks until somebody has signed in. Stopped between two looks it loses nothing; what was granted is stored whoever waits.
    pub async fn wait_device(&self, device: &DeviceAttempt, stop: &Stop) -> Result<Account> {
        let app = self.choose_app(Some(&device.attempt.app))?;
        let tenant = device.attempt.tenant(app);
        let mut interval = Duration::from_secs(u64::from(device.code.interval.unwrap_or(USUAL_INTERVAL)));
        loop {
            if to_ms(self.clock.now()) >= device.expires_at {
                return Err(Error::new(ErrorKind::Cancelled, "Nobody signed in with the code in time. Start the sign-in again."));
            }
            tokio::select! {
                () = self.clock.pause(interval) => {}
                () = stop.wait() => {
                    stop.check()?;
                    return Err(Error::new(ErrorKind::Cancelled, "The sign-in was not waited for."));
                }
            }
            let refusal = match app.entra.device_grant(tenant, &device.code.device_code).await {
                Ok(grant) => return self.keep_grant(&device.attempt, grant, None).await,
                // An outage passes; the code lives on.
                Err(Denied::Failed(error)) if error.kind().is_retryable() => {
                    interval += SLOWER;
                    continue;
                }
                Err(Denied::Failed(error)) => return Err(error),
                Err(Denied::Refused(refusal, request_id)) => (refusal, request_id),
            };
            let (refusal, request_id) = refusal;
            match refusal.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += SLOWER,
                "temporarily_unavailable" | "server_error" => interval += SLOWER,
                "authorization_declined" | "access_denied" if !refusal.needs_approval() => {
                    return Err(Error::new(ErrorKind::Cancelled, "The person declined. Nothing was stored.").with_request_id(request_id));
                }
                "expired_token" | "code_expired" => return Err(Error::new(ErrorKind::Cancelled, "The code has expired. Start the sign-in again.").with_request_id(request_id)),
                "bad_verification_code" => {
                    return Err(Error::new(ErrorKind::Cancelled, "Microsoft does not know the code any longer. Start the sign-in again.").with_request_id(request_id));
                }
                _ => {
                    return Err(match not_allowed(&refusal) {
                        Some(error) => error.with_request_id(request_id),
                        None => self.turned_away(&device.attempt, refusal, request_id).await,
                    });
                }
            }
        }
    }

    /// Address and code are Microsoft's, but not just anything; the sentence around them is our own.
    fn checked(&self, mut code: DeviceCode) -> Result<DeviceCode> {
        let plain = |text: &str, most: usize| !text.is_empty() && text.len() <= most && text.bytes().all(|b| (0x21..0x7f).contains(&b));
        let address = url::Url::parse(&code.verification_uri).ok();
        let fits = address.is_some_and(|url| (url.scheme() == "https" || self.config.endpoints.loopback) && url.username().is_empty() && url.password().is_none());
        // The code that the person types in is not the one that fetches the tokens.
        let mut secrets = Secrets::default();
        secrets.add_text(&code.device_code);
        let fits = fits && !secrets.shares(&code.user_code) && !secrets.shares(&code.verification_uri);
        if !plain(&code.device_code, 16 << 10) || !plain(&code.user_code, 64) || !plain(&code.verification_uri, 500) || !fits {
            return Err(Error::new(ErrorKind::Upstream, "Microsoft's sign-in service answered something unreadable. Try again later."));
        }
        code.message = format!("To sign in, open {} in a browser and enter the code {}.", code.verification_uri, code.user_code);
        code.expires_in = code.expires_in.clamp(1, LONGEST);
        code.interval = code.interval.map(|interval| interval.clamp(1, 60));
        Ok(code)
    }
}

/// The registration does not let devices sign in.
fn not_allowed(refusal: &Refusal) -> Option<Error> {
    let is_so = refusal.aadsts == Some(7_000_218) || (refusal.error == "unauthorized_client" && !matches!(refusal.aadsts, Some(700_016 | 700_011 | 7_000_112)));
    is_so.then(|| {
        Error::new(ErrorKind::Forbidden, "The application does not allow signing in by a code. Switch on “Allow public client flows” in its registration in Entra.").with_remedy(Remedy::Developer)
    })
}
