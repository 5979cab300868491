//! Mails that somebody waits for, one after the other, while everything else goes on.

use super::Outcome;
use super::bulk::{draft, sender};
use super::fleet::Fleet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings::{Engine, SendState};

/// In each hour.
const SENDS: usize = 20;
const LOOK: Duration = Duration::from_millis(2);

/// How long each took, by this machine's clock: the engine's leaps over every Retry-After, those of others as well.
pub async fn send(engine: Engine, fleet: Arc<Fleet>, number: u32) -> Outcome<Vec<Duration>> {
    let mut waits = Vec::new();
    for n in 0..SENDS {
        // Half of them from accounts whose own bulk mail is on its way.
        let from = if n % 2 == 0 { sender(number, n) } else { number as usize * 977 + n * 31 };
        let (Some(member), Some(to)) = (fleet.member(from), fleet.member(from + 7)) else { continue };
        let began = Instant::now();
        let mut receipt = engine.send(draft(&member.account_id, to.address.clone(), format!("Interview {number}.{n}"))).await?;
        while matches!(receipt.state, SendState::Queued | SendState::Sending) {
            tokio::time::sleep(LOOK).await;
            receipt = engine.receipt(receipt.id, None).await?;
        }
        if receipt.state != SendState::Sent {
            return Err(format!("a send ended as {:?}: {}", receipt.state, receipt.reason.unwrap_or_default()).into());
        }
        waits.push(began.elapsed());
    }
    Ok(waits)
}
