//! Permissions of an application itself: they reach everybody in the organisation, and only an administrator grants them. Which of them the engine uses, and for
//! what. Source: Graph, permissions reference.

use super::scopes;
use crate::model::Feature;
use std::collections::BTreeSet;

/// What a feature needs when an organisation's own token is used. None for what Microsoft lets no application do.
pub fn needs(feature: Feature) -> &'static [&'static str] {
    match feature {
        Feature::Channels => &["Team.ReadBasic.All", "Channel.ReadBasic.All"],
        Feature::People => &["User.ReadBasic.All"],
        Feature::MailSync | Feature::SharedMailboxes => &["Mail.Read"],
        // A draft is made and its sent copy read, so that a mail is never sent twice.
        Feature::MailSend => &["Mail.ReadWrite", "Mail.Send"],
        Feature::Contacts => &["Contacts.Read"],
        Feature::Calendar => &["Calendars.Read"],
        Feature::Chat => &[],
    }
}

/// Permissions that a feature of one of the organisation's mailboxes needs and that its application was not granted. None: mailboxes do not have it.
///
/// Exchange may have given the application its rights over mailboxes itself (RBAC for Applications). Entra's token then has none of them, and Exchange alone
/// knows what may be done: nothing is refused before it was asked.
pub fn lacking_of_mailbox(feature: Feature, granted: &[String]) -> Option<Vec<&'static str>> {
    let is_mail = match feature {
        Feature::MailSync | Feature::MailSend => true,
        Feature::Contacts | Feature::Calendar => false,
        Feature::Chat | Feature::Channels | Feature::People | Feature::SharedMailboxes => return None,
    };
    if is_mail && !granted.iter().any(|name| scopes::short(name).to_ascii_lowercase().starts_with("mail.")) {
        return Some(Vec::new());
    }
    Some(needs(feature).iter().filter(|name| !scopes::has(granted, name)).copied().collect())
}

/// Features of a mailbox beside its mail, which the application may use.
pub fn beside_mail(granted: &[String]) -> Vec<Feature> {
    [Feature::Contacts, Feature::Calendar].into_iter().filter(|feature| needs(*feature).iter().all(|name| scopes::has(granted, name))).collect()
}

/// What these features need, and further permissions.
pub fn asked(features: &[Feature], extra: &[String]) -> Vec<String> {
    let needed: BTreeSet<String> = features.iter().flat_map(|feature| needs(*feature)).map(|name| (*name).to_owned()).chain(extra.iter().cloned()).collect();
    needed.into_iter().collect()
}

/// What a permission is in a few words, and what it is used for; none for those that the engine does not use.
pub fn words(name: &str) -> Option<(&'static str, &'static str)> {
    KNOWN.iter().find(|known| known.0.eq_ignore_ascii_case(name)).map(|known| (known.1, known.2))
}

const KNOWN: &[(&str, &str, &str)] = &[
    ("User.ReadBasic.All", "See names and addresses of everybody in the organisation", FOUND),
    ("User.Read.All", "See full profiles of everybody in the organisation", FOUND),
    ("Team.ReadBasic.All", "See the names of all teams of the organisation", "Teams are listed, to choose one."),
    ("Channel.ReadBasic.All", "See the names of all channels of the organisation", "The channels of a team are listed, to choose one."),
    ("Mail.Read", "Read mail of everybody in the organisation", FETCHED),
    ("Mail.ReadWrite", "Read and change mail of everybody in the organisation", "Mail of the mailboxes that are added is fetched, and what is changed of it (read marks, flags, categories, the folder) is passed on. To send, a draft is made and its sent copy looked up, so that no mail is sent twice."),
    ("Mail.Send", "Send mail in the name of everybody in the organisation", "Mail is sent in the name of the mailboxes that are added."),
    ("Contacts.Read", "Read contacts of everybody in the organisation", "Contacts of the mailboxes that are added are read, to find addresses."),
    ("Calendars.Read", "Read calendars of everybody in the organisation", "Appointments of the mailboxes that are added are read."),
    ("AppCatalog.Read.All", "See the organisation's catalogue of Teams apps", "The app that is to be installed is found there."),
    ("TeamsAppInstallation.ReadWriteSelfForTeam.All", "Install this application in any team", "The application's Teams app is installed in teams, so that its bot can write there."),
    ("TeamsAppInstallation.ReadWriteSelfForUser.All", "Install this application in Teams for anybody in the organisation", "The application's Teams app is installed for people, so that its bot can write to them."),
];
const FOUND: &str = "People are found by name or address.";
const FETCHED: &str = "Mail of the mailboxes that are added is fetched.";

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &[&str]) -> Vec<String> {
        text.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn what_features_need_has_words() {
        for feature in [Feature::Channels, Feature::People, Feature::MailSync, Feature::MailSend, Feature::SharedMailboxes, Feature::Contacts, Feature::Calendar] {
            assert!(!needs(feature).is_empty() && needs(feature).iter().all(|name| words(name).is_some()), "{feature:?}");
        }
        assert!(needs(Feature::Chat).is_empty());
    }

    #[test]
    fn exchange_alone_decides_where_entra_grants_no_mail() {
        let lacking = |feature, granted: &[&str]| lacking_of_mailbox(feature, &names(granted));
        assert_eq!(lacking(Feature::MailSync, &["Mail.Read"]), Some(vec![]));
        assert_eq!(lacking(Feature::MailSync, &["mail.readwrite"]), Some(vec![]));
        assert_eq!(lacking(Feature::MailSync, &["Mail.Send"]), Some(vec!["Mail.Read"]));
        assert_eq!(lacking(Feature::MailSend, &["Mail.Read"]), Some(vec!["Mail.ReadWrite", "Mail.Send"]));
        assert_eq!(lacking(Feature::MailSend, &["User.Read.All"]), Some(vec![]), "RBAC for Applications");
        assert_eq!(lacking(Feature::Contacts, &["User.Read.All"]), Some(vec!["Contacts.Read"]));
        assert_eq!(lacking(Feature::Chat, &["Chat.Read.All"]), None);
        assert_eq!(beside_mail(&names(&["Contacts.ReadWrite", "Mail.Read"])), [Feature::Contacts]);
    }
}
