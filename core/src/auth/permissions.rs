//! Permissions in plain words: what each is, why it is asked for, and what is left alone.

use super::{Auth, reach, roles, scopes};
use crate::error::{Error, Result};
use crate::model::{AccountKind, Feature, Permission, PermissionList, PermissionQuery};
use std::collections::BTreeSet;

impl Auth {
    /// What the query's features need and, with an account, what that account asked for and was granted.
    pub async fn permissions(&self, query: PermissionQuery) -> Result<PermissionList> {
        let prefix = self.config.endpoints.scope_prefix();
        if query.extra_scopes.len() > 50 || !query.extra_scopes.iter().all(|s| scopes::is_scope(s, &prefix)) {
            return Err(Error::invalid("extra_scopes must be names of Graph permissions, such as Calendars.Read."));
        }
        let mut features: BTreeSet<Feature> = query.features.iter().copied().collect();
        let Some(account_id) = query.account_id else {
            return Ok(explain(&in_order(features), &query.extra_scopes, None));
        };
        let row = self.row(&account_id).await?;
        let account = self.describe(&row).await?;
        features.extend(&account.features);
        let mut granted = account.scopes;
        // Microsoft's answers do not list it; that access lasts shows it.
        if account.kind == AccountKind::Person && account.access_ends_at.is_none() && !account.tenant_id.is_empty() {
            granted.push("offline_access".to_owned());
        }
        let features = in_order(features);
        Ok(match account.kind {
            AccountKind::Person => explain(&features, &query.extra_scopes, Some(&granted)),
            AccountKind::SharedMailbox if row.is_app_only() => organisation(&features, &shorts(&query.extra_scopes), &granted),
            AccountKind::SharedMailbox => explain(&[Feature::SharedMailboxes], &query.extra_scopes, Some(&granted)),
            AccountKind::Link => list(shorts(&query.extra_scopes), &features, Some(&granted)),
            AccountKind::Tenant => organisation(&features, &shorts(&query.extra_scopes), &granted),
        })
    }
}

/// What these features and further permissions ask for; with `granted`, that as well, and each marked.
pub fn explain(features: &[Feature], extra: &[String], granted: Option<&[String]>) -> PermissionList {
    list(scopes::asked(features, extra, ""), features, granted)
}

/// Permissions of the application itself: they reach everybody in the organisation, and only an administrator grants them.
fn organisation(features: &[Feature], extra: &[String], granted: &[String]) -> PermissionList {
    let mut list = list(roles::asked(features, extra), &[], Some(granted));
    for item in &mut list.items {
        match roles::words(&item.name) {
            Some((title, reason)) => (item.title, item.reason) = (title.to_owned(), reason.to_owned()),
            None => item.title = format!("Microsoft's permission {}, for everybody in the organisation", item.name),
        }
        item.features = features.iter().copied().filter(|feature| roles::needs(*feature).contains(&item.name.as_str())).collect();
        item.needs_admin = true;
    }
    list.not_accessed.retain(|sentence| !sentence.starts_with("Mailboxes of other people"));
    list
}

fn list(asked: Vec<String>, features: &[Feature], granted: Option<&[String]>) -> PermissionList {
    let mut names = asked.clone();
    for name in shorts(granted.unwrap_or_default()) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    let not_accessed = reach::left_alone(&names);
    let items = names.iter().map(|name| one(name, &asked, features, granted)).collect();
    PermissionList { items, not_accessed }
}

fn one(name: &str, asked: &[String], features: &[Feature], granted: Option<&[String]>) -> Permission {
    let known = KNOWN.iter().find(|k| k.0.eq_ignore_ascii_case(name));
    let name = known.map_or(name, |k| k.0);
    let (needing, reasons): (Vec<Feature>, Vec<&str>) = features.iter().filter_map(|f| why(*f, name).map(|reason| (*f, reason))).unzip();
    let reason = match always(name) {
        Some(reason) => reason.to_owned(),
        None if !reasons.is_empty() => {
            let mut seen = BTreeSet::new();
            reasons.into_iter().filter(|r| seen.insert(*r)).collect::<Vec<_>>().join(" ")
        }
        None if asked.iter().any(|a| a.eq_ignore_ascii_case(name)) => "The application asks for it in addition, for a purpose of its own.".to_owned(),
        None => "It was granted to the application; this connection does not ask for it.".to_owned(),
    };
    Permission {
        name: name.to_owned(),
        title: known.map_or_else(|| format!("Microsoft's permission {name}"), |k| k.1.to_owned()),
        reason,
        features: needing,
        needs_admin: needs_admin(name),
        granted: granted.map(|granted| is_granted(granted, name)),
    }
}

fn is_granted(granted: &[String], name: &str) -> bool {
    // Whoever signed in granted these two, or there would be no account; answers seldom list them.
    matches!(name, "openid" | "profile") || scopes::has(granted, name)
}

fn shorts(names: &[String]) -> Vec<String> {
    names.iter().map(|s| scopes::short(s).to_owned()).collect()
}

fn in_order(features: BTreeSet<Feature>) -> Vec<Feature> {
    features.into_iter().collect()
}

/// Delegated permissions that Microsoft lets only an administrator grant, by the permissions reference: nearly all that reach over the whole
/// organisation, and those over its settings.
fn needs_admin(name: &str) -> bool {
    const FOR_EVERYBODY: &[&str] = &[
        "User.ReadBasic.All", "Team.ReadBasic.All", "Channel.ReadBasic.All", "Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All",
        "Sites.ReadWrite.All", "Sites.Manage.All", "Notes.Read.All", "Notes.ReadWrite.All", "Presence.Read.All", "EWS.AccessAsUser.All",
        "IMAP.AccessAsUser.All", "POP.AccessAsUser.All",
    ];
    let lower = name.to_ascii_lowercase();
    let wide = lower.ends_with(".all") || lower.ends_with(".directory") || lower.starts_with("policy.");
    wide && !FOR_EVERYBODY.iter().any(|free| free.eq_ignore_ascii_case(name))
}

/// Asked for with every sign-in.
fn always(name: &str) -> Option<&'static str> {
    Some(match name {
        "openid" => "Microsoft says who signed in, so that no account is taken for another.",
        "profile" => "It brings the name and the fixed number of the account at Microsoft.",
        "offline_access" => "Access lasts until it is taken back, so that nobody has to sign in again every hour.",
        "User.Read" => "The name and address of the connected account are shown.",
        _ => return None,
    })
}

/// Why a feature asks for a permission; none: it does not.
fn why(feature: Feature, name: &str) -> Option<&'static str> {
    Some(match (feature, name) {
        (Feature::Chat, "Chat.Create") => "A chat with the recipient is opened, or found if there is one.",
        (Feature::Chat, "ChatMessage.Send") => "Chat messages are sent in your name.",
        (Feature::Chat, "User.ReadBasic.All") => "The recipient of a chat message is found by address.",
        (Feature::Channels, "Team.ReadBasic.All") => "The teams you belong to are listed, to choose one.",
        (Feature::Channels, "Channel.ReadBasic.All") => "The channels of a team are listed, to choose one.",
        (Feature::Channels, "ChannelMessage.Send") => "Channel messages are sent in your name.",
        (Feature::People, "User.ReadBasic.All") => "Colleagues are found by name or address.",
        (Feature::People, "People.Read") => "Those you work with most come first.",
        (Feature::MailSend, "Mail.Send") => "Mail is sent in your name.",
        (Feature::MailSend, "Mail.ReadWrite") => "A draft is made and its sent copy looked up, so that no mail is sent twice.",
        (Feature::MailSync, "Mail.ReadWrite") => "Mail is fetched, and what is changed of it (read marks, flags, categories, the folder) is passed on to the mailbox.",
        (Feature::SharedMailboxes, "Mail.ReadWrite.Shared") => "Mail of shared mailboxes you may open is fetched, and read marks are passed on.",
        (Feature::SharedMailboxes, "Mail.Send.Shared") => "Mail is sent in the name of shared mailboxes you may send for.",
        (Feature::Contacts, "Contacts.Read") => "Your contacts are read, to find addresses.",
        (Feature::Calendar, "Calendars.Read") => "Your appointments are read.",
        _ => return None,
    })
}

/// Microsoft's name, and what it is in a few words.
const KNOWN: &[(&str, &str)] = &[
    ("openid", "Sign in with Microsoft"),
    ("profile", "See the basic profile"),
    ("email", "See the e-mail address"),
    ("offline_access", "Keep access"),
    ("User.Read", "See your own profile"),
    ("User.ReadBasic.All", "See names and addresses of colleagues"),
    ("User.Read.All", "See full profiles of everybody in the organisation"),
    ("User.ReadWrite.All", "See and change profiles of everybody in the organisation"),
    ("Directory.Read.All", "See the organisation's directory"),
    ("Directory.ReadWrite.All", "See and change the organisation's directory"),
    ("People.Read", "See the people you work with"),
    ("People.Read.All", "See the people everybody works with"),
    ("Chat.Create", "Open chats"),
    ("ChatMessage.Send", "Send chat messages"),
    ("Chat.Read", "Read chats"),
    ("Chat.ReadWrite", "Read and write chats"),
    ("Team.ReadBasic.All", "See the names of your teams"),
    ("TeamSettings.Read.All", "See settings of teams"),
    ("TeamSettings.ReadWrite.All", "See and change settings of teams"),
    ("Channel.ReadBasic.All", "See the names of channels"),
    ("ChannelSettings.Read.All", "See settings of channels"),
    ("ChannelSettings.ReadWrite.All", "See and change settings of channels"),
    ("ChannelMessage.Send", "Send channel messages"),
    ("ChannelMessage.Read.All", "Read channel messages"),
    ("Group.Read.All", "Read everything of groups and teams"),
    ("Group.ReadWrite.All", "Read and change everything of groups and teams"),
    ("Mail.ReadBasic", "See who wrote when, without the text"),
    ("Mail.Read", "Read your mail"),
    ("Mail.ReadWrite", "Read and change your mail"),
    ("Mail.Send", "Send mail in your name"),
    ("Mail.Read.Shared", "Read mail shared with you"),
    ("Mail.ReadWrite.Shared", "Read and change mail shared with you"),
    ("Mail.Send.Shared", "Send mail in the name of shared mailboxes"),
    ("MailboxSettings.Read", "See settings of your mailbox"),
    ("MailboxSettings.ReadWrite", "See and change settings of your mailbox"),
    ("Contacts.Read", "Read your contacts"),
    ("Contacts.ReadWrite", "Read and change your contacts"),
    ("Calendars.Read", "Read your calendar"),
    ("Calendars.ReadWrite", "Read and change your calendar"),
    ("Files.Read", "Read your files"),
    ("Files.ReadWrite", "Read and change your files"),
    ("AppCatalog.Read.All", "See the organisation's catalogue of Teams apps"),
    ("TeamsAppInstallation.ReadWriteSelfForTeam", "Install this application in your teams"),
    ("TeamsAppInstallation.ReadWriteSelfForUser", "Install this application in Teams for you"),
    ("TeamsAppInstallation.ReadWriteForTeam", "Install applications in your teams"),
    ("TeamsAppInstallation.ReadWriteForUser", "Install applications in Teams for you"),
    ("Tasks.Read", "Read your tasks"),
    ("Tasks.ReadWrite", "Read and change your tasks"),
];

#[cfg(test)]
mod tests;
