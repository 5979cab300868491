//! Secure connections that do not come about. Another try meets the same certificate or version, so this is no outage that passes: it is told until a
//! connection to the same service works.

use super::Purpose;
use crate::error::{Error, ErrorKind, Remedy};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The last such failure of each service, gone with its next answer.
#[derive(Default)]
pub struct Insecure(Mutex<BTreeMap<u8, (SystemTime, Error)>>);

impl Insecure {
    pub fn note(&self, purpose: Purpose, outcome: Result<(), &Error>, now: SystemTime) {
        // One workflow with a bad certificate says nothing of Microsoft's services.
        if purpose == Purpose::Workflow {
            return;
        }
        let service = purpose as u8;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Err(error) if is_insecure(error) => {
                if known.insert(service, (now, error.clone())).is_none() {
                    tracing::error!(target: "tidings::pipeline", ?purpose, reason = error.reason(), "no secure connection; a setting has to be mended");
                }
            }
            // Nobody answered, so nothing was learnt.
            Err(error) if error.kind() == ErrorKind::Network => {}
            _ => {
                known.remove(&service);
            }
        }
    }

    pub fn current(&self) -> Option<(SystemTime, Error)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().max_by_key(|(at, _)| *at).cloned()
    }
}

/// `Network` that waiting does not mend.
fn is_insecure(error: &Error) -> bool {
    error.kind() == ErrorKind::Network && error.remedy() != Remedy::Wait
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_is_told_until_the_service_answers() {
        let insecure = Insecure::default();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let outage = Error::new(ErrorKind::Network, "outage");
        let bad = |words: &str| Error::new(ErrorKind::Network, words).with_remedy(Remedy::Developer);
        insecure.note(Purpose::Graph, Err(&outage), at(1));
        assert!(insecure.current().is_none(), "an outage is an outage");
        insecure.note(Purpose::Graph, Err(&bad("graph")), at(2));
        insecure.note(Purpose::Identity, Err(&bad("login")), at(3));
        insecure.note(Purpose::Identity, Err(&outage), at(4));
        assert_eq!(insecure.current().unwrap().1.reason(), "login");
        insecure.note(Purpose::Identity, Ok(()), at(5));
        assert_eq!(insecure.current().unwrap().1.reason(), "graph");
        // Whatever is answered came over a secure connection.
        insecure.note(Purpose::Graph, Err(&Error::new(ErrorKind::Throttled, "later")), at(6));
        assert!(insecure.current().is_none());
    }
}
