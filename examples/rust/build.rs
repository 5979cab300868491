//! Cuts the Rust program out of README.md, so that it is compiled with everything else. The simulator's addresses take the place of Microsoft's cloud.

use std::path::Path;
use std::{env, fs};

const OPENING: &str = "```rust run\n";
const SIMULATOR: &str = r#"Cloud::custom(std::env::var("TIDINGS_LOGIN").unwrap_or_default(), std::env::var("TIDINGS_GRAPH").unwrap_or_default())"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let readme = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../README.md");
    println!("cargo::rerun-if-changed={}", readme.display());
    let text = fs::read_to_string(readme)?;
    let block = text.split_once(OPENING).and_then(|(_, rest)| rest.split_once("\n```")).map(|(block, _)| block);
    let block = block.ok_or("README.md has no block that opens with ```rust run")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("readme.rs"), block.replace("Cloud::Public", SIMULATOR))?;
    Ok(())
}
