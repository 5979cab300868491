//! Holds the Python stub and the TypeScript declarations against the contract: every type, field, method and value of the UDL is there
//! under its name in that language, as asynchronous as the contract says; and no class is there that the contract does not know.

use std::collections::BTreeSet;
use tidings_tests::root;
use uniffi_meta::Metadata;

struct Face {
    name: &'static str,
    lines: Vec<String>,
    missing: Vec<String>,
}

impl Face {
    fn read(name: &'static str) -> Self {
        let text = std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        Self { name, lines: text.lines().map(str::to_owned).collect(), missing: Vec::new() }
    }

    /// The declaration that starts with this text, up to the next line that is not indented.
    fn block(&mut self, starts: &[String]) -> Option<String> {
        let Some(at) = self.lines.iter().position(|line| starts.iter().any(|start| line.starts_with(start.as_str()))) else {
            self.missing.push(starts.first().cloned().unwrap_or_default());
            return None;
        };
        let rest = self.lines.iter().skip(at + 1).take_while(|l| l.is_empty() || l.starts_with([' ', '|']) || l.starts_with('}'));
        Some(std::iter::once(&self.lines[at]).chain(rest).cloned().collect::<Vec<_>>().join("\n"))
    }

    fn holds(&mut self, block: &str, wanted: &[String]) {
        if !wanted.iter().any(|w| block.contains(w.as_str())) {
            let first = block.lines().next().unwrap_or_default().to_owned();
            self.missing.push(format!("{first} … {}", wanted.join(" or ")));
        }
    }
}

#[test]
fn the_faces_follow_the_contract() {
    let udl = tidings_generator::joined_contract().unwrap_or_else(|e| panic!("{e}"));
    let contract = uniffi_udl::parse_udl(&udl, "tidings_uniffi").expect("a UDL that parses");
    let mut stub = Face::read("bindings/python/tidings/_native.pyi");
    let mut types = Face::read("bindings/node/lib/native.d.ts");
    let mut known = BTreeSet::new();
    for item in &contract.items {
        match item {
            Metadata::Record(record) => {
                known.insert(record.name.clone());
                let python = stub.block(&[format!("class {}:", record.name)]).unwrap_or_default();
                let node = types.block(&[format!("export interface {} ", record.name), format!("export type {} = string | {{", record.name)]).unwrap_or_default();
                for field in &record.fields {
                    stub.holds(&python, &[format!("def {}(self)", field.name)]);
                    types.holds(&node, &[format!(" {}:", camel(&field.name)), format!(" {}?:", camel(&field.name))]);
                }
            }
            // The error is one class with a class for each kind.
            Metadata::Enum(error) if error.name == "TidingsError" => {
                for variant in &error.variants {
                    let name = format!("{}Error", variant.name);
                    stub.block(&[format!("class {name}(TidingsError)")]);
                    types.block(&[format!("export class {name} extends TidingsError")]);
                    known.insert(name);
                }
                known.insert(error.name.clone());
            }
            Metadata::Enum(values) => {
                known.insert(values.name.clone());
                let python = stub.block(&[format!("class {}(str", values.name), format!("class {}:", values.name)]).unwrap_or_default();
                let node = types.block(&[format!("export type {} ", values.name)]).unwrap_or_default();
                for variant in &values.variants {
                    stub.holds(&python, &[format!(" {} = ", snake(&variant.name).to_uppercase()), format!("class {}(", variant.name)]);
                    types.holds(&node, &[format!("'{}'", snake(&variant.name))]);
                }
            }
            Metadata::Object(object) => {
                known.insert(object.name.clone());
                stub.block(&[format!("class {}:", object.name)]);
                types.block(&[format!("export class {} ", object.name)]);
            }
            Metadata::Method(method) => {
                // The idiom of both languages; see the contract's `shutdown`.
                let name = if method.name == "shutdown" { "close" } else { &method.name };
                let python = stub.block(&[format!("class {}:", method.self_name)]).unwrap_or_default();
                let node = types.block(&[format!("export class {} ", method.self_name)]).unwrap_or_default();
                let (word, promise) = if method.is_async { ("async def", "Promise<") } else { ("    def", "") };
                stub.holds(&python, &[format!("{word} {name}(self")]);
                let line = node.lines().find(|l| l.trim_start().starts_with(&format!("{}(", camel(name)))).unwrap_or_default().to_owned();
                types.holds(&line, &[format!("): {promise}")]);
            }
            Metadata::Constructor(constructor) => {
                let python = stub.block(&[format!("class {}:", constructor.self_name)]).unwrap_or_default();
                let node = types.block(&[format!("export class {} ", constructor.self_name)]).unwrap_or_default();
                let new = constructor.name == "new";
                stub.holds(&python, &[if new { "def __new__(".into() } else { format!("def {}(", constructor.name) }]);
                types.holds(&node, &[if new { "constructor(".into() } else { format!("static {}(", camel(&constructor.name)) }]);
            }
            Metadata::Func(function) => {
                stub.block(&[format!("def {}(", function.name), format!("async def {}(", function.name)]);
                types.block(&[format!("export function {}(", camel(&function.name))]);
            }
            _ => {}
        }
    }
    for face in [&stub, &types] {
        let missing: BTreeSet<&String> = face.missing.iter().collect();
        assert!(missing.is_empty(), "{} lacks\n  {}", face.name, missing.iter().map(|m| m.as_str()).collect::<Vec<_>>().join("\n  "));
    }
    let unknown: Vec<&str> = stub.lines.iter().filter_map(|l| class_name(l)).filter(|c| !c.starts_with('_') && !known.contains(c.trim_start_matches("Blocking"))).collect();
    assert!(unknown.is_empty(), "{} has what the contract does not know: {unknown:?}", stub.name);
    println!("{} types of the contract are in both faces", known.len());
}

fn class_name(line: &str) -> Option<&str> {
    line.strip_prefix("class ")?.split(['(', ':']).next()
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + &part[..1].to_uppercase() + &part[1..])
}

fn snake(name: &str) -> String {
    name.chars().enumerate().fold(String::new(), |mut out, (i, c)| {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        out
    })
}
