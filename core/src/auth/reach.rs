//! What a set of permissions leaves alone. A sentence is said only when nothing in the set lets it be untrue; a permission nobody here knows
//! silences all of them.

use std::collections::BTreeSet;

/// What somebody with a permission could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Can {
    ReadMail,
    ChangeMail,
    SendMail,
    OpenSharedMailboxes,
    ReadChats,
    WriteChats,
    NameChannels,
    ReadChannels,
    WriteChannels,
    ReadCalendars,
    ChangeCalendars,
    ReadContacts,
    ChangeContacts,
    ReadFiles,
    ChangeFiles,
    ReadTasks,
    ChangeTasks,
    ReadNotes,
    ChangeNotes,
    ReadMeetings,
    Unknown,
}

/// Sentences for the person who is asked.
pub fn left_alone(names: &[String]) -> Vec<String> {
    use Can::*;
    let can: BTreeSet<Can> = names.iter().flat_map(|name| of(&name.to_ascii_lowercase())).collect();
    let mut said = Vec::new();
    if !can.contains(&Unknown) {
        let has = |what: Can| can.contains(&what);
        let mut say = |sentence: &str, untrue: &[Can]| {
            let said_here = !untrue.iter().any(|c| has(*c));
            if said_here {
                said.push(sentence.to_owned());
            }
            said_here
        };
        if !say("Mail is not accessed.", &[ReadMail, ChangeMail, SendMail]) {
            say("Mail is not read.", &[ReadMail, ChangeMail]);
            // Who may not even read it is not told that it stays unchanged.
            if has(ReadMail) {
                say("Mail is not changed or deleted.", &[ChangeMail]);
            }
            say("Mail is not sent.", &[SendMail]);
            say("Mailboxes of other people and shared mailboxes are not accessed.", &[OpenSharedMailboxes]);
        }
        if !say("Teams chats are not accessed.", &[ReadChats, WriteChats]) {
            say("Messages in Teams chats are not read.", &[ReadChats]);
            say("Nothing is sent to Teams chats.", &[WriteChats]);
        }
        if !say("Teams channels are not accessed.", &[NameChannels, ReadChannels, WriteChannels]) {
            say("Messages in Teams channels are not read.", &[ReadChannels]);
            say("Nothing is sent to Teams channels.", &[WriteChannels]);
        }
        for (nothing, change, read, write) in [
            ("Calendars are not accessed.", "Calendars are not changed.", ReadCalendars, ChangeCalendars),
            ("Contacts are not accessed.", "Contacts are not changed.", ReadContacts, ChangeContacts),
            ("Files in OneDrive and SharePoint are not accessed.", "Files in OneDrive and SharePoint are not changed.", ReadFiles, ChangeFiles),
            ("Tasks are not accessed.", "Tasks are not changed.", ReadTasks, ChangeTasks),
            ("Notebooks are not accessed.", "Notebooks are not changed.", ReadNotes, ChangeNotes),
        ] {
            if !say(nothing, &[read, write]) {
                say(change, &[write]);
            }
        }
        say("Meetings are not listened to, and their recordings and transcripts are not accessed.", &[ReadMeetings]);
    }
    said.push("The password is not seen: it is typed in at Microsoft only.".to_owned());
    said
}

/// By the first word of Microsoft's name, which says what it is about. `name` in lower case.
fn of(name: &str) -> Vec<Can> {
    use Can::*;
    let (area, rest) = name.split_once('.').unwrap_or((name, ""));
    let shared = rest.ends_with(".shared") || rest.ends_with(".all");
    let writes = !rest.starts_with("read.") && rest != "read" && !rest.starts_with("readbasic");
    let both = |read, change| if writes { vec![read, change] } else { vec![read] };
    match area {
        "openid" | "profile" | "email" | "offline_access" => vec![],
        // About people and settings, not about what they write.
        "user" | "people" | "directory" | "presence" | "mailboxsettings" | "organization" | "place" | "groupmember" | "orgcontact" | "contactfolder" => vec![],
        // What apps are there and where; those that consent in others' name may give any access.
        "appcatalog" => vec![],
        "teamsappinstallation" if !rest.contains("consent") => vec![],
        "mail" => {
            let mut can = if rest.starts_with("send") { vec![SendMail] } else { both(ReadMail, ChangeMail) };
            can.extend(shared.then_some(OpenSharedMailboxes));
            can
        }
        "smtp" => vec![SendMail, OpenSharedMailboxes],
        "imap" | "pop" | "mailboxitem" | "mailboxfolder" => vec![ReadMail, ChangeMail, OpenSharedMailboxes],
        "chat" if rest == "create" => vec![WriteChats],
        "chatmessage" if rest == "send" => vec![WriteChats],
        "chat" | "chatmessage" | "chatmember" | "chatsettings" => both(ReadChats, WriteChats),
        "team" | "teammember" | "teamsettings" | "channelsettings" | "channelmember" => vec![NameChannels],
        "channel" => vec![NameChannels],
        "channelmessage" if rest == "send" => vec![WriteChannels],
        "channelmessage" => both(ReadChannels, WriteChannels),
        // Conversations, calendar, files and tasks of groups go with it, and the messages of their channels.
        "group" if writes => {
            vec![ReadMail, ChangeMail, OpenSharedMailboxes, ReadChannels, WriteChannels, ReadCalendars, ChangeCalendars, ReadFiles, ChangeFiles, ReadTasks, ChangeTasks, ReadNotes, ChangeNotes]
        }
        "group" => vec![ReadMail, OpenSharedMailboxes, ReadChannels, ReadCalendars, ReadFiles, ReadTasks, ReadNotes],
        "calendars" => both(ReadCalendars, ChangeCalendars),
        "contacts" => both(ReadContacts, ChangeContacts),
        "files" | "sites" => both(ReadFiles, ChangeFiles),
        "tasks" => both(ReadTasks, ChangeTasks),
        "notes" => both(ReadNotes, ChangeNotes),
        "onlinemeetings" | "onlinemeetingtranscript" | "onlinemeetingrecording" | "onlinemeetingartifact" | "onlinemeetingaiinsight" => vec![ReadMeetings],
        _ => vec![Unknown],
    }
}
