//! When a request goes out again, and after how long. `Once` goes again only when it is proven that nothing was done; and nothing does while most requests
//! fail ([`retry_budget`](super::retry_budget)).

use super::retry_budget::RetryBudget;
use super::schedule::{Turns, throttled};
use super::transport::{Answer, Sent, TransportError, Trouble};
use super::{Request, Response, Safety, error_code};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::random;
use bytes::Bytes;
use http::Method;
use std::time::{Duration, SystemTime};

/// Refusals with 429 are bounded by `max_wait` as well.
const MOST_REFUSALS: u32 = 20;
/// A Retry-After counts as no longer than this.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What to do after an attempt.
enum Next {
    Done(Response),
    Fail(Error),
    /// Go again after `wait`; if there is no time or no attempt left, `otherwise` is the answer. `fence`: nobody of this scope may go earlier.
    Again { wait: Duration, fence: bool, refusal: bool, otherwise: Error },
}

/// Runs `attempt` until it is done. Waits for turns, which an attempt takes for each of its exchanges, come out of the same budget as every other wait.
pub async fn run<F, Fut>(clock: &dyn Clock, turns: &Turns, budget: &RetryBudget, request: &Request, attempt: F) -> Result<Response>
where
    F: Fn(u32) -> Fut,
    Fut: Future<Output = Result<Answer>>,
{
    let (mut failures, mut refusals) = (0, 0);
    loop {
        let answer = attempt(failures + refusals + 1).await?;
        let next = judge(request, answer, failures, refusals, (clock, turns));
        let (wait, otherwise) = match next {
            Next::Done(response) => {
                budget.succeeded(turns.scope());
                return Ok(response);
            }
            Next::Fail(error) => {
                budget.failed(turns.scope());
                return Err(error);
            }
            Next::Again { wait, fence, refusal, otherwise } => {
                if fence {
                    turns.fence(wait);
                }
                let spent = if refusal { &mut refusals } else { &mut failures };
                *spent += 1;
                let may_go_again = refusal || budget.failed(turns.scope());
                if !may_go_again || failures >= request.attempts || refusals >= MOST_REFUSALS {
                    return Err(otherwise);
                }
                (wait, otherwise)
            }
        };
        if !turns.spend(wait) {
            return Err(otherwise);
        }
        if !wait.is_zero() {
            clock.pause(wait).await;
        }
    }
}

fn judge(request: &Request, answer: Answer, failures: u32, refusals: u32, (clock, turns): (&dyn Clock, &Turns)) -> Next {
    let now = clock.now();
    let once = request.safety == Safety::Once;
    let response = match answer {
        Ok(answer) => Response::of(answer),
        Err(error) => return no_answer(error, once, failures),
    };
    let status = response.status;
    let asked = retry_after(&response, now);
    match status.as_u16() {
        // Refused before anything was done, so even `Once` goes again.
        429 => {
            let (wait, fence) = match asked {
                Some(asked) => (asked.max(if refusals == 0 { Duration::ZERO } else { Duration::from_millis(100) }), true),
                None if is_concurrency(&response.body) => (jittered(Duration::from_millis(300), Duration::from_millis(1700)), false),
                None => (backoff(refusals, Duration::from_secs(60)), false),
            };
            Next::Again { wait, fence, refusal: true, otherwise: throttled(wait).with_request_id(response.request_id()) }
        }
        200 if request.method == Method::GET && response.body.is_empty() && !request.may_be_empty => Next::Again {
            wait: backoff(failures, Duration::from_secs(4)),
            fence: false,
            refusal: false,
            otherwise: Error::new(ErrorKind::Upstream, "Microsoft answered with nothing. Try again later.").with_request_id(response.request_id()),
        },
        // No room to write it: refused before anything was done, and for longer than one request waits.
        507 if request.method != Method::GET => Next::Done(response),
        408 | 425 | 500 | 502..=599 if once => {
            if let Some(asked) = asked {
                turns.fence(asked);
            }
            Next::Fail(unknown().with_request_id(response.request_id()))
        }
        // 501, 505 … say that the request makes no sense to the server; asking again does not help.
        501 | 505 | 506 | 508 | 510 | 511 => Next::Done(response),
        408 | 425 | 500 | 502..=599 => match asked {
            Some(asked) => {
                let wait = asked.max(if failures == 0 { Duration::ZERO } else { backoff(failures - 1, Duration::from_secs(8)) });
                Next::Again { wait, fence: true, refusal: false, otherwise: throttled(wait).overloaded().with_request_id(response.request_id()) }
            }
            None => Next::Again {
                wait: backoff(failures, Duration::from_secs(8)),
                fence: false,
                refusal: false,
                otherwise: Error::new(ErrorKind::Upstream, format!("Microsoft's service failed (HTTP {}). Try again later.", status.as_u16())).overloaded().with_request_id(response.request_id()),
            },
        },
        _ => Next::Done(response),
    }
}

fn no_answer(error: TransportError, once: bool, failures: u32) -> Next {
    let wait = backoff(failures, Duration::from_secs(8));
    let (sent, trouble) = (error.sent, error.trouble);
    let told = |kind, reason: &str| Error::new(kind, reason).with_source(error);
    match (sent, trouble) {
        // Another attempt meets the same certificate. Who mends it is whoever runs this program, so waiting is no remedy.
        (Sent::No, Trouble::Certificate) => Next::Fail(
            told(
                ErrorKind::Network,
                "No secure connection to Microsoft: the certificate shown is not trusted here; nothing was sent. If a proxy looks into TLS, set ca_certificates to its authority; otherwise check this machine's date and its certificates.",
            )
            .with_remedy(Remedy::Developer),
        ),
        (Sent::No, Trouble::TlsVersion) => Next::Fail(
            told(
                ErrorKind::Network,
                "No secure connection to Microsoft: TLS 1.3 is not spoken on the way there; nothing was sent. If a proxy needs TLS 1.2, set allow_tls12.",
            )
            .with_remedy(Remedy::Developer),
        ),
        (Sent::No, Trouble::Tls) => Next::Fail(
            told(ErrorKind::Network, "No secure connection to Microsoft; nothing was sent. If a proxy stands in between, set ca_certificates or allow_tls12 as it needs.")
                .with_remedy(Remedy::Developer),
        ),
        (Sent::No, Trouble::NotPublic) => Next::Fail(told(
            ErrorKind::LinkRejected,
            "The host's name leads to an address that is not public, inside this machine or its network; nothing was sent there. Check the DNS of this network.",
        )),
        (Sent::No, _) => {
            let otherwise = told(ErrorKind::Network, "Microsoft could not be reached; nothing was sent. Check the network and try again.");
            Next::Again { wait, fence: false, refusal: false, otherwise }
        }
        (Sent::Maybe, _) if once => Next::Fail(unknown()),
        (Sent::Maybe, Trouble::TooLarge) => Next::Fail(told(ErrorKind::LimitExceeded, "Microsoft's answer is larger than accepted here.")),
        (Sent::Maybe, Trouble::Misfit) => {
            let otherwise = told(ErrorKind::Upstream, "An answer came that belongs to another request; nothing of it was kept. If this goes on, a proxy on the way to Microsoft mixes answers up. Try again later.");
            Next::Again { wait, fence: false, refusal: false, otherwise }
        }
        (Sent::Maybe, _) => {
            let otherwise = told(ErrorKind::Upstream, "The connection to Microsoft broke before the answer was complete. Try again later.").overloaded();
            Next::Again { wait, fence: false, refusal: false, otherwise }
        }
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "No usable answer came, so it may or may not have been done. It was not repeated.")
}

/// How long nobody else may ask, as a refusal or an outage says; None: it says nothing of it.
pub fn asked_to_wait(answer: &http::Response<Bytes>, now: SystemTime) -> Option<Duration> {
    let is_refusal = matches!(answer.status().as_u16(), 429 | 408 | 425 | 500 | 502..=599);
    answer.headers().get(http::header::RETRY_AFTER).filter(|_| is_refusal).and_then(|value| parse_retry_after(value.to_str().ok()?, now))
}

/// Whole or decimal seconds, or a date; between zero and an hour.
pub fn retry_after(response: &Response, now: SystemTime) -> Option<Duration> {
    parse_retry_after(response.header("retry-after")?, now)
}

pub fn parse_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.is_empty() {
        let seconds = text.parse::<f64>().ok()?;
        // Rounded up to a millisecond: back too early counts as ignoring it.
        Duration::from_millis((seconds.min(LONGEST_WAIT.as_secs_f64()) * 1000.0).ceil() as u64)
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST_WAIT))
}

/// 1, 2, 4 … seconds up to `most`, shortened by up to a half so that many do not come at once.
fn backoff(n: u32, most: Duration) -> Duration {
    let full = Duration::from_secs(1 << n.min(10)).min(most);
    jittered(full / 2, full / 2)
}

/// Whole milliseconds, since that is what clocks count.
fn jittered(least: Duration, spread: Duration) -> Duration {
    Duration::from_millis((least + spread.mul_f64(random::jitter())).as_millis() as u64)
}

/// Outlook's refusal of a fifth request at a time; over in a moment.
fn is_concurrency(body: &[u8]) -> bool {
    error_code(body).is_one_of(&["applicationthrottled", "activitylimitreached"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_every_form() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let wait = |text| parse_retry_after(text, now);
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait(" 2.128 "), Some(Duration::from_millis(2128)));
        assert_eq!(wait("0.0001"), Some(Duration::from_millis(1)));
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("999999999"), Some(LONGEST_WAIT));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(wait("Sun, 06 Nov 1994 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("Sat, 06 Nov 2094 07:00:00 GMT"), Some(LONGEST_WAIT));
        for bad in ["", "-5", "soon", "1.2.3", "1e9", "inf"] {
            assert_eq!(wait(bad), None, "{bad}");
        }
    }
}
