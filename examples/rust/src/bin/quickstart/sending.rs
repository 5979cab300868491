//! Sending: both drafts are on disk before anything leaves, and the receipts tell what became of them.

use super::{Outcome, place::Place};
use tidings::{Account, Address, ChatDraft, Engine, Feature, MailDraft, Receipt};

pub struct Sent {
    /// Recipient and outcome, where something was sent.
    pub chat: Option<(String, Receipt)>,
    pub mail: Option<(String, Receipt)>,
}

pub async fn send(engine: &Engine, place: &Place, account: &Account) -> Outcome<Sent> {
    let Some(to) = place.recipients() else {
        println!("Sending is skipped: set TIDINGS_TO to an address that may get a Teams message and a mail.");
        return Ok(Sent { chat: None, mail: None });
    };
    // A personal account has no Teams; then the mail is sent all the same.
    let chat = if account.missing.contains(&Feature::Chat) {
        println!("The Teams message is skipped: this account was not granted what it needs.");
        None
    } else {
        let chat = ChatDraft {
            account_id: account.id.clone(),
            to: to.chat.clone(),
            body: "Hello from the Tidings quickstart.".into(),
            ..ChatDraft::default()
        };
        Some((to.chat.clone(), engine.send(chat.into()).await?))
    };
    let mail = MailDraft {
        account_id: account.id.clone(),
        to: vec![Address { address: to.mail.clone(), ..Address::default() }],
        subject: "Hello from the Tidings quickstart".into(),
        body: "This mail was sent by the quickstart of Tidings.".into(),
        ..MailDraft::default()
    };
    let mail = Some((to.mail.clone(), engine.send(mail.into()).await?));
    Ok(Sent { chat, mail })
}
