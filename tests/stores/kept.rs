//! A store as it is kept here: the database file, compressed, and a page of what it held when it was written.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tidings_tests::root;

const FILE: &str = "tidings.db";

pub struct Kept {
    pub name: String,
    /// Root key, ids, and what every verb answered.
    pub held: Value,
    folder: PathBuf,
}

/// All of them, the oldest first.
pub fn all() -> Vec<Kept> {
    let here = root().join("tests/stores");
    let mut names: Vec<String> = std::fs::read_dir(&here)
        .unwrap_or_else(|e| panic!("{}: {e}", here.display()))
        .filter_map(|entry| entry.ok().filter(|e| e.path().is_dir()).map(|e| e.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names.into_iter().map(|name| read(&here.join(&name), name)).collect()
}

fn read(folder: &Path, name: String) -> Kept {
    let page = folder.join("held.json");
    let text = std::fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    Kept { held: serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", page.display())), name, folder: folder.to_owned() }
}

impl Kept {
    pub fn key(&self) -> Vec<u8> {
        let hex = self.held["root_key"].as_str().unwrap_or_default().as_bytes();
        hex.chunks(2).map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap_or_else(|e| panic!("{e}"))).collect()
    }

    pub fn is_clear(&self) -> bool {
        self.held["content"] == "clear"
    }

    /// A copy to open, as a host's backup would be put back: into a folder of its own.
    pub fn copy_to(&self, folder: &Path) -> PathBuf {
        let store = folder.join(&self.name);
        std::fs::create_dir_all(&store).unwrap_or_else(|e| panic!("{e}"));
        let packed = std::fs::read(self.folder.join(format!("{FILE}.gz"))).unwrap_or_else(|e| panic!("{e}"));
        let mut plain = Vec::new();
        GzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap_or_else(|e| panic!("{e}"));
        std::fs::write(store.join(FILE), plain).unwrap_or_else(|e| panic!("{e}"));
        store
    }
}

/// Packs a closed store into `target/stores`; its name begins with the number of the schema it has.
pub fn keep(store: &Path, kind: &str, held: &Value) {
    let plain = std::fs::read(store.join(FILE)).unwrap_or_else(|e| panic!("{e}"));
    // SQLite file format, 1.3.13: the user version, big-endian.
    let version = plain.get(60..64).map_or(0, |bytes| bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)));
    let folder = root().join(format!("target/stores/{version:04}_{kind}"));
    std::fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{e}"));
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&plain).unwrap_or_else(|e| panic!("{e}"));
    let packed = packed.finish().unwrap_or_else(|e| panic!("{e}"));
    println!("{}: {} bytes, {} packed", folder.display(), plain.len(), packed.len());
    std::fs::write(folder.join(format!("{FILE}.gz")), packed).unwrap_or_else(|e| panic!("{e}"));
    let page = serde_json::to_string_pretty(held).unwrap_or_else(|e| panic!("{e}"));
    std::fs::write(folder.join("held.json"), page + "\n").unwrap_or_else(|e| panic!("{e}"));
}
