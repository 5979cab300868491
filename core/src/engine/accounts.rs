//! Verbs that tell how things are.

use super::Engine;
use crate::config::Config;
use crate::error::Result;
use crate::model::*;
use crate::secret::RootKey;
use std::sync::Arc;

impl Engine {
    /// `open` with the settings of a `tidings.toml`, in which `${NAME}` stands for an environment variable. Unknown keys are errors.
    /// Errors: as `open`.
    pub fn open_file(path: String, root_key: Arc<RootKey>) -> Result<Self> {
        Self::open(Config::from_file(&path)?, root_key)
    }

    /// Best matches first, of all accounts of an owner or of one account. Errors: InvalidInput (also when neither is named, or the store's content is
    /// sealed), NotFound.
    pub async fn search(&self, query: SearchQuery) -> Result<Vec<Message>> {
        self.finish(|inner| async move {
            let words = inner.reader.search_words(&query)?;
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            inner.reader.search(scope, words, query.limit).await
        })
        .await
    }

    /// Counts since the engine was opened.
    pub fn metrics(&self) -> Metrics {
        self.inner.meters.snapshot()
    }
}
