//! Mails that nobody waits for: campaigns of some accounts, a few mails each.

use super::Outcome;
use super::fleet::Fleet;
use std::sync::Arc;
use std::time::Duration;
use tidings::{Address, Draft, Engine, MailDraft};

/// Accounts that send in bulk, in each hour.
const ACCOUNTS: usize = 20;
const MAILS_EACH: usize = 10;
/// How often is looked whether all of them are sent.
const LOOK: Duration = Duration::from_millis(5);

/// Which account sends in bulk, of those of an hour. The first of them also have people who wait.
pub fn sender(number: u32, n: usize) -> usize {
    number as usize * 131 + n * 17
}

pub async fn send(engine: Engine, fleet: Arc<Fleet>, number: u32) -> Outcome<u32> {
    let mut queued = 0;
    for n in 0..ACCOUNTS {
        let from = sender(number, n);
        let Some(member) = fleet.member(from) else { continue };
        let to = |mail: usize| fleet.member(from + 1 + mail).map(|other| other.address.clone()).unwrap_or_default();
        let drafts: Vec<Draft> = (0..MAILS_EACH).map(|mail| draft(&member.account_id, to(mail), format!("News {number}.{n}.{mail}"))).collect();
        queued += u32::try_from(engine.enqueue_all(drafts).await?.len())?;
    }
    Ok(queued)
}

/// Waits until every mail that was handed in is sent, or has failed for good.
pub async fn delivered(engine: &Engine) -> Outcome<()> {
    loop {
        let now = engine.metrics();
        if now.sends_sent + now.sends_failed + now.sends_unknown >= now.sends_queued {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub fn draft(account_id: &str, to: String, subject: String) -> Draft {
    let to = vec![Address { address: to, ..Address::default() }];
    MailDraft { account_id: account_id.to_owned(), to, subject, body: "Does Thursday at 3 suit you?".into(), ..MailDraft::default() }.into()
}
