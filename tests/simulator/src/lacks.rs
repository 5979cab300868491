//! What the simulator lacks, told from the tables that decide it. README.md holds this text, and a test compares them.

use crate::entra::token::LACKING;
use crate::routes::{BOT, GRAPH, LOGIN, Route};
use crate::schema::{CHAT, CHAT_MESSAGE, CHANNEL, CONTACT, CONTACT_FOLDER, EVENT, Entity, FOLDER, INSTALLATION, MESSAGE, ORGANIZATION, TEAM, TEAMS_APP_DEFINITION, USER, USER_INSTALLATION};

pub fn section() -> String {
    let mut out = String::from("Paths of Graph, below `/v1.0/`; `beta` and every path that is not in its table are lacking altogether:\n\n");
    let path = |r: &Route| format!("- `{}`: {}\n", r.path, r.lacks);
    out.extend(GRAPH.iter().filter(|r| !r.lacks.is_empty()).map(path));
    out.push_str("\nPaths of the sign-in host:\n\n");
    out.extend(LOGIN.iter().filter(|r| !r.lacks.is_empty()).map(path));
    out.push_str("\nPaths of the Bot Connector, behind the region and `v3/`:\n\n");
    out.extend(BOT.iter().filter(|r| !r.lacks.is_empty()).map(path));
    out.push_str(&format!("\nGrants: `{}`.\n", LACKING.join("`, `")));
    out.push_str("\nProperties and links that cannot be selected or expanded:\n\n");
    let names = |e: &Entity| {
        let all = e.properties.iter().chain(e.links).filter(|p| !p.can.contains('r'));
        format!("- {}: {}\n", e.name, all.map(|p| p.name).collect::<Vec<_>>().join(", "))
    };
    out.extend([&USER, &ORGANIZATION, &MESSAGE, &FOLDER, &CHAT, &CHAT_MESSAGE, &TEAM, &CHANNEL, &TEAMS_APP_DEFINITION, &INSTALLATION, &USER_INSTALLATION, &CONTACT, &CONTACT_FOLDER, &EVENT].into_iter().map(names));
    out.push_str("\nQuery options that are understood (all others are 501):\n\n");
    out.extend(GRAPH.iter().filter(|r| !r.options.is_empty()).map(|r| format!("- `{}`: {}\n", r.path, r.options)));
    out
}

#[cfg(test)]
mod tests {
    /// Run with REWRITE=1 to write the section anew.
    #[test]
    fn the_manual_lists_what_is_lacking() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let manual = std::fs::read_to_string(&file).expect("README.md");
        let (begin, end) = ("<!-- what it lacks, made from the code -->\n", "<!-- until here -->");
        let (before, rest) = manual.split_once(begin).expect("the beginning of the section");
        let (section, after) = rest.split_once(end).expect("its end");
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(&file, format!("{before}{begin}{}{end}{after}", super::section())).expect("README.md");
            return;
        }
        assert_eq!(section, super::section(), "write it anew with REWRITE=1 cargo test -p m365-sim --lib lacks");
    }
}
