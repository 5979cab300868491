//! Where it happens: real Microsoft 365 when `TIDINGS_CLIENT_ID` is set, else a simulator in this process.

use super::Outcome;
use m365_sim::{Options, Simulator};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tidings::{Cloud, Config, RootKey};
use tidings_examples::control::Control;

/// Mails waiting in the simulated inbox.
const WAITING: [(&str, u32); 3] = [("Application, platform engineer", 240), ("Reference for Jo", 60), ("Weekly figures", 100)];

pub struct Place {
    config: Config,
    root_key: Arc<RootKey>,
    to: Option<Recipients>,
    channel: Option<(String, String)>,
    simulated: Option<(Simulator, Control)>,
    /// Removed at the end.
    _folder: Option<TempDir>,
}

/// Who gets the Teams message, and who the mail.
pub struct Recipients {
    pub chat: String,
    pub mail: String,
}

impl Place {
    pub async fn find() -> Outcome<Self> {
        match setting("TIDINGS_CLIENT_ID") {
            Some(client_id) => Self::real(client_id),
            None => Self::simulated().await,
        }
    }

    fn real(client_id: String) -> Outcome<Self> {
        let (folder, data, root_key) = store()?;
        let mut config = Config::new(data, client_id);
        if let (Some(login), Some(graph)) = (setting("TIDINGS_LOGIN"), setting("TIDINGS_GRAPH")) {
            config.cloud = Cloud::custom(login, graph);
        }
        config.tenant = setting("TIDINGS_TENANT").unwrap_or(config.tenant);
        config.folders = setting("TIDINGS_FOLDERS").map(|names| names.split(',').map(|name| name.trim().to_owned()).collect()).unwrap_or_default();
        let to = setting("TIDINGS_TO").map(|to| Recipients { chat: to.clone(), mail: to });
        let channel = setting("TIDINGS_CHANNEL").and_then(|names| names.split_once('/').map(|(team, channel)| (team.trim().to_owned(), channel.trim().to_owned())));
        Ok(Self { config, root_key, to, channel, simulated: None, _folder: folder })
    }

    async fn simulated() -> Outcome<Self> {
        let simulator = Simulator::start(Options { auto_approve: Some("adele@contoso.com".into()), ..Options::default() }).await?;
        let control = Control::new(simulator.control());
        for (subject, count) in WAITING {
            let many = json!({ "mailbox": "adele@contoso.com", "subject": subject, "count": count, "size": 3000 });
            control.post("mail/many", many).await?;
        }
        control.post("teams", json!({ "name": "Hiring", "members": ["adele@contoso.com", "alex@contoso.com"], "channels": [{ "name": "Candidates" }] })).await?;
        // A store of a simulator would be of no use at the next start, so TIDINGS_DATA is for real accounts only.
        let folder = tempfile::tempdir()?;
        let mut config = Config::new(folder.path().join("store").to_string_lossy(), simulator.client_id());
        config.cloud = Cloud::custom(simulator.login(), simulator.graph());
        let root_key = Arc::new(RootKey::raw(tidings::generate_root_key()?)?);
        let to = Some(Recipients { chat: "alex@contoso.com".into(), mail: "megan@contoso.com".into() });
        let channel = Some(("Hiring".into(), "Candidates".into()));
        Ok(Self { config, root_key, to, channel, simulated: Some((simulator, control)), _folder: Some(folder) })
    }

    pub fn config(&self) -> Config {
        self.config.clone()
    }

    pub fn root_key(&self) -> Arc<RootKey> {
        self.root_key.clone()
    }

    pub fn recipients(&self) -> Option<&Recipients> {
        self.to.as_ref()
    }

    /// Team and channel to post in, by name.
    pub fn channel(&self) -> Option<&(String, String)> {
        self.channel.as_ref()
    }

    /// The simulator, which signs people in without asking.
    pub fn browser(&self) -> Option<&Control> {
        self.simulated.as_ref().map(|(_, control)| control)
    }

    pub fn greeting(&self) -> String {
        match &self.simulated {
            Some(_) => "Tidings against a simulated Microsoft 365 in this process. Set TIDINGS_CLIENT_ID to use the real one.".into(),
            None => "Tidings against Microsoft 365.".into(),
        }
    }

    pub fn farewell(&self) -> String {
        match (&self.simulated, setting("TIDINGS_DATA")) {
            (Some(_), _) => "Nothing left this machine. README.md shows the same in Python, Node and Kotlin.".into(),
            (None, Some(data)) => format!("The store is kept in {data}, its root key in {}. Keep both from others.", key_file(&data).display()),
            (None, None) => "The store was temporary: it is removed with its tokens. Set TIDINGS_DATA to keep one.".into(),
        }
    }
}

/// The folder of the store and the key that opens it: kept when `TIDINGS_DATA` names one, temporary otherwise.
fn store() -> Outcome<(Option<TempDir>, String, Arc<RootKey>)> {
    let Some(data) = setting("TIDINGS_DATA") else {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("store").to_string_lossy().into_owned();
        return Ok((Some(folder), data, Arc::new(RootKey::raw(tidings::generate_root_key()?)?)));
    };
    let key = tidings::load_or_create_key(key_file(&data))?;
    Ok((None, data, key))
}

fn key_file(data: &str) -> PathBuf {
    PathBuf::from(format!("{}.key", data.trim_end_matches('/')))
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
