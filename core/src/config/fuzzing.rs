//! `tidings.toml` as anybody might write it.

use super::file::parse;
use crate::error::ErrorKind;
use std::ffi::OsString;
use std::path::Path;

/// What every environment variable holds.
const HELD: &str = "held-by-the-environment-4e7a1c";

/// The configuration file.
pub fn config_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // What the file names is not there: relative paths lead nowhere, and others are left alone.
    if text.contains("_file") && text.contains(['/', '\\', '$']) {
        return;
    }
    let environment = |_: &str| Some(OsString::from(HELD));
    let read = |text: &str| parse(text, Path::new("/nowhere"), &environment);
    match read(text) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(!error.reason().contains(HELD) && !format!("{error:?}").contains(HELD), "an error shows a value: {error:?}");
            assert!(error.reason().len() < 2_000, "an endless reason");
        }
        Ok((config, holds)) => {
            let shown = format!("{config:?}");
            // Neither a mark before it nor a comment behind it says anything.
            for same in [format!("\u{feff}{text}"), format!("{text}\n# the end")] {
                let again = read(&same).map(|(config, holds)| (format!("{config:?}"), holds.itself));
                assert!(again.is_ok_and(|again| text.starts_with('\u{feff}') || again == (shown.clone(), holds.itself)), "a mark or a comment changes what is read");
            }
            if let Err(error) = config.check() {
                assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::LimitExceeded | ErrorKind::LinkRejected), "{error:?}");
            }
        }
    }
}
