//! What is handed to an administrator: a text for Microsoft's box, and a sheet for the IT department. Nothing in it is secret or personal.

use super::permissions::explain;
use crate::model::{AccountKind, Feature, Permission};
use crate::store::AccountRow;
use std::fmt::Write;

pub(super) struct Texts {
    pub justification: String,
    pub sheet: String,
}

/// `link`: the page for administrators, without the secret of one attempt, so that it stays good on paper.
pub(super) fn write(row: &AccountRow, client_id: &str, link: &str) -> Texts {
    let mut list = explain(&row.features, &row.extra_scopes, None);
    // An administrator grants what Graph does; lasting access is the person's to give, and a person who is only known gives none.
    list.items.retain(|item| !(row.kind == AccountKind::Link && item.name == "offline_access"));
    Texts { justification: justification(row, client_id, &list.items), sheet: sheet(row, client_id, link, &list.items, &list.not_accessed) }
}

fn justification(row: &AccountRow, client_id: &str, items: &[Permission]) -> String {
    match row.kind {
        AccountKind::Tenant => format!("Please approve the application {client_id} for our organisation, with the application permissions of its registration."),
        AccountKind::Link => format!("I would like the application {client_id} to know who I am. It reads my profile and nothing else."),
        AccountKind::Person | AccountKind::SharedMailbox => {
            let what: Vec<&str> = row.features.iter().map(|feature| purpose(*feature)).collect();
            let names: Vec<&str> = items.iter().filter(|item| !OPENID.contains(&item.name.as_str())).map(|item| item.name.as_str()).collect();
            format!("I would like to use the application {client_id} with my account: {}. It acts in my name only. Permissions: {}.", what.join(", "), names.join(", "))
        }
    }
}

const OPENID: &[&str] = &["openid", "profile", "offline_access", "email"];

fn purpose(feature: Feature) -> &'static str {
    match feature {
        Feature::Chat => "send Teams chats",
        Feature::Channels => "write to Teams channels",
        Feature::People => "find people",
        Feature::MailSend => "send mail",
        Feature::MailSync => "see and file my mail",
        Feature::SharedMailboxes => "use shared mailboxes",
        Feature::Contacts => "see my contacts",
        Feature::Calendar => "see my calendar",
    }
}

fn sheet(row: &AccountRow, client_id: &str, link: &str, items: &[Permission], not_accessed: &[String]) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let mut line = |words: &str| {
        let _ = writeln!(text, "{words}");
    };
    line("# Approval of an application for Microsoft 365");
    line("");
    line(&format!("- Application (client) id: `{client_id}`"));
    line(&match row.tenant() {
        Some(tenant) => format!("- Organisation (tenant id): `{tenant}`"),
        None => "- Organisation: that of the administrator who approves".to_owned(),
    });
    line(match row.kind {
        AccountKind::Tenant => "- Kind of access: as an application, without a signed-in person",
        AccountKind::Person | AccountKind::Link | AccountKind::SharedMailbox => "- Kind of access: in the name of a signed-in person, never beyond what that person may do",
    });
    line("");
    line("## What is asked for");
    line("");
    if row.kind == AccountKind::Tenant {
        line("The application permissions of the registration, all of them: Microsoft shows them on the page before anything is approved.");
    } else {
        line("| Permission | What it is | Why |");
        line("| --- | --- | --- |");
        for item in items {
            line(&format!("| `{}` | {} | {} |", cell(&item.name), cell(&item.title), cell(&item.reason)));
        }
        line("");
        line("## What is not accessed");
        line("");
        for sentence in not_accessed {
            line(&format!("- {sentence}"));
        }
    }
    line("");
    line("## How to approve");
    line("");
    line("1. Open this link as an administrator who may consent for the organisation (Privileged Role Administrator, or Cloud Application Administrator where that suffices):");
    line(&format!("   <{link}>"));
    line("2. Compare the application id, read the permissions, accept.");
    line("3. The browser is then sent to the application. If the application does not know the visit, the approval counts all the same.");
    line("");
    line("## Afterwards");
    line("");
    line(match row.kind {
        AccountKind::Tenant => "Tell whoever asked. The application looks for the approval and is connected within minutes; nobody has to sign in.",
        AccountKind::Person | AccountKind::Link | AccountKind::SharedMailbox => "Tell the person who asked to sign in again. The approval counts for the other people of the organisation, too.",
    });
    line("");
    line("To withdraw it: Entra admin center, Enterprise applications, the application, Permissions; or delete the application there.");
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests;
