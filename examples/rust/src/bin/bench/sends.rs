//! The case "sends": mails made durable by few and by many callers at once, and delivered.

use super::Outcome;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tidings::{ConnectRequest, Draft, Engine, Feature, Address, MailDraft, OutboxFilter, SendState};
use tidings_examples::control::Control;

const CALLERS: [u32; 3] = [1, 16, 256];
/// Mails of each round.
const MAILS: u32 = 512;

/// What came of one number of callers.
#[derive(Serialize, Deserialize)]
pub struct Sends {
    pub callers: u32,
    pub mails: u32,
    /// Accepted, and on disk.
    pub queued_per_second: f64,
    /// From the first call to the last delivery, through the four requests at a time that a mailbox is allowed.
    pub sent_per_second: f64,
}

pub async fn run() -> Outcome<()> {
    let engine = tidings_examples::open()?;
    let request = ConnectRequest {
        owner: "bench".into(),
        features: vec![Feature::MailSend],
        redirect_uri: "http://localhost/callback".into(),
        ..ConnectRequest::default()
    };
    let sign_in = engine.connect(request).await?;
    let callback = Control::from_env()?.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;
    let mut runs = Vec::new();
    for callers in CALLERS {
        runs.push(round(&engine, &account.id, callers).await?);
    }
    engine.shutdown().await;
    println!("{}", serde_json::to_string(&runs)?);
    Ok(())
}

async fn round(engine: &Engine, account_id: &str, callers: u32) -> Outcome<Sends> {
    let next = Arc::new(AtomicU32::new(0));
    let began = Instant::now();
    let calling: Vec<_> = (0..callers)
        .map(|_| {
            let (engine, account_id, next) = (engine.clone(), account_id.to_owned(), next.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= MAILS {
                        return Ok::<_, tidings::Error>(());
                    }
                    engine.enqueue(mail(&account_id, callers, n)).await?;
                }
            })
        })
        .collect();
    for one in calling {
        one.await??;
    }
    let queued = began.elapsed();
    loop {
        let filter = |state| OutboxFilter { account_id: Some(account_id.to_owned()), state: Some(state), limit: 1, ..OutboxFilter::default() };
        let open = engine.outbox(filter(SendState::Queued)).await?.len() + engine.outbox(filter(SendState::Sending)).await?.len();
        if open == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let per_second = |took: std::time::Duration| f64::from(MAILS) / took.as_secs_f64();
    Ok(Sends { callers, mails: MAILS, queued_per_second: per_second(queued), sent_per_second: per_second(began.elapsed()) })
}

fn mail(account_id: &str, callers: u32, n: u32) -> Draft {
    let to = vec![Address { address: format!("candidate-{callers}-{n}@fabrikam.com"), ..Address::default() }];
    Draft::Mail { mail: MailDraft { account_id: account_id.to_owned(), to, subject: format!("Interview {n}"), body: "Are you free on Monday?".into(), ..MailDraft::default() } }
}
