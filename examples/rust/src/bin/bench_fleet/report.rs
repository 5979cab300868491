//! The closing table, each figure beside its goal, and `target/bench-fleet.json`.

use super::{Measured, Outcome};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use std::path::PathBuf;

const MOST_THREADS: f64 = 40.0;
const MOST_HANDLES: f64 = 100.0;
/// Memory, in KB: for the engine, and for each account besides.
const MEMORY_KB: f64 = 40.0 * 1024.0;
const MEMORY_KB_EACH: f64 = 4.0;

struct Row {
    name: &'static str,
    value: Option<f64>,
    goal: Option<f64>,
    unit: &'static str,
}

impl Row {
    fn is_missed(&self) -> bool {
        self.value.zip(self.goal).is_some_and(|(value, goal)| value > goal)
    }
}

pub fn print(measured: &Measured) -> Outcome<()> {
    let rows = rows(measured);
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["", "measured", "goal", ""]);
    for row in &rows {
        let goal = row.goal.map(|goal| format!("≤ {} {}", figure(goal), row.unit)).unwrap_or_default();
        let value = row.value.map_or_else(|| "not known here".to_owned(), |value| format!("{} {}", figure(value), row.unit));
        table.add_row([row.name, value.trim_end(), goal.trim_end(), if row.is_missed() { "MISSED" } else { "" }]);
    }
    for column in table.column_iter_mut().skip(1).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    for (kind, count) in &measured.day.failed {
        println!("{count} syncs failed, {kind}");
    }
    println!("The simulator's ledger has {} accusations.", measured.accusations.len());
    for accusation in measured.accusations.iter().take(5) {
        println!("  {accusation}");
    }
    let missed: Vec<&str> = rows.iter().filter(|row| row.is_missed()).map(|row| row.name).collect();
    println!("{}", if missed.is_empty() { "Every goal is met.".to_owned() } else { format!("Missed: {}.", missed.join("; ")) });
    if cfg!(debug_assertions) {
        println!("Built without optimisation: these figures mean little. Use `make bench-fleet`.");
    }
    let file = target().join("bench-fleet.json");
    let figures: Vec<_> = rows.iter().map(|row| json!({ "name": row.name, "value": row.value, "goal": row.goal, "unit": row.unit })).collect();
    let report = json!({
        "accounts": measured.accounts, "profile": if cfg!(debug_assertions) { "dev" } else { "optimised" }, "figures": figures,
        "before": measured.before, "failed_syncs": measured.day.failed, "accusations": measured.accusations.len(), "metrics": measured.metrics,
    });
    std::fs::write(&file, serde_json::to_string_pretty(&report)?)?;
    println!("Written to {}", file.display());
    Ok(())
}

fn rows(measured: &Measured) -> Vec<Row> {
    let Measured { accounts, before, empty, connected, ended, peak, day, metrics, .. } = measured;
    let number = |n: u64| Some(n as f64);
    let mb = |kb: Option<u64>| kb.map(|kb| kb as f64 / 1024.0);
    let thousands = f64::from(*accounts) / 1000.0;
    let memory = (MEMORY_KB + MEMORY_KB_EACH * f64::from(*accounts)) / 1024.0;
    let row = |name, value, unit| Row { name, value, goal: None, unit };
    let most = |name, value, goal, unit| Row { name, value, goal: Some(goal), unit };
    let mut waits: Vec<f64> = day.waits.iter().map(std::time::Duration::as_secs_f64).collect();
    waits.sort_by(f64::total_cmp);
    vec![
        row("accounts", Some(f64::from(*accounts)), ""),
        most("threads, at the most", peak.threads.map(|n| n as f64), MOST_THREADS, ""),
        most("file handles of the engine, at the most", peak.handles.zip(before.handles).map(|(peak, before)| peak.saturating_sub(before) as f64), MOST_HANDLES, ""),
        row("file handles of this program besides", before.handles.map(|n| n as f64), ""),
        row("memory without accounts", mb(empty.memory_kb), "MB"),
        most("memory with all accounts connected", mb(connected.memory_kb), memory, "MB"),
        most("memory after the day", mb(ended.memory_kb), memory, "MB"),
        row("memory during the day, at the most", mb(peak.memory_kb), "MB"),
        row("an idle account after the day", ended.memory_kb.zip(empty.memory_kb).map(|(ended, empty)| ended.saturating_sub(empty) as f64 / f64::from(*accounts)), "KB"),
        row("syncs", Some(f64::from(day.syncs)), ""),
        row("messages synced", number(metrics.messages_stored), ""),
        row("mails sent in bulk", Some(f64::from(day.bulk)), ""),
        row("mails that somebody waited for", Some(day.waits.len() as f64), ""),
        row("tokens renewed", number(metrics.tokens_renewed), ""),
        row("requests", number(metrics.requests), ""),
        row("of these, throttled", number(metrics.throttled), ""),
        row("processor time of an idle hour without accounts", measured.quiet_empty, "s"),
        row("processor time per 1,000 idle accounts and hour", measured.quiet_full.map(|all| all / thousands), "s"),
        row("longest wait of an interactive send", waits.last().copied(), "s"),
        row("middle wait of an interactive send", waits.get(waits.len() / 2).copied(), "s"),
        row("connecting, real time", Some(measured.connect_seconds), "s"),
        row("the day, real time", Some(measured.day_seconds), "s"),
    ]
}

fn figure(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value < 1.0 {
        format!("{value:.3}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// The program lies in `target/PROFILE`; the report belongs beside the profiles.
fn target() -> PathBuf {
    let program = std::env::current_exe().ok();
    program.as_deref().and_then(|path| path.parent()?.parent()).map_or_else(|| "target".into(), PathBuf::from)
}
