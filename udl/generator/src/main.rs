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
    let (found, wanted): (Vec<_>, Vec<_>) = (found.lines().collect(), wanted.lines().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = same(&mut found.iter().zip(&wanted));
    let tail = same(&mut found.iter().skip(head).rev().zip(wanted.iter().skip(head).rev()));
    eprintln!("{path} does not follow the contract; write it with `cargo run -p tidings-generator -- stubs`. From line {}:", head + 1);
    for (sign, lines) in [('-', &found), ('+', &wanted)] {
        for line in lines.iter().take(lines.len() - tail).skip(head) {
            eprintln!("{sign} {line}");
        }
    }
}
