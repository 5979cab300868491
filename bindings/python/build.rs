//! Writes the glue from the contract.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tidings_generator::build(tidings_generator::python_glue)
}
