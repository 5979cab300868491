//! The closing table.

use super::sending::Sent;
use super::syncing::Filled;
use comfy_table::{ContentArrangement, Table, presets};
use std::time::Duration;
use tidings::{Account, Message, Receipt, SendState, SyncReport};
use tidings_examples::word;

pub struct Findings {
    pub account: Account,
    pub sent: Sent,
    pub filled: Filled,
    pub marked: Option<Message>,
    pub arrived: Option<Message>,
    pub report: SyncReport,
    pub time: Duration,
}

pub fn print(found: &Findings) {
    let Findings { account, sent, filled, marked, arrived, report, time } = found;
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    // Some terminals say that they have no width at all; folding a table into that makes it unreadable.
    if table.width().is_some_and(|width| width >= 60) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let rate = f64::from(filled.backfill.done) / filled.time.as_secs_f64().max(0.001);
    let rows = [
        ("Account", format!("{} <{}>, {}", account.display_name, account.address, word(account.state))),
        ("Teams message", outcome(sent.chat.as_ref())),
        ("Channel post", outcome(sent.post.as_ref())),
        ("Mail", outcome(sent.mail.as_ref())),
        ("Mail of a year", format!("{} messages{}", filled.backfill.done, aside(report))),
        ("Rate", format!("{rate:.0} per second")),
        ("Marked as read", marked.as_ref().map_or_else(|| "no mail to mark".into(), |message| message.subject.clone())),
        ("Arrived by push", arrived.as_ref().map_or_else(|| "skipped".into(), |message| format!("{}, linked to {}", message.subject, message.links.join(", ")))),
        ("Sync after that", format!("{} new, {} changed", report.added, report.changed)),
        ("Time", format!("{:.1} s", time.as_secs_f64())),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    println!("{table}");
}

fn outcome(sent: Option<&(String, Receipt)>) -> String {
    match sent {
        None => "skipped".into(),
        Some((to, receipt)) if receipt.state == SendState::Sent => format!("sent to {to}"),
        Some((to, receipt)) => format!("{} (to {to}). {}", word(receipt.state), receipt.reason.as_deref().unwrap_or("It is tried again when the store is opened the next time.")),
    }
}

/// What a count of new messages alone would hide.
fn aside(report: &SyncReport) -> String {
    if report.quarantined == 0 { String::new() } else { format!(", {} unreadable ones set aside", report.quarantined) }
}
