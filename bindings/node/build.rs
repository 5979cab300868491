//! Writes the glue from the contract.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    napi_build::setup();
    tidings_generator::build(tidings_generator::node_glue)
}
