//! Consent of an administrator: asked for, brought back, looked for. Microsoft's answer comes through a browser, so by itself it proves nothing: a
//! person still signs in, an organisation is connected by the sign-in of somebody who may approve ([`approver`](super::approver)) and a token of its own.

use super::approver::check_approver;
use super::attempt::{Aim, Attempt};
use super::callback::Callback;
use super::check::{check_redirect, refuse_personal};
use super::identity::Doubt;
use super::state::Refusal;
use super::token::{Denied, Grant, StoredToken};
use super::{Auth, scopes, sheet, profile_place, token_place};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::model::{Account, AccountKind, AccountState, Approval, Event};
use crate::random;
use crate::store::{AccountChange, AccountRow, NewConnection, TokenRow};
use crate::trust::is_guid;
use std::time::Duration;
use zeroize::Zeroizing;

/// After an approval Microsoft needs a while until every part of it knows.
const PATIENCE: Duration = Duration::from_secs(180);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What tells that an organisation is connected for this very account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// The callback of an approval that was asked for here.
    Callback,
    /// That Microsoft knows of an approval, whoever asked for it.
    Token,
}

const APPROVED: &str = "The administrator approved. Sign in again.";
const PERHAPS: &str = "If the administrator has approved, sign in again.";
const DECLINED: &str = "The administrator declined. Ask again with approval.";

impl Auth {
    /// What an administrator has to approve for this account, with a link of its own.
    pub async fn begin_approval(&self, account_id: &str, redirect_uri: String) -> Result<Approval> {
        check_redirect(&redirect_uri)?;
        let row = self.row(account_id).await?;
        Self::check_signs_in(&row)?;
        if let Some(tenant) = row.tenant() {
            refuse_personal(tenant, "nothing can be approved for it").map_err(|e| e.on_account(account_id))?;
        }
        if row.state == AccountState::Disconnected {
            return Err(Error::invalid("The account is disconnected. Connect it again first.").on_account(account_id));
        }
        let app = self.app_of(&row)?;
        let mut attempt = Attempt::new(Aim::Approval(row.id.clone()), row.owner.clone(), app.name.clone(), redirect_uri)?;
        attempt.authority = row.authority.clone();
        refuse_personal(attempt.tenant(app), "nothing can be approved for it").map_err(|e| e.on_account(account_id))?;
        // Until it is proven, whoever approves decides; `common` is not served here.
        let tenant = match row.tenant().unwrap_or_else(|| attempt.tenant(app)) {
            "common" => "organizations".to_owned(),
            tenant => tenant.to_owned(),
        };
        attempt.scopes = self.to_approve(&row);
        let state = Zeroizing::new(random::token::<32>()?);
        let url = app.entra.approval_url(&tenant, &attempt.scopes, &attempt.redirect_uri, Some(&state));
        let standing = app.entra.approval_url(&tenant, &attempt.scopes, &attempt.redirect_uri, None);
        let texts = sheet::write(&row, app.entra.client_id(), &standing);
        let sign_in = self.leave(attempt, url, &state).await?;
        self.await_anew(&row).await?;
        Ok(Approval { account_id: row.id, url: sign_in.url, binding: sign_in.binding, expires_at: sign_in.expires_at, justification: texts.justification, sheet: texts.sheet })
    }

    fn to_approve(&self, row: &AccountRow) -> Vec<String> {
        let prefix = self.config.endpoints.scope_prefix();
        match row.kind {
            AccountKind::Tenant => vec![format!("{prefix}.default")],
            AccountKind::Link => vec![format!("{prefix}User.Read")],
            AccountKind::Person | AccountKind::SharedMailbox => scopes::asked(&row.features, &row.extra_scopes, &prefix).into_iter().filter(|scope| scope.starts_with(&prefix)).collect(),
        }
    }

    /// The time in which somebody may approve begins anew, also after it had ended.
    async fn await_anew(&self, row: &AccountRow) -> Result<()> {
        match row.state {
            AccountState::AwaitingAdmin => {
                self.store.change_account(&row.id, Some(row.generation), AccountChange::Waiting(AccountState::AwaitingAdmin), self.now()).await?;
            }
            AccountState::Declined => self.move_to(row, AccountState::AwaitingAdmin, Some("An administrator of the organisation must approve first.")).await?,
            _ => {}
        }
        Ok(())
    }

    /// What came back from Microsoft's page for administrators.
    pub(super) async fn finish_approval(&self, account_id: &str, callback: &Callback) -> Result<Account> {
        let row = self.row(account_id).await?;
        if let Some(refusal) = callback.refusal() {
            self.consume(callback).await?;
            return Err(self.not_approved(&row, refusal).await.on_account(account_id));
        }
        if !callback.is_approval() {
            return Err(Error::invalid("The callback does not come from Microsoft's page for administrators.").on_account(account_id));
        }
        let said = callback.tenant.as_deref().map(|tenant| tenant.to_ascii_lowercase()).filter(|tenant| is_guid(tenant));
        let Some(said) = said else {
            return Err(Error::new(ErrorKind::TokenRejected, "The callback names no organisation. Nothing was changed; ask for approval again.").on_account(account_id));
        };
        // Used up either way: a callback that lies is not to be tried until it fits.
        self.consume(callback).await?;
        if row.tenant().is_some_and(|tenant| tenant != said) {
            return Err(Error::new(ErrorKind::TokenRejected, "The approval is that of another organisation than the account's. Nothing was changed; ask for approval again.").on_account(account_id));
        }
        self.approved(row, APPROVED, PATIENCE, Sign::Callback).await
    }

    /// Looks whether the approval came without a callback.
    pub async fn resume(&self, account_id: &str) -> Result<Account> {
        let row = self.row(account_id).await?;
        Self::check_signs_in(&row)?;
        if row.state == AccountState::Disconnected {
            return Err(Error::new(ErrorKind::NotConnected, "The account is disconnected. Connect it again.").on_account(account_id));
        }
        self.approved(row, PERHAPS, Duration::ZERO, Sign::Token).await
    }

    async fn approved(&self, row: AccountRow, words: &str, patience: Duration, sign: Sign) -> Result<Account> {
        let row = match (row.kind, row.state) {
            (AccountKind::Tenant, AccountState::Connected) => self.with_new_roles(row, sign).await,
            (_, AccountState::Connected) => row,
            (AccountKind::Tenant, _) => {
                let row = self.connect_organisation(row, patience, sign).await?;
                self.event_bus.publish(Event::AccountConnected { account_id: row.id.clone() });
                self.publish_opened(&row.id, row.state).await;
                row
            }
            // Whom this says nothing about is told nothing else: the problem of one that needs a new sign-in anyway stays.
            (_, AccountState::AwaitingAdmin | AccountState::Declined) => {
                self.move_to(&row, AccountState::NeedsReconnect, Some(words)).await?;
                self.row(&row.id).await?
            }
            (_, AccountState::NeedsReconnect | AccountState::Misconfigured | AccountState::Disconnected) => row,
        };
        self.describe(&row).await
    }

    /// What was approved beside the permissions there were is in no token of before, and would count only once that one ends. Without a new one nothing is lost.
    async fn with_new_roles(&self, row: AccountRow, sign: Sign) -> AccountRow {
        match self.connect_organisation(row.clone(), Duration::ZERO, sign).await {
            Ok(newer) => newer,
            Err(error) => {
                tracing::warn!(target: "tidings::auth", account = row.id, kind = ?error.kind(), "the organisation's token could not be renewed after an approval");
                row
            }
        }
    }

    async fn not_approved(&self, row: &AccountRow, refusal: Refusal) -> Error {
        if !refusal.declines_approval() {
            let error = refusal.error(true);
            return match error.kind() {
                ErrorKind::ConsentMissing => Error::new(ErrorKind::ConsentMissing, "The one who came is no administrator, so nothing was approved. Send the link to an administrator.").with_remedy(Remedy::Admin),
                _ => error,
            };
        }
        if matches!(row.state, AccountState::AwaitingAdmin | AccountState::Declined)
            && let Err(failed) = self.move_to(row, AccountState::Declined, Some(DECLINED)).await
        {
            return failed;
        }
        Error::new(ErrorKind::Cancelled, DECLINED)
    }

    async fn move_to(&self, row: &AccountRow, state: AccountState, problem: Option<&str>) -> Result<()> {
        let change = AccountChange::State { state, problem: problem.map(str::to_owned) };
        if self.store.change_account(&row.id, Some(row.generation), change, self.now()).await? {
            self.event_bus.publish(Event::AccountChanged { account_id: row.id.clone(), state });
        }
        Ok(())
    }

    /// An organisation is connected by a token that Entra gives for it, and by nothing else.
    async fn connect_organisation(&self, row: AccountRow, patience: Duration, sign: Sign) -> Result<AccountRow> {
        let on = |error: Error| error.on_account(&row.id);
        let tenant = row.tenant().ok_or_else(|| on(Error::internal("An organisation's account names no organisation.")))?;
        check_approver(&row)?;
        let app = self.app_of(&row)?;
        self.not_elsewhere(&row, sign).await?;
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            match app.entra.app_only(tenant, &row.id, None).await {
                Ok(grant) => match grant.roles() {
                    Some(roles) if roles.is_empty() => {}
                    roles => {
                        match self.check_identity(app, &row, None, &grant).await {
                            Ok(_) => {}
                            Err(Doubt::Another(why)) => return Err(on(Error::new(ErrorKind::TokenRejected, format!("Microsoft's answer is not for this organisation: {why}. Nothing was stored; try again with resume.")))),
                            Err(Doubt::Unsure(error)) => return Err(on(error)),
                        }
                        return self.keep_organisation(&row, grant, roles.unwrap_or_default(), sign).await.map_err(on);
                    }
                },
                Err(Denied::Refused(refusal, _)) if refusal.not_yet() => {}
                Err(denied) => return Err(on(denied.into_error(false))),
            }
            if waited >= patience {
                return Err(on(Error::new(ErrorKind::ConsentMissing, "Microsoft knows of no approval yet, or the registration asks for no application permissions. When an administrator has approved, call resume.")
                    .with_remedy(Remedy::Admin)));
            }
            self.clock.pause(pause).await;
            waited = waited.saturating_add(pause);
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// An approval counts for the whole organisation, so a token alone does not tell whose account it was meant for: without a callback of its own an
    /// account gets none beside another owner's. One that had tokens before was told already.
    async fn not_elsewhere(&self, row: &AccountRow, sign: Sign) -> Result<()> {
        let is_new = matches!(row.state, AccountState::AwaitingAdmin | AccountState::Declined);
        if sign == Sign::Callback || !is_new || !self.store.is_connected_elsewhere(&row.owner, &row.tenant_id, &row.user_id).await? {
            return Ok(());
        }
        let words = "Another owner has this organisation connected through the same application, so its approval says nothing about this account. Ask an administrator with approval, and bring its callback to finish_connect.";
        Err(Error::new(ErrorKind::Conflict, words).with_remedy(Remedy::Admin).on_account(&row.id))
    }

    async fn keep_organisation(&self, row: &AccountRow, grant: Grant, roles: Vec<String>, sign: Sign) -> Result<AccountRow> {
        // One at a time per organisation, whoever the owner is.
        let lease = self.connect_lease(&format!("\0{}\0{}", row.tenant_id, row.user_id)).await?;
        let now = self.now();
        let expires_at = now.saturating_add(i64::try_from(grant.lifetime.as_millis()).unwrap_or(0));
        let access_token = grant.access_token.clone();
        let kept = self.vault.with_current_keys(async || self.store_organisation(row, &grant, &roles, sign, now, expires_at).await).await;
        self.release(lease).await;
        let row = kept?;
        self.token_cache.remember(&row.id, access_token, row.generation, now, expires_at);
        Ok(row)
    }

    async fn store_organisation(&self, row: &AccountRow, grant: &Grant, roles: &[String], sign: Sign, now: i64, expires_at: i64) -> Result<AccountRow> {
        let (id, generation) = (row.id.as_str(), row.generation);
        let row = self.store.account(id).await?.filter(|row| row.generation == generation);
        let row = row.ok_or_else(|| Error::new(ErrorKind::Conflict, "The account was connected anew or disconnected meanwhile. Look at it again."))?;
        check_approver(&row)?;
        self.not_elsewhere(&row, sign).await?;
        let keys = self.vault.new_account_keys(id, false, now)?;
        let opened = self.vault.adopt(id, &keys).await?;
        let version = self.store.token(id).await?.map_or(1, |token| token.version + 1);
        let token = StoredToken { refresh_token: String::new(), access_token: grant.access_token.expose(str::to_owned), subject: None, unproven: None };
        let token = TokenRow { account_id: id.to_owned(), version, sealed: opened.secrets.seal(token_place(id, version), &token.to_json()?)?, expires_at, refreshed_at: now };
        let mut row = AccountRow {
            state: AccountState::Connected,
            state_since: now,
            problem: None,
            scopes: roles.to_vec(),
            connected_at: now,
            claims: None,
            access_ends_at: None,
            generation: generation + 1,
            ..row
        };
        // What is carried over may be sealed with a key that is being replaced.
        opened.content.again(profile_place(id, row.profile_version), &mut row.profile)?;
        self.store.connect_account(NewConnection { attempt: None, account: &row, token: Some(&token), keys: &keys, replaces: None, endpoint: None }, now).await
    }
}
