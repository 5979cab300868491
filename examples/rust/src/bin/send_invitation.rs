//! Invites to an interview: a Teams message to a colleague, a mail to the candidate, each sent once however often it is asked for.

use serde_json::json;
use tidings::{Address, ChatDraft, ConnectRequest, Feature, MailDraft, Result};
use tidings_examples::control::Control;
use tidings_examples::{open, word};

#[tokio::main]
async fn main() -> Result<()> {
    let engine = open()?;
    let simulator = Control::from_env()?;
    let request = ConnectRequest {
        owner: "recruiter-42".into(),
        features: vec![Feature::Chat, Feature::MailSend],
        redirect_uri: "http://localhost/callback".into(),
        ..ConnectRequest::default()
    };
    let sign_in = engine.connect(request).await?;
    let callback = simulator.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;

    let chat = ChatDraft {
        account_id: account.id.clone(),
        to: "alex@contoso.com".into(),
        body: "Interview with Megan on Thursday at 3. Can you join?".into(),
        key: Some("candidate-7/panel".into()),
        ..ChatDraft::default()
    };
    let receipt = engine.send(chat.into()).await?;
    println!("Teams message to Alex: {}", word(receipt.state));

    // The key says which invitation this is. Use one that your program finds again after a crash.
    let mail = MailDraft {
        account_id: account.id.clone(),
        to: vec![Address { address: "megan@contoso.com".into(), name: "Megan Bowen".into() }],
        subject: "Interview on Thursday".into(),
        body: "Dear Megan, we look forward to meeting you on Thursday at 3.".into(),
        key: Some("candidate-7/invitation".into()),
        ..MailDraft::default()
    };
    let first = engine.send(mail.clone().into()).await?;
    println!("mail to Megan: {}", word(first.state));
    let second = engine.send(mail.clone().into()).await?;
    println!("the same mail again: {}, {}", word(second.state), if second.id == first.id { "same receipt" } else { "another receipt" });

    let other = MailDraft { body: "Dear Megan, we have to cancel.".into(), ..mail };
    if let Err(error) = engine.send(other.into()).await {
        println!("another mail under the same key: {}", word(error.kind()));
    }

    let inbox = simulator.post("mail/list", json!({ "mailbox": "megan@contoso.com", "folder": "inbox" })).await?;
    println!("mails in Megan's inbox: {}", inbox["total"]);
    engine.shutdown().await;
    Ok(())
}
