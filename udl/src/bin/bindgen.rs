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

/// UniFFI prints every field of a record; link and binding must not reach a log. The record, what its text begins with, its other fields.
const SECRET: [(&str, &str, &[&str]); 3] = [
    // Somebody puts a private key among the certificates by mistake.
    (
        "Config",
        "clientSecret, certificate, proxy, caCertificates",
        &["dataDir", "clientId", "cloud", "tenant", "apps", "content", "sendTimeoutMs", "signInSeconds", "pageSize", "folders", "allowTls12", "onCopiedStore"],
    ),
    ("SignIn", "url, binding", &["expiresAt"]), ("Approval", "url, binding", &["accountId", "expiresAt"])];

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
    let (mut kotlin, mut swift) = (Source::read(format!("{kotlin}/dev/tidings/tidings.kt"))?, Source::read(format!("{swift}/Tidings.swift"))?);
    for (record, hidden, shown) in SECRET {
        let parts = |equals: &str, value: fn(&str) -> String| {
            let hidden = hidden.split(", ").map(|field| format!("{field}{equals}…"));
            hidden.chain(shown.iter().map(|field| format!("{field}{equals}{}", value(field)))).collect::<Vec<_>>().join(", ")
        };
        kotlin.mark(&format!("data class {record} ("), "    companion object\n", &format!("    override fun toString() = \"{record}({})\"\n\n", parts("=", |f| format!("${f}"))))?;
        swift.text += &format!(
            "\nextension {record}: CustomStringConvertible, CustomDebugStringConvertible {{\n    public var description: String {{ \"{record}({})\" }}\n    public var debugDescription: String {{ description }}\n}}\n",
            parts(": ", |f| format!("\\({f})"))
        );
    }
    kotlin.write()?;
    swift.write()?;
    Ok(())
}

struct Source {
    file: String,
    text: String,
}

impl Source {
    fn read(file: String) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(&file)?;
        Ok(Self { file, text })
    }

    /// Puts `what` in front of the first `before` after `start`.
    fn mark(&mut self, start: &str, before: &str, what: &str) -> Result<(), String> {
        let from = self.text.find(start).ok_or_else(|| format!("{start} is not where it used to be"))?;
        let at = self.text.get(from..).and_then(|rest| rest.find(before)).ok_or_else(|| format!("{start} has no {before}"))?;
        self.text.insert_str(from + at, what);
        Ok(())
    }

    fn write(self) -> std::io::Result<()> {
        std::fs::write(self.file, self.text)
    }
}
