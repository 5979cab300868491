//! A file larger than a request: made durable piece by piece before any draft names it, then brought into the mailbox range by range.

use super::Outcome;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;
use tidings::{Account, Engine, Event, EventStream, FileAttachment, Receipt, SendState};

/// A little more than fits into one request.
const SIZE: usize = 3_300_000;
/// Bytes handed over at a time.
const PIECE: usize = 1 << 20;

/// A report as a PDF of one empty page; the rest of it is a comment.
fn report() -> Vec<u8> {
    let objects = "1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>> endobj\n";
    let end = "trailer <</Root 1 0 R/Size 4>>\n%%EOF\n";
    let mut pdf = format!("%PDF-1.7\n{objects}%").into_bytes();
    pdf.resize(SIZE - end.len() - 1, b'.');
    pdf.push(b'\n');
    pdf.extend_from_slice(end.as_bytes());
    pdf
}

pub async fn stage(engine: &Engine, account: &Account) -> Outcome<FileAttachment> {
    let report = report();
    let writer = engine.stage_attachment(account.id.clone(), "report.pdf".into(), "application/pdf".into(), Some(report.len() as u64), None).await?;
    for piece in report.chunks(PIECE) {
        writer.write(piece.to_vec()).await?;
    }
    Ok(writer.finish().await?)
}

/// Shows how far the upload is, until the mail has left.
pub async fn while_uploading(engine: &Engine, send: impl Future<Output = tidings::Result<Receipt>>) -> tidings::Result<Receipt> {
    let bar = bar();
    let watching = tokio::spawn(watch(engine.events(None), bar.clone()));
    let outcome = send.await;
    watching.abort();
    if outcome.as_ref().is_ok_and(|receipt| receipt.state == SendState::Sent) {
        bar.set_position(SIZE as u64); // an event of the last bytes may not have been read
    }
    bar.abandon(); // the bar stays
    outcome
}

async fn watch(events: Arc<EventStream>, bar: ProgressBar) {
    while let Ok(Some(event)) = events.next().await {
        if let Event::UploadProgress { sent, total, .. } = event {
            bar.set_length(total);
            bar.set_position(sent);
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("Uploading {bar:40} {bytes}/{total_bytes}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(SIZE as u64).with_style(style)
}
