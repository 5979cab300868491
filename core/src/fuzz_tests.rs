//! A few thousand inputs for each target of `tests/fuzz`: its seeds, and what becomes of them by chance. `make fuzz` looks for longer, and where the code
//! leads it.

use crate::auth::fuzzing::{callback_query, token_answer};
use crate::config::fuzzing::config_file;
use crate::graph::fuzzing::{batch_answer, delta_page};
use crate::graph::fuzzing_rounds::{chat_page, contact_page, event_page};
use crate::notify::fuzzing::notification_post;
use crate::retention::fuzzing::audit_page;
use crate::seal::fuzzing::envelope;
use crate::sync::fuzzing::{bounce, html};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The same inputs every time. Another number tries others.
const SEED: u64 = 0x7469_6469_6e67_7301;
const INPUTS: u32 = 3_000;
const LONGEST: usize = 8 << 10;

/// What decides something somewhere; put in by chance.
const WORDS: [&str; 44] = [
    "null", "true", "{}", "[]", "\"\"", "-1", "0", "1e400", "99999999999999999999", "\"id\":", "\"@removed\":{}", "\"status\":429", "\"value\":", "\\ud800", "\\u0000", "\"", "\\", "[[[[[[[[", "}", ",",
    "https://graph.microsoft.com/v1.0/", "https://evil.example/", "state=", "code=", "&", "%", "%00", "%ff", "#", "?", "error=", "<b title=1>", "<p>x", "<script>", "</", "<!--", "javascript:", " onerror=x", "cid:", "${", "\n[", "=", "\u{feff}", "'''",
];

#[test]
fn delta_pages() {
    run("delta_page", delta_page);
}

#[test]
fn batch_answers() {
    run("batch_answer", batch_answer);
}

#[test]
fn token_answers() {
    run("token_answer", token_answer);
}

#[test]
fn callback_queries() {
    run("callback_query", callback_query);
}

#[test]
fn envelopes() {
    run("envelope", envelope);
}

#[test]
fn html_bodies() {
    run("html", html);
}

#[test]
fn config_files() {
    run("config_file", config_file);
}

#[test]
fn notification_posts() {
    run("notification_post", notification_post);
}

#[test]
fn contact_pages() {
    run("contact_page", contact_page);
}

#[test]
fn event_pages() {
    run("event_page", event_page);
}

#[test]
fn chat_pages() {
    run("chat_page", chat_page);
}

#[test]
fn bounces() {
    run("bounce", bounce);
}

#[test]
fn audit_pages() {
    run("audit_page", audit_page);
}

fn run(target: &str, check: fn(&[u8])) {
    let seeds = seeds(target);
    println!("{target}: {} seeds, {INPUTS} inputs from seed {SEED:#x}", seeds.len());
    let mut chance = Chance(SEED);
    let made = (0..INPUTS).map(|_| chance.made_of(&seeds)).collect::<Vec<_>>();
    for input in seeds.iter().chain(&made) {
        if catch_unwind(AssertUnwindSafe(|| check(input))).is_err() {
            panic!("{target} fails with this input, which belongs among its seeds once it is mended: b\"{}\"", input.escape_ascii());
        }
    }
}

/// In the order of their names.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no seeds");
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Numbers by chance, the same for the same seed (xorshift64*).
struct Chance(u64);

impl Chance {
    /// From 0 to one below `most`.
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % most.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A seed with one to eight changes.
    fn made_of(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.one_of(seeds).clone();
        for _ in 0..=self.below(8) {
            self.change(&mut input, seeds);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let from = self.below(input.len() + 1);
        let to = from + self.below((input.len() - from + 1).min(64));
        match self.below(9) {
            0 => drop(input.drain(from..to)),
            1 => input.truncate(from),
            2 => drop(input.splice(from..from, vec![self.byte()])),
            3 => drop(input.splice(from..to, self.one_of(&WORDS).bytes())),
            4 => drop(input.splice(from..from, self.one_of(&WORDS).bytes())),
            // A part comes twice, or many times.
            5 => {
                let part = input[from..to].repeat(1 + self.below(16));
                input.splice(from..from, part);
            }
            // A part of another seed.
            6 => {
                let other = self.one_of(seeds);
                let at = self.below(other.len() + 1);
                let end = at + self.below((other.len() - at + 1).min(400));
                input.splice(from..to, other[at..end].to_vec());
            }
            7 if from < input.len() => input[from] = self.byte(),
            _ if from < input.len() => input[from] ^= 1 << self.below(8),
            _ => {}
        }
    }
}
