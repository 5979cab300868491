//! Connecting: the browser comes back to a port of this machine (RFC 8252), so no web server is needed.

use super::{Outcome, place::Place};
use tidings::{Account, AccountFilter, AccountState, ConnectRequest, Engine, Feature};

pub const OWNER: &str = "quickstart";

pub async fn connect(engine: &Engine, place: &Place) -> Outcome<Account> {
    let features = features(place);
    if let Some(account) = connected_before(engine, &features).await? {
        println!("Still connected from the last time: {}", account.address);
        return Ok(account);
    }
    let request = ConnectRequest { owner: OWNER.into(), features, ..ConnectRequest::default() };
    let sign_in = engine.connect_here(request).await?;
    let account = match place.browser() {
        None => {
            println!("Open this address in a browser on this machine and sign in (within five minutes):\n\n  {}\n", sign_in.url());
            sign_in.wait().await?
        }
        // The receiver must be listening while the page redirects to it, so both run side by side.
        Some(browser) => {
            let url = sign_in.url();
            let (account, page) = tokio::join!(sign_in.wait(), browser.browse(&url));
            page?;
            account?
        }
    };
    println!("Connected {} <{}>", account.display_name, account.address);
    Ok(account)
}

/// Only what this run uses is asked for: without a recipient or a channel, nothing that sends there.
fn features(place: &Place) -> Vec<Feature> {
    let mut features = match place.recipients() {
        Some(_) => vec![Feature::Chat, Feature::MailSend, Feature::MailSync],
        None => vec![Feature::MailSync],
    };
    features.extend(place.channel().map(|_| Feature::Channels));
    features
}

/// With a kept store one sign-in is enough.
async fn connected_before(engine: &Engine, features: &[Feature]) -> Outcome<Option<Account>> {
    let filter = AccountFilter { owner: Some(OWNER.into()), state: Some(AccountState::Connected), ..AccountFilter::default() };
    let accounts = engine.accounts(filter).await?.items;
    Ok(accounts.into_iter().find(|account| features.iter().all(|feature| account.features.contains(feature) && !account.missing.contains(feature))))
}
