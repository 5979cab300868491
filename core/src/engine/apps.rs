//! Verbs that install Teams apps for teams and people.

use super::usable::missing;
use super::{Engine, Inner};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::graph::{AppPlace, Caller, InstalledApp};
use crate::endpoints::{check_context, check_subscriber};
use crate::model::{AccountKind, AppInstall, EndpointRequest, EndpointTarget, InstallRequest, SubscriberLink};
use crate::outbox::{check_address, check_id};
use crate::pipeline::Priority;
use crate::roster::team_thread;
use crate::store::AccountRow;
use std::time::Duration;

/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(10);
const READS_CATALOG: &str = "AppCatalog.Read.All";
const READS_PEOPLE: &str = "User.ReadBasic.All";

impl Engine {
    /// Installs an app of the organisation's catalogue, or of the store, for a team or a person; that it is installed already is success, whatever its version.
    /// The account needs `AppCatalog.Read.All`, and `TeamsAppInstallation.ReadWriteSelfForTeam` or `TeamsAppInstallation.ReadWriteSelfForUser` (an organisation's
    /// account those that end in `.All`), or a larger one: the Self permissions install the app that names the account's application as its `client_id`. A
    /// person named by address is looked up, which needs `User.ReadBasic.All`. Runs to its end when the caller stops waiting; the same call
    /// again does no harm. Errors: InvalidInput; NotFound (the account, the app, the team or the person); NotConnected, NeedsReconnect; ConsentMissing, which
    /// names the permission; Forbidden (a policy of the organisation, or an account of another kind); Throttled, Network; Upstream (accepted, but not to be seen yet).
    /// Source: Graph, team: add app, userTeamwork: install app.
    pub async fn install_app(&self, request: InstallRequest) -> Result<AppInstall> {
        self.finish(|inner| async move { inner.install_app(request).await }).await
    }

    /// The app as it is installed there; None: it is not. Permissions and errors: as `install_app`.
    pub async fn installed_app(&self, request: InstallRequest) -> Result<Option<AppInstall>> {
        self.finish(|inner| async move { inner.installed_app(request).await }).await
    }

    /// Brings the app that is installed there to the catalogue's newest version, and tells that one. Permissions and errors: as `install_app`; NotFound also
    /// where it is not installed. Source: Graph, teamsAppInstallation: upgrade.
    pub async fn upgrade_app(&self, request: InstallRequest) -> Result<AppInstall> {
        self.finish(|inner| async move { inner.upgrade_app(request).await }).await
    }

    /// Removes the app there; that it is not installed is success. The bot can write there no longer. Permissions and errors: as `install_app`.
    /// Source: Graph, team: remove app, userTeamwork: uninstall app.
    pub async fn uninstall_app(&self, request: InstallRequest) -> Result<()> {
        self.finish(|inner| async move { inner.uninstall_app(request).await }).await
    }
}

/// Errors: InvalidInput.
fn check_endpoint(link: &SubscriberLink) -> Result<()> {
    if !link.account_id.is_empty() {
        return Err(Error::invalid("endpoint.account_id is that of the installation. Leave it empty."));
    }
    check_subscriber(&link.subscriber)?;
    link.context.as_deref().map_or(Ok(()), check_context)
}

/// An app in a place, both known to Microsoft, and who asks.
struct Target {
    row: AccountRow,
    caller: Caller,
    place: AppPlace,
    app_id: String,
}

impl Inner {
    async fn install_app(&self, request: InstallRequest) -> Result<AppInstall> {
        request.endpoint.as_ref().map_or(Ok(()), check_endpoint)?;
        let target = self.app_target(&request).await?;
        if request.endpoint.is_some() {
            self.usable_by_bot(&target.row.id).await?;
        }
        let made = self.reader.graph.ensure_app(&target.caller, &target.place, &target.app_id).await.map_err(|e| target.refused(e))?;
        tracing::info!(target: "tidings::engine", account = target.row.id, app = target.app_id, was_there = made.was_there, "app installed");
        let described = self.described(&target, made.installed, made.was_there).await?;
        if let Some(link) = request.endpoint {
            self.add_endpoint_at(&target, link).await?;
        }
        Ok(described)
    }

    /// The endpoint that was asked for with an installation.
    async fn add_endpoint_at(&self, target: &Target, link: SubscriberLink) -> Result<()> {
        let place = match &target.place {
            AppPlace::User(user_id) => EndpointTarget::TeamsUser { user: user_id.clone() },
            AppPlace::Team(team_id) => EndpointTarget::TeamsChannel { team_id: team_id.clone(), channel_id: team_thread(&self.reader.graph, &target.caller, team_id).await? },
            AppPlace::Chat(_) => return Err(Error::invalid("An installation in a chat has no endpoint. Leave endpoint out.")),
        };
        let request = EndpointRequest { subscriber: link.subscriber, context: link.context, account_id: target.row.id.clone(), target: place, owner: None };
        self.add_endpoint(request).await.map(drop)
    }

    async fn installed_app(&self, request: InstallRequest) -> Result<Option<AppInstall>> {
        let target = self.app_target(&request).await?;
        match self.look_for_app(&target).await? {
            Some(installed) => self.described(&target, installed, true).await.map(Some),
            None => Ok(None),
        }
    }

    async fn upgrade_app(&self, request: InstallRequest) -> Result<AppInstall> {
        let target = self.app_target(&request).await?;
        let none = || Error::new(ErrorKind::NotFound, "The app is not installed there. Use install_app.").on_account(&target.row.id);
        let installed = self.look_for_app(&target).await?.ok_or_else(none)?;
        self.reader.graph.upgrade_app(&target.caller, &target.place, &target.app_id, &installed).await.map_err(|e| target.refused(e))?;
        // Its id may be another one now.
        let upgraded = self.look_for_app(&target).await?.ok_or_else(none)?;
        self.described(&target, upgraded, true).await
    }

    async fn uninstall_app(&self, request: InstallRequest) -> Result<()> {
        let target = self.app_target(&request).await?;
        let Some(installed) = self.look_for_app(&target).await? else { return Ok(()) };
        self.reader.graph.uninstall_app(&target.caller, &target.place, &installed.id).await.map_err(|e| target.refused(e))?;
        tracing::info!(target: "tidings::engine", account = target.row.id, app = target.app_id, "app removed");
        Ok(())
    }

    async fn look_for_app(&self, target: &Target) -> Result<Option<InstalledApp>> {
        self.reader.graph.installed_app(&target.caller, &target.place, &target.app_id).await.map_err(|e| target.refused(e))
    }

    async fn described(&self, target: &Target, installed: InstalledApp, was_there: bool) -> Result<AppInstall> {
        let chat_id = match &target.place {
            AppPlace::Team(_) | AppPlace::Chat(_) => None,
            AppPlace::User(user_id) => self.reader.graph.app_chat(&target.caller, user_id, &installed.id, !was_there).await.map_err(|e| target.refused(e))?,
        };
        Ok(AppInstall { installation_id: installed.id, app_id: target.app_id.clone(), chat_id, was_there, version: installed.version })
    }

    async fn app_target(&self, request: &InstallRequest) -> Result<Target> {
        check_id("external_id", &request.external_id)?;
        match (&request.team_id, &request.user) {
            (Some(team_id), None) => check_id("team_id", team_id)?,
            (None, Some(user)) if user.contains('@') => check_address("user", user)?,
            (None, Some(user)) => check_id("user", user)?,
            _ => return Err(Error::invalid("Give either team_id or user: an app is installed for one team, or for one person.")),
        }
        self.owned(&request.account_id, request.owner.as_deref()).await?;
        let row = self.connected(&request.account_id).await?;
        check_kind(&row)?;
        let caller = Caller::of(&row, Priority::Interactive, PATIENCE);
        let place = match (&request.team_id, &request.user) {
            (Some(team_id), _) => AppPlace::Team(team_id.clone()),
            (None, user) => AppPlace::User(self.app_user(&row, &caller, user.as_deref().unwrap_or_default()).await?),
        };
        let found = self.reader.graph.app_in_catalog(&caller, &request.external_id).await.map_err(|e| missing(&row, e, READS_CATALOG))?;
        let none = || {
            let reason = "The organisation's catalogue has no app with this external_id that a program can install. Upload its package there (Teams admin centre, Manage apps), have it published, and pass the id of its manifest.";
            Error::new(ErrorKind::NotFound, reason).with_remedy(Remedy::Admin).on_account(&row.id)
        };
        let app_id = found.ok_or_else(none)?;
        Ok(Target { row, caller, place, app_id })
    }

    /// Object id of a person. Whoever the account is needs no permission to be found.
    async fn app_user(&self, row: &AccountRow, caller: &Caller, user: &str) -> Result<String> {
        if !user.contains('@') {
            return Ok(user.to_owned());
        }
        if row.kind == AccountKind::Person && self.auth.account(&row.id).await?.address.eq_ignore_ascii_case(user) {
            return Ok(row.user_id.clone());
        }
        let found = self.reader.graph.find_person(caller, user).await.map_err(|e| missing(row, e, READS_PEOPLE))?;
        let none = || Error::new(ErrorKind::NotFound, "There is nobody in the organisation with this address.").on_account(&row.id);
        found.map(|person| person.id).ok_or_else(none)
    }
}

impl Target {
    fn refused(&self, error: Error) -> Error {
        missing(&self.row, error, self.place.permission(self.row.kind == AccountKind::Tenant))
    }
}

fn check_kind(row: &AccountRow) -> Result<()> {
    let words = match row.kind {
        AccountKind::Tenant => return Ok(()),
        AccountKind::Person if !crate::config::is_personal(&row.tenant_id) => return Ok(()),
        AccountKind::Person => "A personal Microsoft account has no Teams of an organisation. Use an account of the organisation.",
        AccountKind::SharedMailbox => "A shared mailbox has mail and nothing else. Use the account of a person or of the organisation (connect_tenant).",
        AccountKind::Link => "This account only tells who somebody is. Use the account of a person or of the organisation (connect_tenant).",
    };
    Err(Error::new(ErrorKind::Forbidden, words).with_remedy(Remedy::Developer).on_account(&row.id))
}
