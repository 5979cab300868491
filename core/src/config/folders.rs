//! Names of the folders to sync, as a host gives them.

use crate::error::{Error, ErrorKind, Result};

/// Stands for every folder that holds messages, those to come as well.
pub(crate) const ALL_FOLDERS: &str = "all";
const MOST_NAMES: usize = 1_000;
const LONGEST_NAME: usize = 1_024;

/// Folders to sync, by well-known name or id, or `all`.
pub(crate) fn check_folders(names: &[String]) -> Result<()> {
    if names.len() > MOST_NAMES {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("folders names more than {MOST_NAMES} folders. Say “all” for all of them.")));
    }
    if names.iter().any(|name| name.trim().is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control)) {
        return Err(Error::invalid("A folder is named by nothing, or by no name there could be. Pass well-known names (inbox, sentitems …), ids from folders, or all."));
    }
    if names.len() > 1 && names.iter().any(|name| name == ALL_FOLDERS) {
        return Err(Error::invalid("folders holds “all” beside other names. Say “all” alone, or name them."));
    }
    Ok(())
}
