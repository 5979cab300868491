//! Writes the scaffolding that UniFFI needs, from the contract.

fn main() {
    if let Err(e) = uniffi::generate_scaffolding("src/tidings.udl") {
        println!("cargo::error=src/tidings.udl: {e:#}");
    }
}
