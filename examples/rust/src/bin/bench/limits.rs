//! The case "limits": a campaign of mails and chat messages from many mailboxes of one organisation, beside what Microsoft's limits allow at best, and what
//! somebody who waits for a mail notices of it.

use super::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tidings::{Address, ChatDraft, ConnectRequest, Draft, Engine, Feature, MailDraft, SendState};
use tidings_examples::control::Control;

const DOMAIN: &str = "limits.example";
pub const MAILBOXES: u32 = 20;
/// Mails, and chat messages, of each mailbox.
const EACH: u32 = 25;
/// What Microsoft's side takes for a request.
const REQUEST: Duration = Duration::from_millis(20);
/// Between two messages of one person (throttling limits, Teams service).
const CHAT_PACE: Duration = Duration::from_secs(1);
/// Mails that somebody waits for, beside the campaign and without it.
const PAUSE: Duration = Duration::from_millis(100);
const ALONE: u32 = 10;

/// What came of it.
#[derive(Serialize, Deserialize)]
pub struct Campaign {
    pub mails: u32,
    pub chats: u32,
    pub mails_seconds: f64,
    pub seconds: f64,
    /// What the limits allow at best.
    pub best_seconds: f64,
    /// Requests that Microsoft refused with 429, and what the simulator has against the engine.
    pub refused: u64,
    pub accusations: Vec<String>,
    /// Milliseconds of a mail that somebody waits for: while nothing else goes on, and during the campaign.
    pub alone_ms: Vec<f64>,
    pub during_ms: Vec<f64>,
    /// Those of them that began while mails of the campaign were leaving.
    pub beside_mails: usize,
    pub request_ms: f64,
}

pub async fn run() -> Outcome<()> {
    let control = Control::from_env()?;
    control.post("limits", json!({ "throttle": true })).await?;
    control.post("people/many", json!({ "domain": DOMAIN, "count": MAILBOXES + EACH })).await?;
    let engine = tidings_examples::open()?;
    let mut accounts = Vec::new();
    for n in 1..=MAILBOXES {
        accounts.push(connect(&engine, &control, &person(n)).await?);
    }
    let slow = json!({ "name": "service time", "match": { "host": "graph" }, "times": 0, "do": { "slow_ms": u64::try_from(REQUEST.as_millis())? } });
    control.post("faults", slow).await?;
    let waited_for = accounts.first().cloned().ok_or("no mailbox")?;
    let mut alone_ms = Vec::new();
    for n in 0..ALONE {
        alone_ms.push(interactive(&engine, &waited_for, n).await?);
    }

    let (is_over, mails_left) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let watching = tokio::spawn({
        let (engine, account, is_over, mails_left) = (engine.clone(), waited_for.clone(), is_over.clone(), mails_left.clone());
        async move {
            let (mut took, mut n, mut beside_mails) = (Vec::new(), ALONE, 0);
            while !is_over.load(Ordering::SeqCst) {
                beside_mails += usize::from(mails_left.load(Ordering::SeqCst));
                took.push(interactive(&engine, &account, n).await?);
                n += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((took, beside_mails))
        }
    });
    let began = Instant::now();
    let chats = drafts(&accounts, |account, n| ChatDraft { account_id: account.to_owned(), to: person(MAILBOXES + n), body: format!("Interview {n}: are you free on Monday?"), ..ChatDraft::default() }.into());
    let mails = drafts(&accounts, |account, n| mail(account, &person(MAILBOXES + n), format!("Interview {n}")));
    let (mut chat_ids, mut mail_ids) = (Vec::new(), Vec::new());
    for (drafts, ids) in [(chats, &mut chat_ids), (mails, &mut mail_ids)] {
        for some in drafts.chunks(100) {
            ids.extend(engine.enqueue_all(some.to_vec()).await?.into_iter().map(|receipt| receipt.id));
        }
    }
    all_sent(&engine, &mail_ids).await?;
    let mails_seconds = began.elapsed().as_secs_f64();
    mails_left.store(false, Ordering::SeqCst);
    all_sent(&engine, &chat_ids).await?;
    let seconds = began.elapsed().as_secs_f64();
    is_over.store(true, Ordering::SeqCst);
    let (during_ms, beside_mails) = watching.await??;

    // Rows of refused requests alone.
    let ledger = control.post("ledger", json!({ "status": 429 })).await?;
    let texts = |name: &str| ledger[name].as_array().cloned().unwrap_or_default();
    let campaign = Campaign {
        mails: MAILBOXES * EACH,
        chats: MAILBOXES * EACH,
        mails_seconds,
        seconds,
        best_seconds: CHAT_PACE.as_secs_f64() * f64::from(EACH - 1),
        refused: texts("requests").len() as u64,
        accusations: texts("accusations").iter().map(|one| format!("{}: {}", one["kind"].as_str().unwrap_or_default(), one["text"].as_str().unwrap_or_default())).collect(),
        alone_ms,
        during_ms,
        beside_mails,
        request_ms: REQUEST.as_secs_f64() * 1000.0,
    };
    control.clear_faults().await?;
    engine.shutdown().await;
    println!("{}", serde_json::to_string(&campaign)?);
    Ok(())
}

fn person(n: u32) -> String {
    format!("user{n}@{DOMAIN}")
}

async fn connect(engine: &Engine, control: &Control, address: &str) -> Outcome<String> {
    let request = ConnectRequest { owner: "bench".into(), features: vec![Feature::MailSend, Feature::Chat], redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
    let sign_in = engine.connect(request).await?;
    let callback = control.sign_in(&sign_in.url, address).await?;
    Ok(engine.finish_connect(callback, sign_in.binding).await?.id)
}

/// Of all mailboxes, in turns.
fn drafts(accounts: &[String], draft: impl Fn(&str, u32) -> Draft) -> Vec<Draft> {
    (1..=EACH).flat_map(|n| accounts.iter().map(move |account| (account, n))).map(|(account, n)| draft(account, n)).collect()
}

fn mail(account_id: &str, to: &str, subject: String) -> Draft {
    let to = vec![Address { address: to.to_owned(), ..Address::default() }];
    MailDraft { account_id: account_id.to_owned(), to, subject, body: "Are you free on Monday?".into(), ..MailDraft::default() }.into()
}

async fn interactive(engine: &Engine, account_id: &str, n: u32) -> Outcome<f64> {
    let began = Instant::now();
    let receipt = engine.send(mail(account_id, &person(MAILBOXES + 1), format!("Waited for {n}"))).await?;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    if receipt.state == SendState::Sent { Ok(took) } else { Err(format!("a send ended as {:?}", receipt.state).into()) }
}

/// Waits until each of them is sent. Errors: one ended in another way.
async fn all_sent(engine: &Engine, ids: &[String]) -> Outcome<()> {
    for id in ids {
        loop {
            let receipt = engine.receipt(id.clone(), None).await?;
            match receipt.state {
                SendState::Sent => break,
                SendState::Queued | SendState::Sending => tokio::time::sleep(Duration::from_millis(5)).await,
                state => return Err(format!("a send ended as {state:?}: {}", receipt.reason.unwrap_or_default()).into()),
            }
        }
    }
    Ok(())
}
