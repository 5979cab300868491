//! The types of Graph that the simulator knows: names and types of Microsoft's schema, and what is simulated of each. `$metadata`,
//! and the refusal of names that are unknown or not simulated, come from here.

mod directory;
mod outlook;
mod teams;

pub use directory::{ORGANIZATION, USER};
pub use outlook::{ATTACHMENT, CATEGORY, CONTACT, CONTACT_FOLDER, EVENT, FOLDER, MESSAGE, PHOTO, SETTINGS};
pub use teams::{CHANNEL, CHAT, CHAT_MESSAGE, INSTALLATION, TEAM, TEAMS_APP, TEAMS_APP_DEFINITION, USER_INSTALLATION};

pub struct Property {
    pub name: &'static str,
    /// As the schema writes it: `Edm.String`, `importance`, `Collection(recipient)`.
    pub kind: &'static str,
    /// `r` can be selected, `f` filtered, `s` sorted by; nothing: Microsoft has it, the simulator does not.
    pub can: &'static str,
}

pub struct Entity {
    pub name: &'static str,
    pub base: &'static str,
    pub properties: &'static [Property],
    /// Navigation; those that can be expanded with an `r`.
    pub links: &'static [Property],
    /// Paths below properties, for filters and orders.
    pub paths: &'static [Property],
}

const fn p(name: &'static str, kind: &'static str, can: &'static str) -> Property {
    Property { name, kind, can }
}

const TEXT: &str = "Edm.String";
const BOOL: &str = "Edm.Boolean";
const TIME: &str = "Edm.DateTimeOffset";
const INT: &str = "Edm.Int32";
const TEXTS: &str = "Collection(Edm.String)";
const PEOPLE: &str = "Collection(recipient)";

/// What a name means to an entity.
pub enum Meaning {
    Here(&'static Property),
    /// Microsoft has it, the simulator does not.
    Lacking,
    Unknown,
}

impl Entity {
    /// What can be done with a property, a path, or a link.
    pub fn means(&'static self, path: &str, can: char) -> Meaning {
        let all = self.properties.iter().chain(self.links).chain(self.paths);
        let found = all.into_iter().find(|p| p.name.eq_ignore_ascii_case(path));
        match found {
            Some(property) if property.can.contains(can) => Meaning::Here(property),
            Some(_) => Meaning::Lacking,
            // A path below a property that is no plain value may well exist.
            None => {
                let first = path.split('/').next().unwrap_or("");
                let complex = |p: &&Property| p.name.eq_ignore_ascii_case(first) && !p.kind.starts_with("Edm.");
                let known = self.properties.iter().chain(self.links).find(complex).is_some();
                if known && path.contains('/') { Meaning::Lacking } else { Meaning::Unknown }
            }
        }
    }

    pub fn no_property(&self, name: &str) -> String {
        format!("Could not find a property named '{name}' on type 'microsoft.graph.{}'.", self.name)
    }
}
