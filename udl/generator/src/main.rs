//! `tidings-generator stubs [--check]`: writes the checked-in typings, or shows where they differ from the contract (exit 1).

use std::path::Path;
use std::process::ExitCode;
use tidings_generator::{Contract, TYPINGS};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["stubs"] => false,
        ["stubs", "--check"] => true,
        _ => return Err("usage: tidings-generator stubs [--check]".into()),
    };
    let contract = Contract::read()?;
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut code = ExitCode::SUCCESS;
    for (path, write) in TYPINGS {
        let (file, wanted) = (repository.join(path), write(&contract));
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        if found == wanted {
            continue;
        }
        if check {
            show_difference(path, &found, &wanted);
            code = ExitCode::FAILURE;
        } else {
            std::fs::write(file, wanted)?;
        }
    }
    Ok(code)
}

/// The lines between the first and the last that differ.
fn show_difference(path: &str, found: &str, wanted: &str) {
    let head = found.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count();
    let tail = found.lines().skip(head).collect::<Vec<_>>().iter().rev().zip(wanted.lines().skip(head).collect::<Vec<_>>().iter().rev()).take_while(|(a, b)| a == b).count();
    eprintln!("{path} does not follow the contract; write it with `cargo run -p tidings-generator -- stubs`. From line {}:", head + 1);
    for (sign, text) in [('-', found), ('+', wanted)] {
        text.lines().take(text.lines().count() - tail).skip(head).for_each(|line| eprintln!("{sign} {line}"));
    }
}
