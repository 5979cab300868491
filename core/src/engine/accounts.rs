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

    /// Counts since the engine was opened.
    pub fn metrics(&self) -> Metrics {
        self.inner.meters.snapshot()
    }
}
