//! From features to the smallest set of Microsoft permissions, and from what was granted back to the features it covers.

use crate::config::is_personal;
use crate::model::Feature;
use std::collections::BTreeSet;

/// Always asked: who it is, and a refresh token.
const ALWAYS: &[&str] = &["openid", "profile", "offline_access", "User.Read"];
/// Names of OpenID Connect, which belong to no resource and come back in no answer.
const OPENID: &[&str] = &["openid", "profile", "offline_access", "email"];

/// What a feature asks for.
pub fn needs(feature: Feature) -> &'static [&'static str] {
    match feature {
        Feature::Chat => &["Chat.Create", "ChatMessage.Send", "User.ReadBasic.All"],
        Feature::Channels => &["Team.ReadBasic.All", "Channel.ReadBasic.All", "ChannelMessage.Send"],
        Feature::People => &["User.ReadBasic.All", "People.Read"],
        // A draft is made and its sent copy read, so that a mail is never sent twice.
        Feature::MailSend => &["Mail.Send", "Mail.ReadWrite"],
        // Reading state goes back to the mailbox.
        Feature::MailSync => &["Mail.ReadWrite"],
        Feature::SharedMailboxes => &["Mail.ReadWrite.Shared", "Mail.Send.Shared"],
        Feature::Contacts => &["Contacts.Read"],
        Feature::Calendar => &["Calendars.Read"],
    }
}

/// Larger permissions that hold a smaller one. None of them is ever asked for; an administrator may have granted them.
fn holders(scope: &str) -> &'static [&'static str] {
    match scope {
        "Chat.Create" | "ChatMessage.Send" => &["Chat.ReadWrite"],
        "User.ReadBasic.All" => &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        "Team.ReadBasic.All" => &["Group.Read.All", "Group.ReadWrite.All", "TeamSettings.Read.All", "TeamSettings.ReadWrite.All"],
        "Channel.ReadBasic.All" => &["ChannelSettings.Read.All", "ChannelSettings.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All"],
        "ChannelMessage.Send" => &["Group.ReadWrite.All"],
        "People.Read" => &["People.Read.All"],
        "Mail.Read" => &["Mail.ReadWrite"],
        "Contacts.Read" => &["Contacts.ReadWrite"],
        "Calendars.Read" => &["Calendars.ReadWrite"],
        "Chat.ReadBasic" => &["Chat.Read", "Chat.ReadWrite"],
        "Chat.Read" => &["Chat.ReadWrite"],
        "Files.ReadWrite" => &["Files.ReadWrite.All", "Sites.ReadWrite.All"],
        "Files.ReadWrite.All" => &["Sites.ReadWrite.All"],
        "AppCatalog.Read.All" => &["AppCatalog.ReadWrite.All", "AppCatalog.Submit"],
        "User.Read.All" => &["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        "TeamsAppInstallation.ReadWriteSelfForTeam" => {
            &["TeamsAppInstallation.ReadWriteForTeam", "TeamsAppInstallation.ReadWriteSelectedForTeam", "TeamsAppInstallation.ReadWriteAndConsentSelfForTeam", "TeamsAppInstallation.ReadWriteAndConsentForTeam"]
        }
        "TeamsAppInstallation.ReadWriteSelfForTeam.All" => {
            &["TeamsAppInstallation.ReadWriteForTeam.All", "TeamsAppInstallation.ReadWriteSelectedForTeam.All", "TeamsAppInstallation.ReadWriteAndConsentSelfForTeam.All", "TeamsAppInstallation.ReadWriteAndConsentForTeam.All"]
        }
        "TeamsAppInstallation.ReadWriteSelfForUser" => {
            &["TeamsAppInstallation.ReadWriteForUser", "TeamsAppInstallation.ReadWriteSelectedForUser", "TeamsAppInstallation.ReadWriteAndConsentSelfForUser", "TeamsAppInstallation.ReadWriteAndConsentForUser"]
        }
        "TeamsAppInstallation.ReadWriteSelfForUser.All" => {
            &["TeamsAppInstallation.ReadWriteForUser.All", "TeamsAppInstallation.ReadWriteSelectedForUser.All", "TeamsAppInstallation.ReadWriteAndConsentSelfForUser.All", "TeamsAppInstallation.ReadWriteAndConsentForUser.All"]
        }
        _ => &[],
    }
}

/// The scope parameter's names, in a stable order. `prefix` is the cloud's, as in `https://graph.microsoft.com/`.
pub fn asked(features: &[Feature], extra: &[String], prefix: &str) -> Vec<String> {
    let graph: BTreeSet<String> = features.iter().flat_map(|f| needs(*f)).map(|s| (*s).to_owned()).chain(extra.iter().map(|s| short(s).to_owned())).collect();
    let mut all: Vec<String> = ALWAYS.iter().map(|s| (*s).to_owned()).chain(graph).collect();
    let mut seen = BTreeSet::new();
    all.retain(|s| seen.insert(s.to_ascii_lowercase()));
    all.into_iter().map(|s| if OPENID.contains(&s.to_ascii_lowercase().as_str()) { s } else { format!("{prefix}{s}") }).collect()
}

/// A permission a host adds: one name, of Graph.
pub fn is_scope(text: &str, prefix: &str) -> bool {
    let name = text.strip_prefix(prefix).unwrap_or(text);
    !name.is_empty() && name.len() <= 100 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_' || b == b'-')
}

/// `Mail.Send` of `https://graph.microsoft.com/Mail.Send`.
pub fn short(scope: &str) -> &str {
    scope.rsplit('/').next().unwrap_or(scope)
}

/// What an answer of the token endpoint grants, in short names.
pub fn granted(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().filter(|s| s.len() <= 300).take(200).map(|s| short(s).to_owned()).filter(|s| !s.is_empty()).collect()
}

/// It was granted, by itself or within a larger permission.
pub fn has(granted: &[String], scope: &str) -> bool {
    let given = |name: &str| granted.iter().any(|g| short(g).eq_ignore_ascii_case(name));
    given(scope) || holders(scope).iter().any(|larger| given(larger))
}

/// Permissions this feature needs and that were not granted.
pub fn lacking(feature: Feature, granted: &[String]) -> Vec<&'static str> {
    needs(feature).iter().filter(|scope| !has(granted, scope)).copied().collect()
}

/// What a shared mailbox needs of its delegate for a feature. None: shared mailboxes do not have it.
fn needs_of_shared(feature: Feature) -> Option<&'static [&'static str]> {
    match feature {
        Feature::MailSync => Some(&["Mail.ReadWrite.Shared"]),
        Feature::MailSend => Some(&["Mail.ReadWrite.Shared", "Mail.Send.Shared"]),
        Feature::Chat | Feature::Channels | Feature::People | Feature::SharedMailboxes | Feature::Contacts | Feature::Calendar => None,
    }
}

/// Permissions that a feature of a shared mailbox needs and that its delegate was not granted. None: shared mailboxes do not have it.
pub fn lacking_of_shared(feature: Feature, granted: &[String]) -> Option<Vec<&'static str>> {
    Some(needs_of_shared(feature)?.iter().filter(|scope| !has(granted, scope)).copied().collect())
}

/// Why personal Microsoft accounts do not have it; None: they do.
pub fn not_for_personal(feature: Feature) -> Option<&'static str> {
    match feature {
        Feature::Chat => Some("Personal Microsoft accounts have no Teams chats."),
        Feature::Channels => Some("Personal Microsoft accounts have no Teams channels."),
        Feature::SharedMailboxes => Some("Personal Microsoft accounts have no shared mailboxes."),
        Feature::People => Some("Personal Microsoft accounts have no directory of people."),
        Feature::MailSend | Feature::MailSync | Feature::Contacts | Feature::Calendar => None,
    }
}

pub fn is_personal_tenant(tenant: Option<&str>) -> bool {
    tenant.is_some_and(is_personal)
}

/// It was granted, and exists for accounts of this tenant.
pub fn works(feature: Feature, granted: &[String], tenant: Option<&str>) -> bool {
    lacking(feature, granted).is_empty() && !(is_personal_tenant(tenant) && not_for_personal(feature).is_some())
}

/// As hosts write it.
pub fn name(feature: Feature) -> &'static str {
    match feature {
        Feature::Chat => "chat",
        Feature::Channels => "channels",
        Feature::People => "people",
        Feature::MailSend => "mail_send",
        Feature::MailSync => "mail_sync",
        Feature::SharedMailboxes => "shared_mailboxes",
        Feature::Contacts => "contacts",
        Feature::Calendar => "calendar",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "https://graph.microsoft.com/";

    fn names(text: &[&str]) -> Vec<String> {
        text.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn features_ask_for_the_smallest_set_once() {
        let asked = asked(&[Feature::MailSync, Feature::MailSend], &names(&["mail.send", "https://graph.microsoft.com/Calendars.Read"]), PREFIX);
        assert_eq!(
            asked,
            names(&[
                "openid",
                "profile",
                "offline_access",
                "https://graph.microsoft.com/User.Read",
                "https://graph.microsoft.com/Calendars.Read",
                "https://graph.microsoft.com/Mail.ReadWrite",
                "https://graph.microsoft.com/Mail.Send",
            ])
        );
    }

    #[test]
    fn granted_names_count_in_any_form_and_larger_ones_cover_smaller() {
        let all = [Feature::Chat, Feature::MailSend, Feature::MailSync, Feature::Contacts];
        let granted = granted("https://graph.microsoft.com/chat.readwrite MAIL.READWRITE User.ReadBasic.All  contacts.ReadWrite");
        let missing = |granted: &[String]| all.into_iter().filter(|feature| !works(*feature, granted, None)).collect::<Vec<_>>();
        assert_eq!(missing(&granted), vec![Feature::MailSend]);
        assert_eq!(missing(&[]), all.to_vec());
        assert_eq!(lacking(Feature::MailSend, &granted), ["Mail.Send"]);
        let personal = Some("9188040d-6c67-4c5b-b112-36a304b66dad");
        assert!(!works(Feature::Chat, &granted, personal) && works(Feature::Contacts, &granted, personal));
    }

    #[test]
    fn a_host_may_add_names_only() {
        assert!(is_scope("Calendars.Read", PREFIX) && is_scope("https://graph.microsoft.com/Calendars.Read", PREFIX));
        for bad in ["", "a b", "https://evil.example/x", "Mail.Send&prompt=none", "a/b"] {
            assert!(!is_scope(bad, PREFIX), "{bad}");
        }
    }
}
