//! A small Microsoft 365 with memory, for tests. README.md beside this crate is its manual.

mod actions;
mod apps;
mod batch;
mod bot;
mod calendar;
mod catalogue;
mod clock;
mod contacts;
mod control;
mod directory;
mod drive;
mod echo;
mod entra;
mod faults;
mod flows;
mod graph;
mod http;
mod ids;
mod lacks;
mod ledger;
mod limits;
mod mail;
mod metadata;
mod odata;
mod outgoing;
mod people;
mod profile;
mod push;
mod query;
mod record;
mod routes;
mod schema;
mod secrets;
mod server;
mod slip;
mod spoil;
mod teams;
mod tls;
mod users;
mod world;

use clock::Clock;
use http::Host;
use record::Record;
use server::Shared;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use world::{Origins, World};

/// What is answered 501, as text.
pub fn lacks() -> String {
    lacks::section()
}

/// How a simulator starts; the default is free ports, the wall clock and an empty world.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `wall`, or an RFC 3339 time at which the clock stands.
    pub clock: Option<String>,
    pub seed: Option<u64>,
    /// Login here; Graph, stranger, control, the four TLS listeners, and the Bot Connector on the next ones.
    pub port: Option<u16>,
    /// Address and folder of `.eml` files.
    pub mail: Vec<(String, PathBuf)>,
    pub record: Option<PathBuf>,
    pub auto_approve: Option<String>,
}

/// The running servers; they stop when this is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    origins: Origins,
    tasks: Vec<JoinHandle<()>>,
}

impl Simulator {
    pub async fn start(options: Options) -> io::Result<Simulator> {
        std::thread::spawn(|| {
            entra::keys::warm_up();
            bot::warm_up();
        });
        let wrong = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let clock_text = options.clock.clone().unwrap_or_else(|| "wall".into());
        let clock = Clock::parse(&clock_text).ok_or_else(|| wrong(format!("no time: {clock_text}")))?;
        let mut listeners = Vec::new();
        for n in 0..9u16 {
            let port = options.port.map_or(0, |p| p.saturating_add(n));
            listeners.push(TcpListener::bind(("127.0.0.1", port)).await?);
        }
        let tls = tls::make()?;
        let mut at = Vec::new();
        for (n, listener) in listeners.iter().enumerate() {
            let scheme = if (4..8).contains(&n) { "https" } else { "http" };
            at.push(format!("{scheme}://{}", listener.local_addr()?));
        }
        let mut at = at.into_iter();
        let mut next = || at.next().unwrap_or_default();
        let origins = Origins {
            login: next(),
            graph: next(),
            stranger: next(),
            control: next(),
            tls: (next(), next()),
            tls12: (next(), next()),
            bot: next(),
            ca: tls.ca.clone(),
        };
        let file = match &options.record {
            Some(path) => {
                let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
                Some(Arc::new(Mutex::new(file)))
            }
            None => None,
        };
        let record = Record::into_file(file);
        let seed = options.seed.unwrap_or(1);
        let mut world = World::new(1, seed, clock, origins.clone(), record);
        if let Some(who) = &options.auto_approve {
            let person = world.people.find(who).ok_or_else(|| wrong(format!("no such person: {who}")))?;
            world.entra.auto_approve = Some(person);
        }
        for (who, folder) in &options.mail {
            mail::eml::load_path(&mut world, who, "inbox", folder).map_err(wrong)?;
        }
        let shared = Arc::new(Shared { world: Mutex::new(world), seed, clock: clock_text, auto_approve: options.auto_approve, held: tokio::sync::watch::Sender::new(false), posts: tokio::sync::Notify::new() });
        let (modern, old) = (Some(tls.modern), Some(tls.old));
        let hosts = [
            (Host::Login, None),
            (Host::Graph, None),
            (Host::Stranger, None),
            (Host::Control, None),
            (Host::Login, modern.clone()),
            (Host::Graph, modern),
            (Host::Login, old.clone()),
            (Host::Graph, old),
            (Host::Bot, None),
        ];
        let mut tasks = vec![tokio::spawn(push::outgoing::run(shared.clone()))];
        let listening = listeners
            .into_iter()
            .zip(hosts)
            .map(|(listener, (host, tls))| tokio::spawn(server::listen(listener, host, tls, shared.clone())));
        tasks.extend(listening);
        Ok(Simulator { shared, origins, tasks })
    }

    pub fn login(&self) -> &str {
        &self.origins.login
    }

    /// With the version: `http://…/v1.0`.
    pub fn graph(&self) -> String {
        format!("{}/v1.0", self.origins.graph)
    }

    pub fn stranger(&self) -> &str {
        &self.origins.stranger
    }

    /// The Bot Connector, without a region.
    pub fn bot(&self) -> &str {
        &self.origins.bot
    }

    pub fn control(&self) -> &str {
        &self.origins.control
    }

    /// The public app's.
    pub fn client_id(&self) -> &'static str {
        people::PUBLIC_APP
    }

    /// The line that the binary prints.
    pub fn line(&self) -> String {
        control::place(&self.shared.lock().origins).to_string()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
