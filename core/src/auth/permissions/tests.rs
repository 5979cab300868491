use super::*;

const EVERY: [Feature; 8] = [
    Feature::Chat, Feature::Channels, Feature::People, Feature::MailSend, Feature::MailSync, Feature::SharedMailboxes, Feature::Contacts, Feature::Calendar,
];

fn names(text: &[&str]) -> Vec<String> {
    text.iter().map(|s| (*s).to_owned()).collect()
}

fn says(list: &PermissionList, sentence: &str) -> bool {
    list.not_accessed.iter().any(|s| s == sentence)
}

fn item<'a>(list: &'a PermissionList, name: &str) -> &'a Permission {
    list.items.iter().find(|i| i.name == name).unwrap_or_else(|| panic!("{name} is not explained"))
}

#[test]
fn every_permission_of_every_feature_has_words() {
    for feature in EVERY {
        let list = explain(&[feature], &[], None);
        for permission in &list.items {
            assert!(KNOWN.iter().any(|k| k.0 == permission.name), "{} has no title", permission.name);
            assert!(!permission.reason.contains("in addition"), "{} of {feature:?} has no reason", permission.name);
            assert!(always(&permission.name).is_some() || permission.features == [feature], "{}", permission.name);
            assert!(permission.reason.ends_with('.') && permission.granted.is_none());
            assert!(!permission.needs_admin, "{}: nothing that features ask for needs an administrator", permission.name);
        }
    }
    let all = explain(&EVERY, &[], None);
    assert_eq!(item(&all, "Mail.ReadWrite").features, [Feature::MailSend, Feature::MailSync]);
    assert!(item(&all, "User.ReadBasic.All").reason.contains("found by address. Colleagues"));
}

#[test]
fn what_is_not_accessed_follows_from_what_is_asked_and_granted() {
    let sends_chats = explain(&[Feature::Chat], &[], None);
    assert!(says(&sends_chats, "Mail is not accessed.") && says(&sends_chats, "Calendars are not accessed."));
    assert!(says(&sends_chats, "Messages in Teams chats are not read.") && !says(&sends_chats, "Teams chats are not accessed."));
    assert!(says(&sends_chats, "Teams channels are not accessed."));

    let mail = explain(&[Feature::MailSync], &[], None);
    assert!(!mail.not_accessed.iter().any(|s| s.contains("not changed or deleted") || s == "Mail is not accessed." || s == "Mail is not read."));
    assert!(says(&mail, "Mail is not sent.") && says(&mail, "Mailboxes of other people and shared mailboxes are not accessed."));
    let reads = explain(&[], &names(&["Mail.Read"]), None);
    assert!(says(&reads, "Mail is not changed or deleted."));
    let shared = explain(&[Feature::SharedMailboxes], &[], None);
    assert!(!shared.not_accessed.iter().any(|s| s.contains("shared mailboxes")) && !says(&shared, "Mail is not sent."));

    let calendar = explain(&[Feature::MailSync], &names(&["https://graph.microsoft.com/Calendars.Read"]), None);
    assert!(!says(&calendar, "Calendars are not accessed.") && says(&calendar, "Calendars are not changed."));
    let granted = explain(&[Feature::MailSync], &[], Some(&names(&["Mail.ReadWrite", "calendars.readwrite"])));
    assert!(!granted.not_accessed.iter().any(|s| s.contains("Calendars")), "{:?}", granted.not_accessed);
    assert!(!explain(&[], &[], Some(&names(&["Group.ReadWrite.All"]))).not_accessed.iter().any(|s| s.contains("Calendars") || s.contains("Files") || s.contains("channels")));
}

#[test]
fn a_permission_nobody_knows_is_named_neutrally_and_silences_the_sentences() {
    let list = explain(&[Feature::Chat], &names(&["Wonder.Do.All"]), None);
    let unknown = item(&list, "Wonder.Do.All");
    assert_eq!(unknown.title, "Microsoft's permission Wonder.Do.All");
    assert!(unknown.needs_admin && unknown.features.is_empty());
    assert_eq!(list.not_accessed.len(), 1, "{:?}", list.not_accessed);
    assert!(list.not_accessed[0].contains("password"));
}

#[test]
fn granted_and_asked_are_one_list() {
    let granted = names(&["openid", "Mail.ReadWrite", "Chat.ReadWrite", "https://graph.microsoft.com/Files.Read"]);
    let list = explain(&[Feature::MailSend, Feature::Chat], &[], Some(&granted));
    assert_eq!(item(&list, "Mail.ReadWrite").granted, Some(true));
    assert_eq!(item(&list, "Mail.Send").granted, Some(false));
    assert_eq!(item(&list, "ChatMessage.Send").granted, Some(true), "a larger permission holds it");
    assert_eq!(item(&list, "profile").granted, Some(true));
    assert_eq!(item(&list, "offline_access").granted, Some(false));
    let more = item(&list, "Files.Read");
    assert_eq!((more.granted, more.reason.contains("does not ask")), (Some(true), true));
    assert!(!says(&list, "Files in OneDrive and SharePoint are not accessed."));
    assert_eq!(list.items.iter().filter(|i| i.name == "Mail.ReadWrite").count(), 1);
}

#[test]
fn who_has_to_grant_it() {
    for (name, admin) in [("Mail.ReadWrite", false), ("User.ReadBasic.All", false), ("User.Read.All", true), ("ChannelMessage.Read.All", true), ("Files.Read.All", false), ("RoleManagement.Read.Directory", true)] {
        assert_eq!(needs_admin(name), admin, "{name}");
    }
}

#[test]
fn an_organisation_grants_for_everybody() {
    let list = organisation(&[], &[], &names(&["Mail.Read"]));
    assert!(list.items[0].needs_admin && list.items[0].title.contains("everybody"));
    let asked = organisation(&[Feature::MailSend, Feature::Chat], &names(&["Sites.Read.All"]), &names(&["Mail.ReadWrite"]));
    let send = item(&asked, "Mail.Send");
    assert_eq!((send.granted, send.features.as_slice(), send.needs_admin), (Some(false), [Feature::MailSend].as_slice(), true));
    assert!(send.reason.contains("mailboxes that are added") && item(&asked, "Sites.Read.All").reason.contains("in addition"));
    assert!(!says(&list, "Mail is not accessed.") && !list.not_accessed.iter().any(|s| s.starts_with("Mailboxes of other")));
}
