//! Draws the import arrows of `core/src` and fails on one that goes up or sideways. The layers are read from the drawing in
//! `core/src/lib.rs`, so the picture people see is the rule that is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// Crates that only one module may touch: nobody but the store speaks SQL, nobody but the pipeline sends.
const RESERVED: [(&str, &str); 3] = [("rusqlite", "store"), ("reqwest", "pipeline"), ("aes_gcm", "seal")];

type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_arrow_points_down() {
    let source = tidings_tests::root().join("core/src");
    let lib = std::fs::read_to_string(source.join("lib.rs")).expect("core/src/lib.rs");
    let layers = layers(&lib);
    assert!(layers.len() >= 4, "the drawing in core/src/lib.rs was not understood");
    let exports = exports(&lib);
    let (mut arrows, mut wrong) = (Arrows::new(), Vec::new());
    for file in rust_files(&source) {
        let path: Vec<String> = module_path(&source, &file);
        let Some(module) = path.first().cloned() else { continue };
        let text = std::fs::read_to_string(&file).expect("a source file");
        let mut reader = Reader { path, exports: &exports, modules: BTreeSet::new(), crates: BTreeSet::new() };
        reader.visit_file(&syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display())));
        for (name, owner) in RESERVED {
            if reader.crates.contains(name) && module != owner {
                wrong.push(format!("{module} uses {name}, which is for {owner} alone ({})", file.display()));
            }
        }
        arrows.entry(module.clone()).or_default().extend(reader.modules.into_iter().filter(|to| *to != module));
    }
    draw(&layers, &arrows);
    for (from, tos) in &arrows {
        let Some(own) = layer_of(&layers, from) else {
            wrong.push(format!("{from} stands on no layer of the drawing in core/src/lib.rs"));
            continue;
        };
        for to in tos {
            match layer_of(&layers, to) {
                Some(other) if other > own || (other == own && own == layers.len() - 1) => {}
                Some(other) if other == own => wrong.push(format!("{from} → {to}: modules on one layer do not know each other")),
                Some(_) => wrong.push(format!("{from} → {to}: up")),
                None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "wrong arrows:\n  {}", wrong.join("\n  "));
}

/// Name and modules of each layer, the highest first: the lines of the drawing, whose columns are two or more spaces apart.
fn layers(lib: &str) -> Vec<(String, Vec<String>)> {
    let drawing = lib.lines().map(|l| l.trim_start_matches("//!").trim()).skip_while(|l| *l != "```text").skip(1).take_while(|l| *l != "```");
    let is_module = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    drawing
        .map(|line| {
            let mut parts = line.split("  ").map(str::trim).filter(|p| !p.is_empty());
            (parts.next().unwrap_or_default().to_owned(), parts.filter(is_module).map(str::to_owned).collect())
        })
        .collect()
}

fn layer_of(layers: &[(String, Vec<String>)], module: &str) -> Option<usize> {
    layers.iter().position(|(_, modules)| modules.iter().any(|r| r == module))
}

fn draw(layers: &[(String, Vec<String>)], arrows: &Arrows) {
    for (name, modules) in layers {
        println!("{name}");
        for (module, tos) in modules.iter().filter_map(|module| arrows.get_key_value(module)) {
            println!("    {module:<10} → {}", tos.iter().cloned().collect::<Vec<_>>().join(" "));
        }
    }
}

/// `use crate::Error` means the module that lib.rs takes `Error` from.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let file = syn::parse_file(lib).expect("core/src/lib.rs");
    let mut found = Vec::new();
    for item in &file.items {
        if let syn::Item::Use(item) = item {
            leaves(&item.tree, &mut Vec::new(), &mut found);
        }
    }
    found.into_iter().filter_map(|path| Some((path.last()?.clone(), path.first()?.clone()))).collect()
}

fn leaves(tree: &syn::UseTree, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves(&path.tree, before, found);
            before.pop();
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, before, found)),
        syn::UseTree::Name(name) => found.push(before.iter().cloned().chain([name.ident.to_string()]).collect()),
        syn::UseTree::Rename(name) => found.push(before.iter().cloned().chain([name.ident.to_string()]).collect()),
        syn::UseTree::Glob(_) => found.push(before.clone()),
    }
}

/// Collects what one file names; test modules are left out.
struct Reader<'a> {
    path: Vec<String>,
    exports: &'a BTreeMap<String, String>,
    modules: BTreeSet<String>,
    crates: BTreeSet<String>,
}

impl Reader<'_> {
    fn note(&mut self, path: &[String]) {
        let mut at = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("super") => self.path.clone(),
            Some(name) => {
                self.crates.insert(name.to_owned());
                return;
            }
            None => return,
        };
        for part in path {
            match part.as_str() {
                "crate" => {}
                "super" => drop(at.pop()),
                other => at.push(other.to_owned()),
            }
        }
        if let Some(first) = at.first() {
            self.modules.insert(self.exports.get(first).unwrap_or(first).clone());
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_test(&item.attrs) {
            return;
        }
        self.path.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.path.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut found = Vec::new();
        if !is_test(&item.attrs) {
            leaves(&item.tree, &mut Vec::new(), &mut found);
        }
        found.iter().for_each(|path| self.note(path));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.note(&path.segments.iter().map(|s| s.ident.to_string()).collect::<Vec<_>>());
        }
        visit::visit_path(self, path);
    }
}

fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|a| a.path().is_ident("cfg") && matches!(&a.meta, syn::Meta::List(list) if list.tokens.to_string() == "test"))
}

/// `sync/plan.rs` is `sync::plan`, `sync/mod.rs` is `sync`.
fn module_path(source: &Path, file: &Path) -> Vec<String> {
    let inner = file.strip_prefix(source).expect("inside").with_extension("");
    let parts = inner.components().map(|c| c.as_os_str().to_string_lossy().into_owned());
    parts.filter(|p| p != "mod" && p != "lib").collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        // A file of tests is free to look anywhere.
        let tests = path.file_stem().is_some_and(|s| s == "tests" || s == "test" || s.to_string_lossy().ends_with("_tests"));
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !tests {
            files.push(path);
        }
    }
    files.sort();
    files
}
