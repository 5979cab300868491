//! A person connects an account, and disconnects it again.

use tidings::{AccountFilter, ConnectRequest, Feature, Result};
use tidings_examples::control::Control;
use tidings_examples::{open, word, words};

#[tokio::main]
async fn main() -> Result<()> {
    let engine = open()?;
    let simulator = Control::from_env()?;

    // `owner` is your own key of the person. Send the browser to `url`, keep `binding` in that person's session.
    let sign_in = engine
        .connect(ConnectRequest {
            owner: "recruiter-42".into(),
            features: vec![Feature::Chat, Feature::MailSend, Feature::MailSync],
            redirect_uri: "http://localhost/callback".into(),
            ..ConnectRequest::default()
        })
        .await?;

    // Here the person signs in at Microsoft. The browser comes back to your redirect address with an answer in its query.
    let callback = simulator.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback.clone(), sign_in.binding.clone()).await?;
    println!("{} connected {} <{}>", account.owner, account.display_name, account.address);
    println!("features: {}", words(&account.features));
    println!("missing: {}", words(&account.missing));

    // An answer works once.
    if let Err(error) = engine.finish_connect(callback, sign_in.binding).await {
        println!("the same answer again: {}", word(error.kind()));
    }

    for account in engine.accounts(AccountFilter { owner: Some("recruiter-42".into()), ..AccountFilter::default() }).await?.items {
        println!("account of recruiter-42: {}, {}", account.address, word(account.state));
    }

    // The tokens are destroyed at once; mail that was synced stays readable.
    let account = engine.disconnect(account.id, None).await?;
    println!("disconnect: {}", word(account.state));
    if let Err(error) = engine.sync(account.id, None).await {
        println!("sync after that: {}", word(error.kind()));
    }

    engine.shutdown().await;
    Ok(())
}
