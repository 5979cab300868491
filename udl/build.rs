//! Joins the contract, and writes the scaffolding that UniFFI needs from it.
//!
//! `uniffi::generate_scaffolding` would look for `Cargo.toml` above the joined file, and tell Cargo to build again whenever that file is written.

use std::path::Path;

fn main() {
    if let Err(e) = write() {
        println!("cargo::error={e}");
    }
}

fn write() -> Result<(), Box<dyn std::error::Error>> {
    let joined = tidings_generator::contract_for_build()?;
    let out = std::env::var("OUT_DIR")?;
    let udl = format!("{out}/tidings.udl");
    std::fs::write(Path::new(&udl), joined)?;
    let (udl, out) = (udl.as_str().as_ref(), out.as_str().as_ref());
    Ok(uniffi_bindgen::generate_component_scaffolding_for_crate(udl, "tidings_uniffi", Some(out), false).map_err(|e| format!("the contract (udl/src): {e:#}"))?)
}
