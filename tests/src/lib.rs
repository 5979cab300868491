//! What the tests share: where the repository is, a running simulator, a connected account.

pub mod sim;
pub mod world;

use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
