//! Verbs of signing in and consenting.

use super::{DeviceSignIn, Engine};
use crate::error::Result;
use crate::model::*;
use std::sync::Arc;

impl Engine {
    /// Starts a sign-in by a code that the person types in on any device. Errors: as `connect`; Network, Forbidden (a wrong registration).
    /// Source: Microsoft identity platform, device authorization grant; RFC 8628.
    pub async fn connect_device(&self, request: ConnectRequest) -> Result<Arc<DeviceSignIn>> {
        let device = self
            .finish(|inner| async move {
                inner.retention.check_not_deleted(&request.owner).await?;
                inner.auth.begin_device(request).await
            })
            .await?;
        Ok(Arc::new(DeviceSignIn::new(self.inner.clone(), device)))
    }

    /// Starts to connect an organisation. The sign-in proves which one, and by `wids` that the person may approve; the account it gives awaits the administrator's `approval` and then gets
    /// tokens of its own. Errors: as `connect`; Forbidden (personal accounts).
    /// Source: Microsoft identity platform, admin consent; OAuth 2.0 client credentials flow.
    pub async fn connect_tenant(&self, request: TenantRequest) -> Result<SignIn> {
        self.finish(|inner| async move {
            inner.retention.check_not_deleted(&request.owner).await?;
            inner.auth.begin_tenant(request).await
        })
        .await
    }

    /// Starts a sign-in that only tells who somebody is. Errors: as `connect`.
    pub async fn link_person(&self, request: LinkRequest) -> Result<SignIn> {
        self.finish(|inner| async move {
            inner.retention.check_not_deleted(&request.owner).await?;
            inner.auth.begin_link(request).await
        })
        .await
    }

    /// Starts a new sign-in for an account that has one; it keeps its id, mail and queue, and only the same person may finish it. What Microsoft asked for
    /// (claims) is passed on. Errors: as `connect`; NotFound.
    pub async fn reconnect(&self, account_id: String, redirect_uri: String, owner: Option<String>) -> Result<SignIn> {
        self.finish(|inner| async move {
            inner.retention.check_not_deleted(&inner.owned(&account_id, owner.as_deref()).await?.owner).await?;
            inner.auth.begin_again(&account_id, redirect_uri).await
        })
        .await
    }

    /// Starts a sign-in that asks for further features, beside those the account has. Errors: as `connect`; NotFound.
    pub async fn add_features(&self, account_id: String, features: Vec<Feature>, redirect_uri: String, owner: Option<String>) -> Result<SignIn> {
        self.finish(|inner| async move {
            inner.retention.check_not_deleted(&inner.owned(&account_id, owner.as_deref()).await?.owner).await?;
            inner.auth.begin_more(&account_id, features, redirect_uri).await
        })
        .await
    }

    /// What an administrator has to approve for this account: link, texts. The link is valid as long as a sign-in; ask again for another.
    /// Errors: InvalidInput, NotFound, Forbidden (personal accounts).
    pub async fn approval(&self, account_id: String, redirect_uri: String, owner: Option<String>) -> Result<Approval> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            let answer = inner.auth.begin_approval(&account_id, redirect_uri).await?;
            inner.retention.approval_asked(&account_id).await?;
            inner.account_changed();
            Ok(answer)
        })
        .await
    }

    /// Looks whether the approval came without a callback: an organisation's account is then connected, and one that is connected has the permissions that were approved since. A person's account says that the person signs in again.
    /// Errors: NotFound, NotConnected, Network, ConsentMissing (not yet), Forbidden (a wrong registration, or nobody who may approve has signed in), Conflict (another owner has this organisation).
    pub async fn resume(&self, account_id: String, owner: Option<String>) -> Result<Account> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            let answer = inner.auth.resume(&account_id).await?;
            inner.account_changed();
            Ok(answer)
        })
        .await
    }

    /// Asks Microsoft who the account is and whether its mailbox can be reached; sends a mail to itself if a test message is asked for. Of an
    /// organisation, whether Graph takes the application's token. An account that needs
    /// its person is tried once more: if a renewed token opens it, it is connected again.
    /// Errors: NotFound, NotConnected, NeedsReconnect, Network.
    pub async fn verify(&self, account_id: String, test_message: bool, owner: Option<String>) -> Result<Verification> {
        self.verify_account(account_id, test_message, owner).await
    }

    /// Explains permissions to the person who is asked for them. Errors: InvalidInput, NotFound.
    pub async fn permissions(&self, query: PermissionQuery) -> Result<PermissionList> {
        self.finish(|inner| async move {
            if let Some(account_id) = &query.account_id {
                inner.owned(account_id, query.owner.as_deref()).await?;
            }
            inner.auth.permissions(query).await
        })
        .await
    }
}
