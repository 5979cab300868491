//! `tidings-bindgen LIBRARY KOTLIN_FOLDER SWIFT_FOLDER`: writes the Kotlin and Swift sources of a built library.

use camino::Utf8PathBuf;
use tidings_generator::{Contract, printed, swift_texts};
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate_with_bindgen_paths};
use uniffi_bindgen::{BindgenPaths, BindgenPathsLayer};

/// `uniffi.toml` lies in this crate; the joined contract is where this crate's `build.rs` wrote it.
struct Here;

impl BindgenPathsLayer for Here {
    fn get_crate_root(&self, _crate_name: &str) -> Option<Utf8PathBuf> {
        Some(env!("CARGO_MANIFEST_DIR").into())
    }

    fn get_udl_path(&self, _crate_name: &str, udl_name: &str) -> Option<Utf8PathBuf> {
        Some(Utf8PathBuf::from(env!("OUT_DIR")).join(format!("{udl_name}.udl")))
    }
}

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
    // UniFFI prints every field of a record; secrets must not reach a log.
    let contract = Contract::read()?;
    for it in printed(&contract) {
        let text = format!("override fun toString() = \"{}\"\n\n", it.in_kotlin());
        match &it.of {
            None => kotlin.mark(&[&format!("data class {} (", it.name), "    companion object\n"], &format!("    {text}"))?,
            Some(of) => kotlin.mark(&[&format!("sealed class {of} {{"), &format!("data class {}(", it.name), "        companion object\n"], &format!("        {text}"))?,
        }
    }
    swift.text += &swift_texts(&contract);
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

    /// Puts `what` in front of the last of `places`, each of which is looked for after the one before.
    fn mark(&mut self, places: &[&str], what: &str) -> Result<(), String> {
        let mut at = 0;
        for place in places {
            at += self.text.get(at..).and_then(|rest| rest.find(place)).ok_or_else(|| format!("{} is not where it used to be", places.join(" … ")))?;
        }
        self.text.insert_str(at, what);
        Ok(())
    }

    fn write(self) -> std::io::Result<()> {
        std::fs::write(self.file, self.text)
    }
}
