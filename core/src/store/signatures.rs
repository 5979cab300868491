//! Signatures of accounts.

use crate::error::Result;
use crate::seal::Sealed;
use async_trait::async_trait;

#[derive(Debug, Clone)]
pub struct SignatureRow {
    /// Under the content key; table `signatures`, row = account id, version = `version`. None: it was taken away.
    pub sealed: Option<Sealed>,
    pub version: i64,
}

#[async_trait]
pub trait SignatureStore {
    /// None: the account never had one.
    async fn signature(&self, account_id: &str) -> Result<Option<SignatureRow>>;
    /// Puts it in the place of the version before. False: somebody else changed it meanwhile, and nothing was written. Errors: NotFound, for an account that is gone.
    async fn set_signature(&self, account_id: &str, signature: &SignatureRow) -> Result<bool>;
}
