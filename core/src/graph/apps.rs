//! Apps of Teams: found in the organisation's catalogue, installed for a team or a person, brought up to date, removed.
//! Source: Graph, teamsApp: list; team and userScopeTeamsAppInstallation: list, post, upgrade, delete, get chat.

use super::wire;
use super::{Caller, Graph, fault, literal, segment};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::json::lenient;
use crate::pipeline::{Response, Safety};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// How long an installation is looked for that Microsoft has accepted: its lists are late.
const LOOKS: [Duration; 4] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// The same of the chat of an installation that was made just now.
const CHAT_LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];
/// Of a request that Microsoft answers with 400 for a trouble of its own, which passes (microsoft-graph-docs, issue 20972).
const ODD_REFUSALS: usize = 2;
const PAUSE: Duration = Duration::from_secs(1);

/// Whose list of apps it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppPlace {
    Team(String),
    /// By object id.
    User(String),
    /// A group chat.
    Chat(String),
}

impl AppPlace {
    fn path(&self) -> Result<String> {
        Ok(match self {
            Self::Team(id) => format!("teams/{}/installedApps", segment(id)?),
            Self::Chat(id) => format!("chats/{}/installedApps", segment(id)?),
            Self::User(id) => format!("users/{}/teamwork/installedApps", segment(id)?),
        })
    }

    /// The least permission that installs the application's own app there: of a person's account, or of an organisation's.
    pub fn permission(&self, is_organisation: bool) -> &'static str {
        match (self, is_organisation) {
            (Self::Team(_), false) => "TeamsAppInstallation.ReadWriteSelfForTeam",
            (Self::Team(_), true) => "TeamsAppInstallation.ReadWriteSelfForTeam.All",
            (Self::User(_), false) => "TeamsAppInstallation.ReadWriteSelfForUser",
            (Self::User(_), true) => "TeamsAppInstallation.ReadWriteSelfForUser.All",
            (Self::Chat(_), false) => "TeamsAppInstallation.ReadWriteSelfForChat",
            (Self::Chat(_), true) => "TeamsAppInstallation.ReadWriteSelfForChat.All",
        }
    }

    fn unknown(&self) -> Error {
        let reason = match self {
            Self::Team(_) => "There is no such team.",
            Self::Chat(_) => "There is no such chat.",
            Self::User(_) => "There is no such person, or the person has no Teams.",
        };
        Error::new(ErrorKind::NotFound, reason)
    }
}

/// An app as it is installed somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledApp {
    pub id: String,
    /// Of the app's manifest.
    pub version: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnsuredApp {
    pub installed: InstalledApp,
    /// It was there before anything was asked.
    pub was_there: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireApp {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    distribution_method: Option<String>,
    #[serde(default, deserialize_with = "lenient::objects")]
    app_definitions: Vec<WireDefinition>,
}

impl WireApp {
    fn is(&self, method: &str) -> bool {
        self.distribution_method.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(method))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireInstallation {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::object")]
    teams_app: Option<WireApp>,
    #[serde(default, deserialize_with = "lenient::object")]
    teams_app_definition: Option<WireDefinition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDefinition {
    #[serde(default, deserialize_with = "lenient::scalar")]
    version: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    publishing_state: Option<String>,
}

#[derive(Deserialize)]
struct WireChat {
    #[serde(deserialize_with = "wire::id")]
    id: String,
}

impl Graph {
    /// The catalogue's id of the app whose manifest has this id: of the organisation's own apps, else of those in the store, whose id is the manifest's.
    /// None: there is none that can be installed by a program.
    pub async fn app_in_catalog(&self, caller: &Caller, external_id: &str) -> Result<Option<String>> {
        let own = self.apps_where(caller, "externalId", external_id).await?;
        let is_it = |app: &&WireApp| app.external_id.as_deref().is_none_or(|id| id.eq_ignore_ascii_case(external_id));
        // A side-loaded app belongs to whoever loaded it.
        let own = own.iter().filter(is_it).filter(|app| !app.is("sideloaded"));
        if let Some(app) = own.min_by_key(|app| !app.is("organization")) {
            return Ok(Some(app.id.clone()));
        }
        let of_store = self.apps_where(caller, "id", external_id).await?;
        Ok(of_store.into_iter().map(|app| app.id).find(|id| id.eq_ignore_ascii_case(external_id)))
    }

    async fn apps_where(&self, caller: &Caller, property: &str, value: &str) -> Result<Vec<WireApp>> {
        let filter = format!("{property} eq {}", literal(value));
        let url = self.url("appCatalogs/teamsApps", &[("$filter", &filter), ("$select", "id,externalId,distributionMethod")])?;
        Ok(self.list::<WireApp>(caller, url).await?.map(|list| list.items).unwrap_or_default())
    }

    /// None: the app is not installed there. Errors: NotFound for a place that is not there.
    pub async fn installed_app(&self, caller: &Caller, place: &AppPlace, app_id: &str) -> Result<Option<InstalledApp>> {
        let filter = format!("teamsApp/id eq {}", literal(app_id));
        let url = self.url(&place.path()?, &[("$expand", "teamsApp,teamsAppDefinition"), ("$filter", &filter)])?;
        let list = self.list::<WireInstallation>(caller, url).await.map_err(|e| explained(e, place))?.ok_or_else(|| place.unknown().on_account(&caller.account_id))?;
        // A server that does not filter answers with other apps as well.
        let is_it = |one: &WireInstallation| one.teams_app.as_ref().is_none_or(|app| app.id.eq_ignore_ascii_case(app_id));
        Ok(list.items.into_iter().find(is_it).map(|one| InstalledApp { id: one.id, version: one.teams_app_definition.and_then(|definition| definition.version) }))
    }

    /// Installs the app unless it is installed: done twice, it is the same. Errors: NotFound (the place, or the app), Forbidden (a permission or a policy), Upstream
    /// (accepted, but not to be seen yet: asking again finds it).
    pub async fn ensure_app(&self, caller: &Caller, place: &AppPlace, app_id: &str) -> Result<EnsuredApp> {
        if let Some(installed) = self.installed_app(caller, place, app_id).await? {
            return Ok(EnsuredApp { installed, was_there: true });
        }
        self.install_app(caller, place, app_id).await?;
        for pause in LOOKS {
            if !pause.is_zero() {
                self.pipeline.clock().pause(pause).await;
            }
            if let Some(installed) = self.installed_app(caller, place, app_id).await? {
                return Ok(EnsuredApp { installed, was_there: false });
            }
        }
        let reason = "Microsoft has accepted the installation of the app, but does not show it yet. Ask again in a minute: it is not installed twice.";
        Err(Error::new(ErrorKind::Upstream, reason).on_account(&caller.account_id))
    }

    /// That it is there already (409) is no failure: another process may have been quicker, or an answer of ours was lost.
    async fn install_app(&self, caller: &Caller, place: &AppPlace, app_id: &str) -> Result<()> {
        let url = self.url(&place.path()?, &[])?;
        let app = format!("{}appCatalogs/teamsApps/{}", self.root, segment(app_id)?);
        let body = json!({ "teamsApp@odata.bind": app }).to_string().into_bytes();
        let mut refusals = 0;
        loop {
            let response = self.pipeline.send(self.write(caller, Method::POST, url.clone(), body.clone(), Safety::Repeatable)).await?;
            match response.status {
                StatusCode::CONFLICT => return Ok(()),
                status if status.is_success() => return Ok(()),
                StatusCode::BAD_REQUEST if refusals < ODD_REFUSALS => {
                    refusals += 1;
                    self.pipeline.clock().pause(PAUSE).await;
                }
                _ => return Err(refused(&response, caller, place)),
            }
        }
    }

    /// Brings an installation to the newest version in the catalogue; where it has that one, nothing happens.
    pub async fn upgrade_app(&self, caller: &Caller, place: &AppPlace, app_id: &str, installed: &InstalledApp) -> Result<()> {
        let url = self.url(&format!("{}/{}/upgrade", place.path()?, segment(&installed.id)?), &[])?;
        let request = self.write(caller, Method::POST, url, Vec::new(), Safety::Repeatable).header(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let response = self.pipeline.send(request).await?;
        match response.status {
            StatusCode::CONFLICT => Ok(()),
            status if status.is_success() => Ok(()),
            // Also said of an app that has nothing newer, which is no failure.
            StatusCode::BAD_REQUEST if installed.version.is_some() && self.newest_version(caller, app_id).await? == installed.version => Ok(()),
            _ => Err(refused(&response, caller, place)),
        }
    }

    /// Of those in the catalogue that may be installed. None: Microsoft does not tell.
    async fn newest_version(&self, caller: &Caller, app_id: &str) -> Result<Option<String>> {
        let filter = format!("id eq {}", literal(app_id));
        let url = self.url("appCatalogs/teamsApps", &[("$filter", &filter), ("$expand", "appDefinitions")])?;
        let apps = self.list::<WireApp>(caller, url).await?.map(|list| list.items).unwrap_or_default();
        let app = apps.into_iter().find(|app| app.id.eq_ignore_ascii_case(app_id));
        let is_published = |one: &WireDefinition| one.publishing_state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("published"));
        let versions = app.into_iter().flat_map(|app| app.app_definitions).filter(is_published).filter_map(|one| one.version);
        Ok(versions.max_by_key(|version| version.split('.').map(|part| part.parse::<u64>().unwrap_or_default()).collect::<Vec<_>>()))
    }

    /// One that is gone already is no failure.
    pub async fn uninstall_app(&self, caller: &Caller, place: &AppPlace, installation_id: &str) -> Result<()> {
        let url = self.url(&format!("{}/{}", place.path()?, segment(installation_id)?), &[])?;
        let response = self.pipeline.send(self.write(caller, Method::DELETE, url, Vec::new(), Safety::Repeatable)).await?;
        match response.status {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(refused(&response, caller, place)),
        }
    }

    /// The person's own chat with the app's bot. None: there is none, or none yet. `is_new`: the installation was made just now, and its chat may come a little later.
    pub async fn app_chat(&self, caller: &Caller, user_id: &str, installation_id: &str, is_new: bool) -> Result<Option<String>> {
        let place = AppPlace::User(user_id.to_owned());
        let url = self.url(&format!("{}/{}/chat", place.path()?, segment(installation_id)?), &[])?;
        for pause in CHAT_LOOKS.into_iter().take(if is_new { CHAT_LOOKS.len() } else { 1 }) {
            if !pause.is_zero() {
                self.pipeline.clock().pause(pause).await;
            }
            let Some(response) = self.look(self.get(caller, url.clone())).await.map_err(|e| explained(e, &place))? else { continue };
            let chat = wire::read::<WireChat>(&response.body)?;
            return if response.repeats(&chat.id) { Err(wire::repeating()) } else { Ok(Some(chat.id)) };
        }
        Ok(None)
    }
}

/// A refusal in words of its own, for Graph's say nothing of apps.
fn refused(response: &Response, caller: &Caller, place: &AppPlace) -> Error {
    let error = fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id);
    match error.kind() {
        ErrorKind::NotFound => error.with_reason(format!("{} Or the app is in the catalogue no longer.", place.unknown().reason())),
        _ => explained(error, place),
    }
}

fn explained(error: Error, place: &AppPlace) -> Error {
    if error.kind() != ErrorKind::Forbidden {
        return error;
    }
    let reason = format!(
        "Microsoft does not let this account manage the app there: a policy of the organisation blocks the app or programs that install it, the person has no licence for Teams, the app does not name this application as its client_id, or {} ({} for an organisation's account) was not granted. Ask an administrator.",
        place.permission(false),
        place.permission(true),
    );
    error.with_reason(reason).with_remedy(Remedy::Admin)
}
