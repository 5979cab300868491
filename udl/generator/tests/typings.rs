//! The checked-in typings say what the contract says.

use std::path::Path;
use tidings_generator::{Contract, TYPINGS};

#[test]
fn typings_follow_the_contract() -> Result<(), Box<dyn std::error::Error>> {
    let contract = Contract::read()?;
    for (path, write) in TYPINGS {
        let found = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path))?;
        assert!(found == write(&contract), "{path} is out of date: cargo run -p tidings-generator -- stubs");
    }
    Ok(())
}
