//! Tokens of the bot, for the Bot Connector. One serves every organisation: it says which bot speaks, not where. It is kept sealed in the store, so that a
//! process that comes up every minute does not ask for one each time.
//! Source: Bot Framework, authentication (bot to Bot Connector).

use super::token::{Denied, Grant};
use super::Auth;
use crate::bot::no_bot;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::pipeline::AccessToken;
use crate::store::{BotTokenRow, bot_token_place};
use std::sync::Arc;
use tokio::sync::Mutex;

/// It is renewed so long before its end.
const EARLY_MS: i64 = 300_000;

/// The token in memory. The lock is held while one is fetched, so that many requests fetch one.
#[derive(Default)]
pub(super) struct BotTokens(Mutex<Option<Current>>);

#[derive(Clone)]
struct Current {
    token: AccessToken,
    expires_at: i64,
}

impl Current {
    fn serves(&self, stale: Option<&AccessToken>, now: i64) -> bool {
        now < self.expires_at.saturating_sub(EARLY_MS) && stale != Some(&self.token)
    }
}

impl Auth {
    /// In a task of its own: a caller who goes away does not stop it. `stale`: that one was refused.
    pub(super) async fn give_bot_token(self: Arc<Self>, stale: Option<AccessToken>) -> Result<AccessToken> {
        let task = tokio::spawn(async move { self.bot_token(stale).await });
        task.await.unwrap_or_else(|_| Err(crate::runtime::closed()))
    }

    async fn bot_token(&self, stale: Option<AccessToken>) -> Result<AccessToken> {
        let bot = self.config.bot.clone().ok_or_else(no_bot)?;
        let app = self.app(&bot.app).ok_or_else(no_bot)?;
        let mut held = self.bot_token.0.lock().await;
        let now = self.now();
        if let Some(current) = held.as_ref().filter(|current| current.serves(stale.as_ref(), now)) {
            return Ok(current.token.clone());
        }
        let name = format!("{} {}", app.entra.client_id(), bot.tenant);
        // Another process may have brought one.
        if let Some(kept) = self.kept_bot_token(&name).await?.filter(|kept| kept.serves(stale.as_ref(), now)) {
            *held = Some(kept.clone());
            return Ok(kept.token);
        }
        match app.entra.bot(&bot.tenant, bot.scope).await {
            Ok(grant) => {
                let current = self.keep_bot_token(&name, grant).await?;
                *held = Some(current.clone());
                Ok(current.token)
            }
            // What is there still lives.
            Err(denied) => match held.as_ref().filter(|current| now < current.expires_at && stale.as_ref() != Some(&current.token)) {
                Some(current) => Ok(current.token.clone()),
                None => Err(refused(denied, &bot.tenant)),
            },
        }
    }

    async fn kept_bot_token(&self, name: &str) -> Result<Option<Current>> {
        let read = async || {
            let Some(row) = self.store.bot_token(name).await? else { return Ok(None) };
            let plain = self.vault.store_key().open(bot_token_place(name, row.version), &row.sealed)?;
            Ok(std::str::from_utf8(&plain).ok().map(|text| Current { token: AccessToken::new(text), expires_at: row.expires_at }))
        };
        match self.vault.with_current_keys(read).await {
            // It is replaced by the next one.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            kept => kept,
        }
    }

    async fn keep_bot_token(&self, name: &str, grant: Grant) -> Result<Current> {
        let expires_at = self.now().saturating_add(i64::try_from(grant.lifetime.as_millis()).unwrap_or(0));
        let write = async || {
            let version = self.store.bot_token(name).await?.map_or(1, |row| row.version + 1);
            let sealed = grant.access_token.expose(|text| self.vault.store_key().seal(bot_token_place(name, version), text.as_bytes()))?;
            self.store.save_bot_token(&BotTokenRow { name: name.to_owned(), version, sealed, expires_at }).await
        };
        self.vault.with_current_keys(write).await?;
        Ok(Current { token: grant.access_token.clone(), expires_at })
    }
}

/// Nothing of the Bot Connector was asked yet.
fn refused(denied: Denied, tenant: &str) -> Error {
    match denied {
        Denied::Refused(refusal, request_id) if refusal.aadsts == Some(700016) => Error::new(
            ErrorKind::Forbidden,
            format!("The bot is not known in {tenant}, where its tokens are asked (AADSTS700016): its registration is for one organisation only. Set bot_tenant to the id of that organisation."),
        )
        .with_remedy(Remedy::Developer)
        .with_request_id(request_id),
        // What is wrong with the bot's registration is no reason to sign anybody in again.
        Denied::Refused(refusal, request_id) => Error::new(ErrorKind::Forbidden, format!("The bot got no token: {}", refusal.reason())).with_remedy(Remedy::Developer).with_request_id(request_id),
        Denied::Failed(error) => error,
    }
}
