//! The closing table and `target/bench.json`.

use super::Outcome;
use super::backfill::{Filled, Filling};
use super::ciphers::Speed;
use super::limits::{self, Campaign};
use super::measure::Measured;
use super::sends::Sends;
use super::storm::Storm;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use std::path::PathBuf;

#[allow(clippy::too_many_arguments)] // one for each case
pub fn print(messages: u32, engine: &[Measured], plain: &[Measured], filling: &Filling, sends: &[Sends], campaign: &Campaign, storm: &Storm, ciphers: &[Speed]) -> Outcome<()> {
    let (ours, theirs) = (Middle::of(messages, engine), Middle::of(messages, plain));
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["", "tidings", "plain", "ratio"]);
    let mut row = |name: String, ours: f64, theirs: f64| {
        table.add_row([name, figure(ours), figure(theirs), format!("{:.2}", ours / theirs)]);
    };
    row("sync, messages per second".into(), ours.rate, theirs.rate);
    row("sync, processor seconds".into(), ours.cpu, theirs.cpu);
    row("sync, peak memory, MB".into(), ours.peak_mb, theirs.peak_mb);
    row("sync, store on disk, MB".into(), ours.disk_mb, theirs.disk_mb);
    for speed in ciphers {
        row(format!("AES-256-GCM, {}, MB per second", speed.size), speed.aes_gcm, speed.aws_lc_rs);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["callers at once", "mails queued per second", "ratio", "sent per second", "ratio"]);
    for run in sends {
        let ratio = |of: fn(&Sends) -> f64| sends.first().map_or(f64::NAN, |first| of(run) / of(first));
        let (queued, sent) = (ratio(|run| run.queued_per_second), ratio(|run| run.sent_per_second));
        table.add_row([run.callers.to_string(), figure(run.queued_per_second), format!("{queued:.2}"), figure(run.sent_per_second), format!("{sent:.2}")]);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    for Filled { late_ms, messages, first, listed, done, requests, .. } in [&filling.near, &filling.far, &filling.large] {
        println!("A back-fill of {messages} messages, answers {late_ms} ms late: the first mail after {first:.2} s, all of it after {listed:.2} s, its delta links after {done:.2} s; {requests} requests.");
    }
    if let (Some(small), Some(large)) = (filling.near.peak_kb, filling.large.peak_kb) {
        println!("Memory at the most: {:.1} MB for {} messages, {:.1} MB for {}.", small as f64 / 1024.0, filling.near.messages, large as f64 / 1024.0, filling.large.messages);
    }
    println!("A sync with nothing new, of {} folders: {:.1} requests, {:.2} ms of processor time.", filling.quiet.folders, filling.quiet.requests, filling.quiet.cpu_ms.unwrap_or(f64::NAN));
    of_campaign(campaign);
    let Storm { posts, mailboxes, seconds, p50_ms, p99_ms, most_ms, unanswered, syncs } = storm;
    println!("{posts} posts of notifications over {mailboxes} mailboxes: {seconds:.1} s; half of them were answered within {p50_ms:.2} ms, 99 % within {p99_ms:.2} ms, the slowest after {most_ms:.1}; not taken: {unanswered}; syncs: {syncs}.");
    by_stage(engine);
    println!("plain: a loop that downloads, parses and inserts in clear; for AES-256-GCM: aws-lc-rs. Sync: middle of {} runs, {messages} messages.", engine.len());
    // Said, since it flatters: what both pay draws the ratio towards 1.
    println!("The simulator runs on the same machine; its own work is part of both rates.");
    if cfg!(debug_assertions) {
        println!("Built without optimisation: these figures mean little. Use `make bench`.");
    }

    let file = target().join("bench.json");
    let report = json!({
        "messages": messages,
        "profile": if cfg!(debug_assertions) { "dev" } else { "optimised" },
        "sync": {
            "engine": { "messages_per_second": ours.rate, "cpu_seconds": ours.cpu, "peak_mb": ours.peak_mb, "disk_mb": ours.disk_mb, "runs": engine, "seconds_by_stage": engine.first().map(|run| &run.stages) },
            "plain": { "messages_per_second": theirs.rate, "cpu_seconds": theirs.cpu, "peak_mb": theirs.peak_mb, "disk_mb": theirs.disk_mb, "runs": plain },
            "ratio": ours.rate / theirs.rate,
        },
        "backfill": filling,
        "sends": sends,
        "campaign": campaign,
        "storm": storm,
        "aes_256_gcm_mb_per_second": ciphers,
    });
    std::fs::write(&file, serde_json::to_string_pretty(&report)?)?;
    println!("Written to {}", file.display());
    Ok(())
}

fn of_campaign(campaign: &Campaign) {
    let Campaign { mails, chats, mails_seconds, seconds, best_seconds, refused, accusations, alone_ms, during_ms, beside_mails, request_ms } = campaign;
    let alone = middle(alone_ms.iter().copied());
    println!("{mails} mails and {chats} chat messages of {} mailboxes: {seconds:.1} s (the mails {mails_seconds:.1} s); the limits allow {best_seconds:.1} s; ratio {:.3}.", limits::MAILBOXES, seconds / best_seconds);
    println!("Refused with 429: {refused}. Accusations: {}.", accusations.len());
    accusations.iter().take(10).for_each(|one| println!("  {one}"));
    let (first, rest) = during_ms.split_at((*beside_mails).min(during_ms.len()));
    for (when, some) in [("while its mails leave", first), ("while its chat messages leave", rest)] {
        let most = some.iter().copied().fold(0.0, f64::max);
        let later = |ms: f64| (ms - alone) / request_ms;
        let usual = middle(some.iter().copied());
        println!("A mail that somebody waits for, {when} ({} mails): {usual:.0} ms, at most {most:.0}; alone {alone:.0}. In request times: {:.2} later, at most {:.2}.", some.len(), later(usual), later(most));
    }
}

/// Where the engine's time goes: the middle of its runs, stage by stage.
fn by_stage(engine: &[Measured]) {
    let Some(first) = engine.first().filter(|run| !run.stages.is_empty()) else { return };
    let seconds = |at: usize| middle(engine.iter().filter_map(|run| run.stages.get(at)).map(|(_, seconds)| *seconds));
    let waited = |name: &str| name.contains("waiting");
    let all: f64 = first.stages.iter().enumerate().filter(|(_, (name, _))| !waited(name)).map(|(at, _)| seconds(at)).sum();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["sync, by stage", "seconds", "of the work"]);
    for (at, (name, _)) in first.stages.iter().enumerate() {
        let share = if waited(name) { String::new() } else { format!("{:.0} %", 100.0 * seconds(at) / all) };
        table.add_row([name.clone(), format!("{:.3}", seconds(at)), share]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}

struct Middle {
    rate: f64,
    cpu: f64,
    peak_mb: f64,
    disk_mb: f64,
}

impl Middle {
    fn of(messages: u32, runs: &[Measured]) -> Self {
        Self {
            rate: f64::from(messages) / middle(runs.iter().map(|run| run.seconds)),
            cpu: middle(runs.iter().map(|run| run.cpu_seconds.unwrap_or(f64::NAN))),
            peak_mb: middle(runs.iter().map(|run| run.peak_kb.map_or(f64::NAN, |kb| kb as f64 / 1024.0))),
            disk_mb: middle(runs.iter().map(|run| run.disk_kb as f64 / 1024.0)),
        }
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn figure(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// The program lies in `target/PROFILE`; the report belongs beside the profiles.
fn target() -> PathBuf {
    let program = std::env::current_exe().ok();
    program.as_deref().and_then(|path| path.parent()?.parent()).map_or_else(|| "target".into(), PathBuf::from)
}
