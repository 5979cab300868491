//! Whether an account works: who it is, its mailbox, a mail to itself.

use super::{Engine, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Caller;
use crate::model::{is_mail_address, *};
use crate::pipeline::Priority;
use crate::store::AccountRow;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    pub(super) async fn verify_account(&self, account_id: String, test_message: bool, owner: Option<String>) -> Result<Verification> {
        let mut found = self.finish(|inner| async move { inner.look_at(&account_id, owner.as_deref()).await }).await?;
        if test_message {
            if !matches!(found.mailbox, MailboxState::Reachable | MailboxState::NotAsked) {
                found.problems.push("No test message was sent, since the mailbox cannot be used.".to_owned());
                return Ok(found);
            }
            if !is_mail_address(&found.account.address) {
                if found.account.kind == AccountKind::Tenant {
                    found.problems.push("No test message was sent: an organisation has no mailbox of its own. Verify one of its mailboxes.".to_owned());
                }
                return Ok(found);
            }
            let receipt = self.send(Draft::Mail { mail: to_itself(&found.account) }).await?;
            if let Some(problem) = &receipt.reason {
                found.problems.push(format!("The test message did not arrive. {problem}"));
            }
            found.test_message = Some(receipt);
        }
        Ok(found)
    }
}

impl Inner {
    async fn look_at(&self, account_id: &str, owner: Option<&str>) -> Result<Verification> {
        let row = self.owned(account_id, owner).await?;
        let refuse = |kind, words: &str| Err(Error::new(kind, row.problem.clone().unwrap_or_else(|| words.to_owned())).on_account(account_id));
        match row.state {
            AccountState::Connected => {}
            AccountState::Disconnected => return refuse(ErrorKind::NotConnected, "The account is disconnected. Connect it again."),
            // Perhaps what refused it has passed.
            AccountState::NeedsReconnect if row.kind == AccountKind::Person => match self.auth.revive(account_id).await {
                Ok(()) => {}
                Err(e) if matches!(e.kind(), ErrorKind::Network | ErrorKind::Throttled | ErrorKind::StoreBusy) => return Err(e.on_account(account_id)),
                Err(_) => return self.still_waits(account_id).await,
            },
            AccountState::NeedsReconnect => return refuse(ErrorKind::NeedsReconnect, "Microsoft asks for a new sign-in. Connect the account again."),
            AccountState::AwaitingAdmin | AccountState::Declined => return refuse(ErrorKind::ConsentMissing, "An administrator must approve first. Ask for it with approval."),
            // Perhaps mended meanwhile; only a renewal can tell.
            AccountState::Misconfigured => self.auth.try_again(account_id).await.map_err(|e| e.on_account(account_id))?,
        }
        if row.kind == AccountKind::SharedMailbox {
            return self.verify_shared(&row).await;
        }
        if row.kind != AccountKind::Person {
            if row.kind == AccountKind::Tenant {
                self.auth.try_again(account_id).await.map_err(|e| e.on_account(account_id))?;
                self.look_at_organisation(&row).await?;
            }
            let account = self.auth.account(account_id).await?;
            return Ok(Verification { problems: account.warnings.clone(), account, mailbox: MailboxState::NotAsked, test_message: None });
        }
        let caller = Caller::new(account_id, Priority::Interactive, PATIENCE);
        let person = self.reader.graph.me(&caller).await?;
        let account = self.auth.renew_profile(account_id, person.id.as_deref(), person.address(), person.display_name).await?;
        let asks_mail = row.features.iter().any(|f| matches!(f, Feature::MailSend | Feature::MailSync));
        let mailbox = if asks_mail { self.reader.graph.mailbox(&caller).await? } else { MailboxState::NotAsked };
        let mut problems: Vec<String> = told(mailbox).map(str::to_owned).into_iter().collect();
        if !is_mail_address(&account.address) {
            problems.push("Microsoft names no mail address for this person, as for guests, so mail to the account itself cannot be sent.".to_owned());
        }
        problems.extend(account.warnings.iter().cloned());
        Ok(Verification { account, mailbox, test_message: None, problems })
    }
}

impl Inner {
    /// Graph takes the application's token, and it is for this organisation.
    async fn look_at_organisation(&self, row: &AccountRow) -> Result<()> {
        let found = self.reader.graph.organisation(&Caller::new(&row.id, Priority::Interactive, PATIENCE)).await?;
        if found.is_some_and(|id| row.tenant().is_some_and(|own| !own.eq_ignore_ascii_case(&id))) {
            return Err(Error::new(ErrorKind::TokenRejected, "The token opens another organisation. Connect the organisation again.").on_account(&row.id));
        }
        Ok(())
    }

    /// What it was refused for last.
    async fn still_waits(&self, account_id: &str) -> Result<Verification> {
        let problem = self.row(account_id).await?.problem;
        Err(Error::new(ErrorKind::NeedsReconnect, problem.unwrap_or_else(|| "Microsoft asks for a new sign-in. Connect the account again.".to_owned())).on_account(account_id))
    }
}

fn told(mailbox: MailboxState) -> Option<&'static str> {
    match mailbox {
        MailboxState::NotAsked | MailboxState::Reachable => None,
        MailboxState::Unlicensed => Some("This account has no mailbox that programs may use: it has no Exchange Online licence (unlicensed). Ask an administrator for one."),
        MailboxState::OnPremises => Some("This account's mailbox is on a server of the organisation's own (on-premises), which Microsoft Graph cannot reach. Ask an administrator."),
        MailboxState::Forbidden => Some("The mailbox may not be read: the permission is missing, or a policy forbids it. Sign in again and allow it, or ask an administrator."),
        MailboxState::Unreachable => Some("Microsoft gave no usable answer about the mailbox. Try again later."),
    }
}

fn to_itself(account: &Account) -> MailDraft {
    MailDraft {
        account_id: account.id.clone(),
        to: vec![Address { address: account.address.clone(), name: account.display_name.clone() }],
        subject: "Test message".to_owned(),
        body: "This account can send mail. Nothing has to be done.".to_owned(),
        ..MailDraft::default()
    }
}
