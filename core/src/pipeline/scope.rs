//! Whose limits a request counts against.

use http::Method;
use std::sync::Arc;

/// The parts of Graph that count limits of their own. Source: Graph, throttling limits by service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Mail, calendar, contacts.
    Outlook,
    /// Chats, teams, channels, their apps.
    Teams,
    /// Messages that are posted in chats and channels.
    TeamsMessages,
    /// People and organisations.
    Directory,
    /// OneDrive and SharePoint.
    Files,
    /// The Bot Connector: what a bot says in one organisation.
    Bots,
    /// Everything else: planner, tasks, reports and what is to come. What refuses there stops neither mail nor chats.
    Other,
}

impl Service {
    pub const ALL: [Self; 7] = [Self::Outlook, Self::Teams, Self::TeamsMessages, Self::Directory, Self::Files, Self::Bots, Self::Other];

    /// Of a request, by its path below Graph's version.
    pub fn of(method: &Method, path: &str) -> Self {
        let is_posted = method == Method::POST && path.rsplit('/').find(|name| !name.is_empty()).is_some_and(|last| ["messages", "replies"].iter().any(|name| last.eq_ignore_ascii_case(name)));
        match Self::of_path(path) {
            Self::Teams if is_posted => Self::TeamsMessages,
            service => service,
        }
    }

    /// What stands in `me` or `users/{id}` belongs to the service of its name, however its key is written (`users('x')`).
    fn of_path(path: &str) -> Self {
        let bare = |name: &str| name.split('(').next().unwrap_or_default().to_ascii_lowercase();
        let keyed = |name: &str| name.ends_with(')') && name.contains('(');
        let mut names = path.split('/').filter(|name| !name.is_empty()).skip(1).flat_map(|name| std::iter::once(bare(name)).chain(keyed(name).then(String::new)));
        let first = names.next().unwrap_or_default();
        let below = match first.as_str() {
            "me" => names.next(),
            "users" | "groups" => names.nth(1),
            _ => Some(first),
        };
        match below.as_deref() {
            Some("chats" | "teams" | "teamwork" | "joinedteams" | "appcatalogs" | "teamstemplates") => Self::Teams,
            None
            | Some("users" | "groups" | "people" | "organization" | "directory" | "directoryobjects" | "manager" | "memberof" | "photo" | "photos" | "members" | "owners")
            | Some("transitivememberof" | "directreports" | "licensedetails" | "ownedobjects" | "devices" | "domains" | "invitations" | "subscribedskus")
            | Some("applications" | "serviceprincipals" | "directoryroles" | "oauth2permissiongrants") => Self::Directory,
            Some("drive" | "drives" | "sites" | "shares" | "followedsites") => Self::Files,
            Some("$batch" | "messages" | "mailfolders" | "sendmail" | "inferenceclassification" | "outlook" | "mailboxsettings" | "getmailtips" | "translateexchangeids")
            | Some("calendar" | "calendars" | "calendargroups" | "calendarview" | "events" | "findmeetingtimes" | "reminderview" | "getschedule" | "places")
            | Some("contacts" | "contactfolders" | "conversations" | "threads") => Self::Outlook,
            Some(_) => Self::Other,
        }
    }
}

/// A conversation of a bot in which Teams counts what the bot says there, and apart from it what the bot asks of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thread {
    pub id: String,
    pub is_write: bool,
}

/// The chat or channel that a path below Graph's version is about: Teams counts what is asked of each. None: of no one of them.
pub fn place_of(path: &str) -> Option<String> {
    let mut names = path.split('/').filter(|name| !name.is_empty()).skip(1).skip_while(|name| !["chats", "teams"].iter().any(|kind| name.eq_ignore_ascii_case(kind)));
    let (kind, id) = (names.next()?, names.next()?);
    if kind.eq_ignore_ascii_case("chats") {
        return Some(format!("chats/{id}"));
    }
    let channel = names.next().filter(|name| name.eq_ignore_ascii_case("channels")).and(names.next())?;
    Some(format!("teams/{id}/channels/{channel}"))
}

/// The mailbox of an account, as Microsoft counts: several connections to one mailbox by one application are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    /// The application's id.
    pub client_id: String,
    pub tenant_id: String,
    /// Object id of the person.
    pub user_id: String,
}

impl Mailbox {
    /// Of an account of which no more is known yet.
    pub fn of_account(account_id: &str) -> Arc<Self> {
        Arc::new(Self { client_id: String::new(), tenant_id: account_id.to_owned(), user_id: account_id.to_owned() })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RateScope {
    Graph(Service, Arc<Mailbox>),
    /// What a request that holds a slot may wait for: sign-in and refresh of one account (or of one tenant and application where there is no account yet),
    /// and the question whose a new token is. Not counted, or all slots could be held by requests that wait for one; a Retry-After holds all the same.
    Uncounted(String),
    /// Requests of nobody's account.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_the_chat_or_channel() {
        for (path, place) in [
            ("/v1.0/chats/19:a@thread.v2/messages", Some("chats/19:a@thread.v2")),
            ("/v1.0/me/chats/19:a@thread.v2", Some("chats/19:a@thread.v2")),
            ("/v1.0/chats", None),
            ("/v1.0/teams/x/channels/y/messages/1/replies", Some("teams/x/channels/y")),
            ("/v1.0/teams/x/channels", None),
            ("/v1.0/teams/x", None),
            ("/v1.0/me/messages", None),
        ] {
            assert_eq!(place_of(path).as_deref(), place, "{path}");
        }
    }

    #[test]
    fn paths_tell_the_service() {
        for (path, service) in [
            ("/v1.0/me/messages", Service::Outlook),
            ("/v1.0/me/mailFolders/inbox/messages/delta", Service::Outlook),
            ("/v1.0/me/sendMail", Service::Outlook),
            ("/v1.0/users/shared@contoso.com/messages", Service::Outlook),
            ("/v1.0/$batch", Service::Outlook),
            ("/v1.0/chats/19:a@thread.v2/messages", Service::Teams),
            ("/v1.0/me/chats", Service::Teams),
            ("/v1.0/me/joinedTeams", Service::Teams),
            ("/v1.0/teams/x/channels", Service::Teams),
            ("/v1.0/users/alex@contoso.com/teamwork/installedApps", Service::Teams),
            ("/v1.0/users/alex@contoso.com", Service::Directory),
            ("/v1.0/users", Service::Directory),
            ("/v1.0/me", Service::Directory),
            ("/v1.0/organization", Service::Directory),
            ("/beta/me/messages", Service::Outlook),
            ("/v1.0/users('alex@contoso.com')/messages('x')/attachments", Service::Outlook),
            ("/v1.0/users('alex@contoso.com')", Service::Directory),
            ("/v1.0/me/calendarView", Service::Outlook),
            ("/v1.0/me/drive/root:/a.txt:/content", Service::Files),
            ("/v1.0/sites/root/lists", Service::Files),
            ("/v1.0/groups/x/drive", Service::Files),
            ("/v1.0/groups/x/members", Service::Directory),
            ("/v1.0/me/planner/tasks", Service::Other),
            ("/v1.0/subscriptions", Service::Other),
        ] {
            assert_eq!(Service::of(&Method::GET, path), service, "{path}");
        }
        for path in ["/v1.0/chats/19:a@thread.v2/messages", "/v1.0/me/chats/x/messages/", "/v1.0/teams/x/channels/y/messages", "/v1.0/teams/x/channels/y/messages/1/replies"] {
            assert_eq!((Service::of(&Method::POST, path), Service::of(&Method::GET, path)), (Service::TeamsMessages, Service::Teams), "{path}");
        }
        for (path, service) in [("/v1.0/chats", Service::Teams), ("/v1.0/chats/x/messages/1/softDelete", Service::Teams), ("/v1.0/me/messages", Service::Outlook)] {
            assert_eq!(Service::of(&Method::POST, path), service, "{path}");
        }
    }
}
