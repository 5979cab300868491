//! The second half of a sign-in. Everything that can fail without Microsoft's code is done before the code is spent.

use super::attempt::{Aim, Attempt};
use super::callback::Callback;
use super::identity::{Doubt, Expected};
use super::check::refuse_personal;
use super::state::{Class, Refusal};
use super::token::{Denied, Grant};
use super::{Application, Auth, Profile};
use crate::config::PERSONAL_TENANT;
use crate::foreign::RequestId;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::json::{self, lenient};
use crate::model::{Account, is_mail_address};
use crate::pipeline::{Purpose, Request};
use crate::trust::Identity;
use serde::Deserialize;
use std::time::Duration;

impl Auth {
    /// Ends a sign-in or an approval with what the browser brought back. It counts once; a failure that left Microsoft's code as good as before
    /// (the keys are not to be had, the exchange never left) leaves the attempt as good as before, too.
    pub async fn finish(&self, callback: &str, binding: &str) -> Result<Account> {
        let callback = Callback::parse(callback)?;
        let attempt = self.look(&callback, binding).await?;
        if let Aim::Approval(account_id) = &attempt.aim {
            return self.finish_approval(account_id, &callback).await;
        }
        if let Some(refusal) = callback.refusal() {
            self.consume(&callback).await?;
            return Err(self.turned_away(&attempt, refusal, None).await);
        }
        let code = callback.code()?;
        let app = self.choose_app(Some(&attempt.app))?;
        let tenant = attempt.tenant(app);
        self.trust.ready(tenant).await?;
        self.consume(&callback).await?;
        let grant = match app.entra.exchange(tenant, code, &attempt.verifier, &attempt.redirect_uri).await {
            Ok(grant) => grant,
            Err(denied) => {
                if unspent(&denied) {
                    self.give_back(&callback).await;
                }
                return Err(match denied {
                    Denied::Refused(refusal, request_id) => self.turned_away(&attempt, refusal, request_id).await,
                    Denied::Failed(error) => lost(error),
                });
            }
        };
        self.keep_grant(&attempt, grant, callback.iss.as_deref().map(String::as_str)).await.map_err(spent)
    }

    /// Verifies whose grant it is and stores it for this attempt: account, keys and token in one step. However the grant arrived. `iss`: who the
    /// browser says it comes from, if one was in between.
    pub(super) async fn keep_grant(&self, attempt: &Attempt, grant: Grant, iss: Option<&str>) -> Result<Account> {
        let app = self.choose_app(Some(&attempt.app))?;
        let identity = self.identify(app, attempt, &grant, iss).await?;
        let expected = Expected { tenant_id: &identity.tenant_id, person: Some(&identity.user_id), subject: None, client_id: app.entra.client_id(), is_guest: identity.is_guest };
        if let Err(Doubt::Another(why)) = self.named(&grant, &expected) {
            return Err(Error::new(ErrorKind::TokenRejected, format!("Microsoft's answer contradicts itself: {why}. Nothing was stored; start the sign-in again.")));
        }
        let profile = match attempt.aim {
            // Nothing but the identity was asked for, so Graph has nothing to say.
            Aim::Tenant => Profile { display_name: identity.address.rsplit_once('@').map(|(_, domain)| domain.to_owned()).unwrap_or_default(), ..Profile::default() },
            _ => self.profile(&identity, &grant).await?,
        };
        self.keep(attempt, identity, grant, profile).await
    }

    async fn identify(&self, app: &Application, attempt: &Attempt, grant: &Grant, iss: Option<&str>) -> Result<Identity> {
        let refuse = |why: &str| Error::new(ErrorKind::TokenRejected, format!("{why} Nothing was stored; start the sign-in again."));
        let id_token = grant.id_token.as_ref().ok_or_else(|| refuse("Microsoft did not say who signed in."))?;
        let tenant = attempt.tenant(app);
        let identity = self.trust.id_token(id_token, tenant, app.entra.client_id(), attempt.nonce.as_deref()).await?;
        // RFC 9207: whoever answers the browser must be who answered the token request.
        if iss.is_some_and(|iss| iss != identity.issuer) {
            return Err(refuse("The callback names another issuer than the token."));
        }
        if attempt.aim == Aim::Tenant {
            refuse_personal(&identity.tenant_id, "it cannot connect one")?;
            if identity.is_guest {
                return Err(Error::new(ErrorKind::Forbidden, "A guest cannot connect the organisation that is visited. Nothing was stored; let somebody of the organisation itself sign in."));
            }
        }
        let fits = match tenant.to_ascii_lowercase().as_str() {
            "common" => true,
            "organizations" => identity.tenant_id != PERSONAL_TENANT,
            "consumers" => identity.tenant_id == PERSONAL_TENANT,
            // A domain was turned into its tenant by the issuer's metadata.
            other => !crate::trust::is_guid(other) || identity.tenant_id == other,
        };
        if !fits {
            return Err(refuse("The person belongs to another organisation than the one asked for."));
        }
        Ok(identity)
    }

    /// Address and name as the directory has them. They are for display, so a directory that does not answer is no reason to refuse a sign-in.
    async fn profile(&self, identity: &Identity, grant: &Grant) -> Result<Profile> {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Me {
            #[serde(deserialize_with = "lenient::scalar")]
            id: Option<String>,
            #[serde(deserialize_with = "lenient::scalar")]
            display_name: Option<String>,
            #[serde(deserialize_with = "lenient::scalar")]
            mail: Option<String>,
            #[serde(deserialize_with = "lenient::scalar")]
            user_principal_name: Option<String>,
        }
        let mut url = self.config.endpoints.graph.join("me").map_err(|_| Error::internal("The Graph address is not usable."))?;
        url.set_query(Some("$select=id,displayName,mail,userPrincipalName"));
        let mut request = Request::get(url, Purpose::Graph);
        request.bearer = Some(grant.access_token.clone());
        request.max_wait = Duration::from_secs(5);
        let me = match self.pipeline.send(request).await {
            Ok(response) if response.status.is_success() => json::read::<Me>(&response.body).unwrap_or_default(),
            _ => Me::default(),
        };
        // Personal accounts have another id in Graph than in their token.
        if identity.tenant_id != PERSONAL_TENANT && me.id.as_ref().is_some_and(|id| !id.eq_ignore_ascii_case(&identity.user_id)) {
            return Err(Error::new(ErrorKind::TokenRejected, "The token opens another person's account than the one who signed in. Nothing was stored; start the sign-in again."));
        }
        let texts = [&me.mail, &me.user_principal_name, &me.display_name].into_iter().flatten().chain([&identity.address, &identity.name]);
        let is_repeated = grant.secrets.are_in_any(texts.map(String::as_str));
        let first = |choices: [Option<String>; 3]| choices.into_iter().flatten().find(|t| !t.is_empty() && t.len() <= 1000 && !(is_repeated && grant.secrets.are_in_any([t.as_str()]))).unwrap_or_default();
        Ok(Profile {
            // A guest's user name is no address; what the person signed in with is.
            address: first([me.mail.filter(|a| is_mail_address(a)), me.user_principal_name.filter(|a| is_mail_address(a)), Some(identity.address.clone()).filter(|a| is_mail_address(a))]),
            display_name: first([me.display_name, Some(identity.name.clone()), Some(identity.address.clone())]),
            ..Profile::default()
        })
    }

    /// What a refusal of the sign-in itself leaves behind. Where only an administrator can help, the account that waits for one.
    pub(super) async fn turned_away(&self, attempt: &Attempt, refusal: Refusal, request_id: Option<RequestId>) -> Error {
        let error = refusal.error(true).with_request_id(request_id);
        let on = |error: Error, id: Option<&str>| match id {
            Some(id) => error.on_account(id),
            None => error,
        };
        if !refusal.needs_approval() {
            return on(error, attempt.aim.account());
        }
        match self.await_approval(attempt).await {
            Ok(account_id) => on(error, account_id.as_deref()),
            // The refusal cannot be kept; that is the more urgent news.
            Err(failed) => failed,
        }
    }
}

/// After the exchange no callback can be brought again, whatever passes by itself.
fn spent(error: Error) -> Error {
    if !error.kind().is_retryable() {
        return error;
    }
    let reason = format!("{} Microsoft's code is good for one use and nothing was stored; start the sign-in again.", error.reason());
    Error::new(ErrorKind::TokenRejected, reason).with_remedy(Remedy::User).with_request_of(&error).with_source(error)
}

/// Microsoft cannot have taken the code: it never left, or was sent back unread.
fn unspent(denied: &Denied) -> bool {
    match denied {
        Denied::Refused(refusal, _) => refusal.class() == Class::Outage && refusal.error != "server_error",
        Denied::Failed(error) => matches!(error.kind(), ErrorKind::Network | ErrorKind::Throttled),
    }
}

fn lost(error: Error) -> Error {
    match error.kind() {
        ErrorKind::OutcomeUnknown => Error::new(ErrorKind::Upstream, "Microsoft's answer was lost and its code is good for one use. Nothing was stored; start the sign-in again.").with_source(error),
        _ => error,
    }
}
