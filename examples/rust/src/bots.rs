//! What both bots share: their settings, and the organisation they work in.

use crate::control::Control;
use crate::env;
use std::io::BufRead;
use std::sync::Arc;
use tidings::{Account, AccountFilter, AccountState, Cloud, Config, Engine, Error, Result, RootKey, Secret, TenantRequest};

pub const OWNER: &str = "recruiting";

/// One that need not be there.
pub fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Of the manifest of the bot's app.
pub fn app_id() -> Result<String> {
    env("TIDINGS_APP_ID").or_else(|_| env("TIDINGS_CLIENT_ID"))
}

/// From the environment, as README.md of `examples/bots` explains it.
pub fn settings() -> Result<Config> {
    let mut config = Config::new(env("TIDINGS_DATA")?, env("TIDINGS_CLIENT_ID")?);
    config.client_secret = Some(Arc::new(Secret::new(env("TIDINGS_CLIENT_SECRET")?)));
    config.cloud = match env("TIDINGS_LOGIN") {
        Ok(login) => Cloud::custom(login, env("TIDINGS_GRAPH")?),
        Err(_) => Cloud::Public,
    };
    config.bot_app = Some("default".into());
    config.bot_tenant = env("TIDINGS_BOT_TENANT").ok();
    config.bot_service_url = env("TIDINGS_BOT_SERVICE").ok();
    config.bot_external_id = Some(app_id()?);
    Ok(config)
}

/// It opens the store, so it is the same at each start: 64 hexadecimal digits.
pub fn root_key() -> Result<Arc<RootKey>> {
    let text = env("TIDINGS_KEY")?;
    let byte = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    Ok(Arc::new(RootKey::raw(bytes.unwrap_or_default())?))
}

/// The organisation that is connected already, or that its administrator connects now: who that is, then the approval.
pub async fn organisation(engine: &Engine) -> Result<Account> {
    let connected = AccountFilter { owner: Some(OWNER.into()), state: Some(AccountState::Connected), ..AccountFilter::default() };
    if let Some(account) = engine.accounts(connected).await?.items.into_iter().next() {
        return Ok(account);
    }
    let redirect_uri = setting("TIDINGS_REDIRECT", "http://localhost/callback");
    let request = TenantRequest { owner: OWNER.into(), redirect_uri: redirect_uri.clone(), tenant: env("TIDINGS_TENANT").ok(), ..TenantRequest::default() };
    let started = engine.connect_tenant(request).await?;
    let account = engine.finish_connect(visit(&started.url).await?, started.binding).await?;
    if account.state == AccountState::Connected {
        return Ok(account);
    }
    let approval = engine.approval(account.id, redirect_uri, None).await?;
    engine.finish_connect(visit(&approval.url).await?, approval.binding).await
}

/// Where the administrator's browser ends. A web application gets that at its callback; see `connect_tenant`.
async fn visit(url: &str) -> Result<String> {
    if let Ok(simulator) = Control::from_env() {
        return simulator.sign_in(url, "nestor@contoso.com").await;
    }
    println!("Open {url}\nand paste the address at which the browser ends:");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|e| Error::new(tidings::ErrorKind::InvalidInput, "Nothing was pasted.").with_source(e))?;
    Ok(line.trim().to_owned())
}
