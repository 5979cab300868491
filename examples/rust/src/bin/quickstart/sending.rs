//! Sending: both drafts are on disk before anything leaves, and the receipts tell what became of them.

use super::{Outcome, attaching, place::Place};
use tidings::{Account, Address, BodyType, ChannelPostDraft, ChatDraft, Engine, Feature, MailDraft, Receipt};

pub struct Sent {
    /// Recipient and outcome, where something was sent.
    pub chat: Option<(String, Receipt)>,
    pub mail: Option<(String, Receipt)>,
    pub post: Option<(String, Receipt)>,
}

pub async fn send(engine: &Engine, place: &Place, account: &Account) -> Outcome<Sent> {
    let Some(to) = place.recipients() else {
        println!("Sending is skipped: set TIDINGS_TO to an address that may get a Teams message and a mail.");
        return Ok(Sent { chat: None, mail: None, post: post(engine, place, account).await? });
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
        body: "This mail was sent by the **quickstart** of Tidings.".into(),
        body_type: BodyType::Markdown,
        attachments: vec![attaching::stage(engine, account).await?],
        ..MailDraft::default()
    };
    let mail = Some((format!("{} with a file of 3.3 MB", to.mail), attaching::while_uploading(engine, engine.send(mail.into())).await?));
    Ok(Sent { chat, mail, post: post(engine, place, account).await? })
}

/// In the channel of these names, if there is one that the person sees.
async fn post(engine: &Engine, place: &Place, account: &Account) -> Outcome<Option<(String, Receipt)>> {
    let Some((team, channel)) = place.channel().filter(|_| !account.missing.contains(&Feature::Channels)) else { return Ok(None) };
    let found = engine.all_channels(account.id.clone(), None).await?.into_iter().filter(|one| one.team.name == *team);
    let Some(found) = found.flat_map(|one| one.channels).find(|one| one.name == *channel) else {
        println!("The channel post is skipped: there is no {team}/{channel}.");
        return Ok(None);
    };
    let draft = ChannelPostDraft {
        account_id: account.id.clone(),
        team_id: found.team_id,
        channel_id: found.id,
        body: "Hello from the **Tidings** quickstart.".into(),
        body_type: BodyType::Markdown,
        ..ChannelPostDraft::default()
    };
    Ok(Some((format!("{team}/{channel}"), engine.send(draft.into()).await?)))
}
