//! The simulator as a program.

use clap::Parser;
use m365_sim::{Options, Simulator};
use std::path::PathBuf;
use tokio::io::AsyncReadExt;

/// A small Microsoft 365 with memory, for tests. Prints one JSON line with its addresses and runs until killed.
#[derive(Parser)]
#[command(name = "m365-sim", version)]
struct Arguments {
    /// A clock that stands still at this RFC 3339 time until it is moved
    #[arg(long, default_value = "wall")]
    clock: String,
    /// Load a folder of .eml files into a person's Inbox
    #[arg(long, value_name = "ADDRESS=DIR")]
    mail: Vec<String>,
    /// Write every exchange as JSON Lines
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Login here; Graph, stranger, control, the TLS listeners and the Bot Connector on the next eight; free ports without it
    #[arg(long)]
    port: Option<u16>,
    /// GET authorize signs this person in and redirects at once
    #[arg(long, value_name = "ADDRESS")]
    auto_approve: Option<String>,
    /// The same seed gives the same ids
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End when standard input is closed, so that the simulator does not outlive the one who started it
    #[arg(long)]
    with_parent: bool,
    /// Print what the simulator lacks of Microsoft's, and end
    #[arg(long)]
    lacks: bool,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    if arguments.lacks {
        print!("{}", m365_sim::lacks());
        return Ok(());
    }
    let mut mail = Vec::new();
    for pair in &arguments.mail {
        match pair.split_once('=') {
            Some((who, folder)) => mail.push((who.to_string(), PathBuf::from(folder))),
            None => {
                eprintln!("m365-sim: --mail takes ADDRESS=DIR, not {pair}");
                std::process::exit(2);
            }
        }
    }
    let simulator = Simulator::start(Options {
        clock: Some(arguments.clock),
        seed: Some(arguments.seed),
        port: arguments.port,
        mail,
        record: arguments.record,
        auto_approve: arguments.auto_approve,
    })
    .await?;
    println!("{}", simulator.line());
    if arguments.with_parent {
        let mut input = tokio::io::stdin();
        let mut buffer = [0u8; 256];
        while matches!(input.read(&mut buffer).await, Ok(n) if n > 0) {}
        // Dropping the runtime would wait for the thread that reads standard input.
        std::process::exit(0);
    }
    std::future::pending::<()>().await;
    Ok(())
}
