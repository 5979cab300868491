//! Reads the contract (`udl/src/*.udl`) and writes what Python and Node need: the glue at build time, the typings for the repository.
//!
//! - `join.rs`     one text of the files of the contract, one file per subject
//! - `contract.rs` the UDL as this crate sees it, and the few rules by which a face follows from it
//! - `python.rs`   PyO3 glue · `pyi.rs` the Python stub
//! - `node.rs`     N-API glue · `dts.rs` the TypeScript declarations
//! - `printed.rs`  what text forms may show, for Kotlin and Swift

mod contract;
mod dts;
mod join;
mod node;
mod printed;
mod pyi;
mod python;

pub use contract::Contract;
pub use dts::dts;
pub use join::{contract as joined_contract, contract_for_build};
pub use node::glue as node_glue;
pub use printed::{Form, Printed, printed, swift_texts};
pub use pyi::pyi;
pub use python::glue as python_glue;

type Writer = fn(&Contract) -> String;

/// The checked-in typings: where they lie in the repository, and what writes them.
pub const TYPINGS: [(&str, Writer); 2] = [("bindings/python/tidings/_native.pyi", pyi), ("bindings/node/lib/native.d.ts", dts)];

/// For a `build.rs`: writes `$OUT_DIR/glue.rs`.
pub fn build(glue: Writer) -> Result<(), Box<dyn std::error::Error>> {
    let contract = Contract::of(&contract_for_build()?)?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(std::path::Path::new(&out).join("glue.rs"), glue(&contract))?;
    Ok(())
}
