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

/// UniFFI prints every field of a record; these two must not reach a log.
const KOTLIN: (&str, &str) = ("data class SignIn (", "    override fun toString() = \"SignIn(url=…, binding=…, expiresAt=$expiresAt)\"\n\n    companion object\n");
const SWIFT: &str = "
extension SignIn: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String { \"SignIn(url: …, binding: …, expiresAt: \\(expiresAt))\" }
    public var debugDescription: String { description }
}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(library), Some(kotlin), Some(swift)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: tidings-bindgen LIBRARY KOTLIN_FOLDER SWIFT_FOLDER".into());
    };
    for (language, folder) in [(TargetLanguage::Kotlin, &kotlin), (TargetLanguage::Swift, &swift)] {
        let mut paths = BindgenPaths::default();
        paths.add_layer(Here);
        let options = GenerateOptions { languages: vec![language], source: library.clone().into(), out_dir: folder.into(), ..Default::default() };
        generate_with_bindgen_paths(options, paths)?;
    }
    let file = format!("{kotlin}/dev/tidings/tidings.kt");
    let source = std::fs::read_to_string(&file)?;
    let (head, tail) = source.split_once(KOTLIN.0).ok_or("SignIn is not where it used to be")?;
    let tail = tail.replacen("    companion object\n", KOTLIN.1, 1);
    std::fs::write(file, [head, KOTLIN.0, &tail].concat())?;
    let file = format!("{swift}/Tidings.swift");
    let source = std::fs::read_to_string(&file)?;
    std::fs::write(file, source + SWIFT)?;
    Ok(())
}
