//! `tidings-bindgen LIBRARY KOTLIN_FOLDER SWIFT_FOLDER`: writes the Kotlin and Swift sources of a built library.

use camino::Utf8PathBuf;
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate_with_bindgen_paths};
use uniffi_bindgen::{BindgenPaths, BindgenPathsLayer};

/// `src/tidings.udl` and `uniffi.toml` lie in this crate.
struct Here;

impl BindgenPathsLayer for Here {
    fn get_crate_root(&self, _crate_name: &str) -> Option<Utf8PathBuf> {
        Some(env!("CARGO_MANIFEST_DIR").into())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(library), Some(kotlin), Some(swift)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: tidings-bindgen LIBRARY KOTLIN_FOLDER SWIFT_FOLDER".into());
    };
    for (language, folder) in [(TargetLanguage::Kotlin, kotlin), (TargetLanguage::Swift, swift)] {
        let mut paths = BindgenPaths::default();
        paths.add_layer(Here);
        let options = GenerateOptions { languages: vec![language], source: library.clone().into(), out_dir: folder.into(), ..Default::default() };
        generate_with_bindgen_paths(options, paths)?;
    }
    Ok(())
}
