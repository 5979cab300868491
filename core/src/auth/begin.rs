//! Starting a sign-in: an attempt is left behind, and the person is sent to a URL. Nothing leaves this machine.

use super::attempt::{Aim, Attempt};
use super::check::{check_context, check_extra, check_features, check_hint, check_owner, check_redirect, refuse_personal};
use super::token::Ask;
use super::{Auth, scopes};
use crate::endpoints::{check_context as check_endpoint_context, check_subscriber};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountKind, AccountState, ConnectRequest, Feature, LinkRequest, SignIn, SubscriberLink, TenantRequest, is_mail_address};
use crate::pipeline::LoopbackReceiver;
use crate::random;
use crate::store::AccountRow;
use std::collections::BTreeSet;
use url::Url;
use zeroize::Zeroizing;

/// For whom an endpoint is made, checked.
fn link_of(link: SubscriberLink, owner: &str) -> Result<SubscriberLink> {
    let subscriber = if link.subscriber.is_empty() { owner.to_owned() } else { link.subscriber };
    check_subscriber(&subscriber)?;
    link.context.as_deref().map_or(Ok(()), check_endpoint_context)?;
    Ok(SubscriberLink { subscriber, ..link })
}

/// What tells who somebody is, and nothing more.
const IDENTITY: &[&str] = &["openid", "profile"];

impl Auth {
    /// Starts a sign-in of a person.
    pub async fn begin(&self, request: ConnectRequest) -> Result<SignIn> {
        check_redirect(&request.redirect_uri)?;
        let attempt = self.attempt_of(request)?;
        self.start(attempt, None).await
    }

    /// What a host asks for, checked; `redirect_uri` is the business of whoever uses it.
    pub(super) fn attempt_of(&self, request: ConnectRequest) -> Result<Attempt> {
        check_owner(&request.owner)?;
        check_hint(request.login_hint.as_deref())?;
        check_context(request.context.as_deref())?;
        let prefix = self.config.endpoints.scope_prefix();
        check_extra(&request.extra_scopes, &prefix)?;
        let app = self.choose_app(request.app.as_deref())?;
        let authority = self.choose_tenant(request.tenant.as_deref())?;
        let mut attempt = Attempt::new(Aim::SignIn, request.owner, app.name.clone(), request.redirect_uri)?;
        attempt.authority = authority;
        attempt.features = check_features(&request.features, attempt.tenant(app))?;
        attempt.scopes = scopes::asked(&attempt.features, &request.extra_scopes, &prefix);
        attempt.extra_scopes = request.extra_scopes.iter().map(|s| scopes::short(s).to_owned()).collect();
        attempt.login_hint = request.login_hint.filter(|hint| !hint.is_empty());
        attempt.context = request.context;
        Ok(attempt)
    }

    /// Starts a sign-in that comes back to a port of this machine; hand what the receiver gets to [`finish`](Self::finish).
    pub async fn begin_here(&self, mut request: ConnectRequest) -> Result<(SignIn, LoopbackReceiver)> {
        // What is wrong in itself is refused before a port is opened.
        self.attempt_of(request.clone())?;
        let receiver = LoopbackReceiver::open().await?;
        request.redirect_uri = receiver.redirect_uri();
        let sign_in = self.begin(request).await?;
        let state = Url::parse(&sign_in.url).ok().and_then(|url| url.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| Zeroizing::new(value.into_owned())));
        let state = state.ok_or_else(|| Error::internal("A sign-in was started without a state."))?;
        Ok((sign_in, receiver.expect(&state)))
    }

    /// Starts a sign-in that proves which organisation an administrator belongs to.
    pub async fn begin_tenant(&self, request: TenantRequest) -> Result<SignIn> {
        check_owner(&request.owner)?;
        check_context(request.context.as_deref())?;
        check_redirect(&request.redirect_uri)?;
        let app = self.choose_app(request.app.as_deref())?;
        if !app.entra.is_confidential() {
            return Err(Error::invalid(format!("The application “{}” is a public client, which cannot have tokens of its own. Give it a client_secret or a certificate to connect organisations.", app.name)));
        }
        let authority = self.choose_tenant(request.tenant.as_deref())?;
        let mut attempt = Attempt::new(Aim::Tenant, request.owner, app.name.clone(), request.redirect_uri)?;
        attempt.authority = authority;
        if attempt.tenant(app) == "common" && request.tenant.is_none() {
            // The page for organisations only offers accounts that can connect one.
            attempt.authority = "organizations".to_owned();
        }
        refuse_personal(attempt.tenant(app), "it cannot connect one")?;
        attempt.scopes = IDENTITY.iter().map(|s| (*s).to_owned()).collect();
        attempt.context = request.context;
        attempt.endpoint = request.endpoint.map(|link| link_of(link, &attempt.owner)).transpose()?;
        if attempt.endpoint.as_ref().is_some_and(|link| !link.account_id.is_empty()) {
            return Err(Error::invalid("endpoint.account_id is that of the organisation that is connected here. Leave it empty."));
        }
        self.start(attempt, None).await
    }

    /// Starts a sign-in that only tells who somebody is.
    pub async fn begin_link(&self, request: LinkRequest) -> Result<SignIn> {
        check_owner(&request.owner)?;
        check_context(request.context.as_deref())?;
        check_hint(request.login_hint.as_deref())?;
        check_redirect(&request.redirect_uri)?;
        let app = self.choose_app(request.app.as_deref())?;
        let mut attempt = Attempt::new(Aim::Link, request.owner, app.name.clone(), request.redirect_uri)?;
        attempt.authority = self.choose_tenant(request.tenant.as_deref())?;
        attempt.scopes = self.link_scopes();
        attempt.login_hint = request.login_hint.filter(|hint| !hint.is_empty());
        attempt.context = request.context;
        if let Some(link) = request.endpoint {
            let link = link_of(link, &attempt.owner)?;
            let organisation = self.organisation_of(&link.account_id).await?;
            if attempt.authority.is_empty() {
                // Its page asks for people of this organisation alone.
                attempt.authority = organisation.tenant_id;
            }
            attempt.endpoint = Some(link);
        }
        self.start(attempt, None).await
    }

    /// Starts a new sign-in of the person an account has; what Microsoft asked for at its last refusal goes along.
    pub async fn begin_again(&self, account_id: &str, redirect_uri: String) -> Result<SignIn> {
        check_redirect(&redirect_uri)?;
        let row = self.row(account_id).await?;
        Self::check_signs_in(&row)?;
        self.again(row, Aim::Reconnect(account_id.to_owned()), &[], redirect_uri).await
    }

    /// Starts a sign-in that asks for further features.
    pub async fn begin_more(&self, account_id: &str, features: Vec<Feature>, redirect_uri: String) -> Result<SignIn> {
        check_redirect(&redirect_uri)?;
        check_features(&features, "common")?;
        let row = self.row(account_id).await?;
        Self::check_signs_in(&row)?;
        if row.kind == AccountKind::Link {
            return Err(Error::invalid("This account only tells who somebody is. Use connect for a mailbox or chats of that person.").on_account(account_id));
        }
        if row.state == AccountState::Disconnected {
            return Err(Error::invalid("The account is disconnected. Use reconnect first.").on_account(account_id));
        }
        if let Some(tenant) = row.tenant() {
            check_features(&features, tenant).map_err(|e| e.on_account(account_id))?;
        }
        self.again(row, Aim::AddFeatures(account_id.to_owned()), &features, redirect_uri).await
    }

    async fn again(&self, row: AccountRow, aim: Aim, more: &[Feature], redirect_uri: String) -> Result<SignIn> {
        if row.kind == AccountKind::Tenant {
            return Err(Error::invalid("An organisation's account has no person who signs in. Use approval and resume.").on_account(&row.id));
        }
        let app = self.app_of(&row)?;
        let mut attempt = Attempt::new(aim, row.owner.clone(), app.name.clone(), redirect_uri)?;
        attempt.authority = row.authority.clone();
        let features: BTreeSet<Feature> = row.features.iter().chain(more).copied().collect();
        attempt.features = features.into_iter().collect();
        attempt.extra_scopes = row.extra_scopes.clone();
        attempt.scopes = match row.kind {
            AccountKind::Link => self.link_scopes(),
            AccountKind::Person | AccountKind::Tenant | AccountKind::SharedMailbox => scopes::asked(&attempt.features, &attempt.extra_scopes, &self.config.endpoints.scope_prefix()),
        };
        let profile = self.profile_of(&row).await?;
        attempt.login_hint = Some(profile.address).filter(|a| is_mail_address(a)).or(profile.login_hint);
        let claims = self.claims_of(&row).await;
        self.start(attempt, claims).await
    }

    async fn start(&self, attempt: Attempt, claims: Option<Zeroizing<String>>) -> Result<SignIn> {
        let app = self.choose_app(Some(&attempt.app))?;
        let state = Zeroizing::new(random::token::<32>()?);
        let url = app.entra.authorize_url(
            attempt.tenant(app),
            Ask {
                redirect_uri: &attempt.redirect_uri,
                scopes: &attempt.scopes,
                state: &state,
                nonce: attempt.nonce.as_deref().unwrap_or_default(),
                verifier: &attempt.verifier,
                login_hint: attempt.login_hint.as_deref(),
                claims: claims.as_ref().map(|c| c.as_str()),
            },
        )?;
        self.leave(attempt, url, &state).await
    }

    fn link_scopes(&self) -> Vec<String> {
        let prefix = self.config.endpoints.scope_prefix();
        IDENTITY.iter().map(|s| (*s).to_owned()).chain([format!("{prefix}User.Read")]).collect()
    }

    /// The account as it is after what time alone has changed.
    pub(super) async fn row(&self, account_id: &str) -> Result<AccountRow> {
        let row = self.store.account(account_id).await?.ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no account with this id."))?;
        self.settle(row).await
    }
}
