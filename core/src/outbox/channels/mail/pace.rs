//! The pace of a mailbox: a mail that comes too soon waits for its time, which holds over restarts.

use super::{MailBy, Making};
use crate::error::{Error, ErrorKind, Result};
use crate::outbox::job::Job;
use crate::store::PaceRequest;

/// Errors: Throttled, until its time has come.
pub async fn keep_pace<K: Making>(job: &Job<MailBy<K>>) -> Result<()> {
    let pace = job.tools.pace;
    if pace.is_none() {
        return Ok(());
    }
    let account = job.tools.store.account(&job.item.account_id).await?.ok_or_else(|| Error::new(ErrorKind::NotConnected, "The account is gone."))?;
    let mail = K::parts(&job.draft);
    // Whom an answer goes to, Microsoft fills in: it is somebody.
    let recipients = (mail.to.len() + mail.cc.len() + mail.bcc.len()).max(1);
    let request = PaceRequest {
        mailbox: format!("{}/{}", account.tenant_id, account.user_id),
        account_id: account.id,
        item: job.item.id.clone(),
        recipients: u32::try_from(recipients).unwrap_or(u32::MAX),
        is_bulk: job.item.is_bulk,
        pace,
    };
    let now = job.now();
    let Some(time) = job.tools.store.pace(&request, now).await? else { return Ok(()) };
    let reason = "It waits for its time: the mailbox sends no more mails a minute, or to no more recipients a day, than the settings say (mails_per_minute, recipients_per_day).";
    Err(Error::new(ErrorKind::Throttled, reason).with_retry_after_ms(u64::try_from(time.saturating_sub(now)).ok()))
}
