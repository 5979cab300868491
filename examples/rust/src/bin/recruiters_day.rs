//! A recruiter's day: an invitation with a PDF, found again by the candidate's key with its answer, a reply in its thread, a group chat with the
//! interviewers, a card in the team's channel, and a campaign of forty mails from one template, of which one is taken back.

use serde_json::json;
use std::time::{Duration, SystemTime};
use tidings::{
    Account, Address, ChangeQuery, ChannelPostDraft, ChatDraft, ConnectRequest, Draft, Engine, Feature, FileAttachment, MailDraft, MessageQuery, OutboxFilter, ReplyDraft, Result, SendState,
    Signature,
};
use tidings_examples::control::Control;
use tidings_examples::{open, word};

const OWNER: &str = "recruiter-42";

#[tokio::main]
async fn main() -> Result<()> {
    let engine = open()?;
    let simulator = Control::from_env()?;
    simulator.post("teams", json!({ "name": "Hiring", "members": ["adele@contoso.com", "alex@contoso.com"], "channels": [{ "name": "Candidates" }] })).await?;
    let request = ConnectRequest {
        owner: OWNER.into(),
        features: vec![Feature::Chat, Feature::Channels, Feature::MailSend, Feature::MailSync],
        redirect_uri: "http://localhost/callback".into(),
        ..ConnectRequest::default()
    };
    let sign_in = engine.connect(request).await?;
    let callback = simulator.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;

    let signature = Signature { text: "Adele Vance, Contoso".into(), html: "<b>Adele Vance</b>, Contoso".into(), ..Signature::default() };
    engine.set_signature(account.id.clone(), Some(signature), None).await?;

    let invitation = MailDraft {
        account_id: account.id.clone(),
        to: vec![Address { address: "megan@contoso.com".into(), name: "Megan Bowen".into() }],
        subject: "Interview on Thursday".into(),
        body: "Dear Megan, **Thursday at 3** it is. The way is attached.".into(),
        body_type: tidings::BodyType::Markdown,
        attachments: vec![FileAttachment { name: "way.pdf".into(), content: b"%PDF-1.7".to_vec(), content_type: "application/pdf".into(), content_id: None, staged: None }],
        key: Some("candidate-7/invitation".into()),
        add_signature: true,
        link: Some("candidate-7".into()),
        ..MailDraft::default()
    };
    let sent = engine.send(invitation.into()).await?;
    println!("invitation with a PDF: {}", word(sent.state));

    let answer = json!({
        "mailbox": "adele@contoso.com", "conversation_of": sent.graph_id, "subject": "Re: Interview on Thursday", "text": "Gladly. Is there a place to park?",
        "from": { "name": "Megan Bowen", "address": "megan@contoso.com" }, "to": [{ "name": "Adele Vance", "address": "adele@contoso.com" }],
    });
    simulator.post("mail", answer).await?;
    engine.sync(account.id.clone(), None).await?;
    let query = MessageQuery { account_id: Some(account.id.clone()), folder: Some("inbox".into()), limit: 1, ..MessageQuery::default() };
    let Some(question) = engine.messages(query).await?.items.into_iter().next() else { return Ok(()) };
    println!("Megan wrote: {}", question.subject);
    let reply = ReplyDraft { account_id: account.id.clone(), message_id: question.id, body: "In the yard, place 7.".into(), ..ReplyDraft::default() };
    println!("reply in the thread: {}", word(engine.send(reply.into()).await?.state));
    let linked = engine.messages(MessageQuery { owner: Some(OWNER.into()), link: Some("candidate-7".into()), ..MessageQuery::default() }).await?;
    let mut subjects: Vec<String> = linked.items.into_iter().map(|message| message.subject).collect();
    subjects.sort();
    println!("linked to candidate-7: {}", subjects.join(", "));

    let panel = ChatDraft {
        account_id: account.id.clone(),
        members: vec!["alex@contoso.com".into(), "nestor@contoso.com".into()],
        topic: Some("Panel for Megan Bowen".into()),
        body: "Thursday at 3. Who asks about the last project?".into(),
        ..ChatDraft::default()
    };
    println!("group chat with the interviewers: {}", word(engine.send(panel.into()).await?.state));

    let team = engine.all_channels(account.id.clone(), None).await?.into_iter().find(|one| one.team.name == "Hiring");
    let channel = team.into_iter().flat_map(|team| team.channels).find(|channel| channel.name == "Candidates");
    let Some(channel) = channel else { return Ok(()) };
    let card = json!({
        "type": "AdaptiveCard", "version": "1.4",
        "body": [{ "type": "TextBlock", "text": "Megan Bowen", "weight": "Bolder" }, { "type": "FactSet", "facts": [{ "title": "When", "value": "Thursday at 3" }] }],
    });
    let post = ChannelPostDraft { account_id: account.id.clone(), team_id: channel.team_id, channel_id: channel.id, cards: vec![card.to_string()], ..ChannelPostDraft::default() };
    println!("card in the channel: {}", word(engine.send(post.into()).await?.state));

    campaign(&engine, &account).await?;
    engine.shutdown().await;
    Ok(())
}

/// Forty mails of one template in one step; the last one waits until tomorrow, and is not wanted by then.
async fn campaign(engine: &Engine, account: &Account) -> Result<()> {
    let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    let mail = |number: u32| MailDraft {
        account_id: account.id.clone(),
        to: vec![Address { address: format!("candidate{number}@fabrikam.com"), name: String::new() }],
        subject: "We are hiring again".into(),
        body: "Dear {{ candidate.name }}, would you like to hear more?".into(),
        merge_fields: Some([("candidate.name".to_owned(), format!("Candidate {number}"))].into()),
        add_signature: true,
        key: Some(format!("campaign-3/{number}")),
        send_at: (number == 40).then_some(tomorrow),
        ..MailDraft::default()
    };
    let receipts = engine.enqueue_all((1..=40).map(|number| Draft::from(mail(number))).collect()).await?;
    let Some(last) = receipts.last() else { return Ok(()) };
    engine.cancel(last.id.clone(), None).await?;
    // The feed tells of every change, so that nobody has to ask again and again.
    let feed = engine.changes(ChangeQuery { owner: Some(OWNER.into()), ..ChangeQuery::default() });
    let count = async |state| -> Result<usize> {
        let filter = OutboxFilter { account_id: Some(account.id.clone()), state: Some(state), limit: 1000, ..OutboxFilter::default() };
        Ok(engine.outbox(filter).await?.iter().filter(|receipt| receipts.iter().any(|one| one.id == receipt.id)).count())
    };
    while count(SendState::Sent).await? < 39 {
        feed.next(100).await?;
    }
    println!("campaign: {} sent, {} cancelled", count(SendState::Sent).await?, count(SendState::Cancelled).await?);
    Ok(())
}
