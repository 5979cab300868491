//! The values that a host gives, by their names.

use super::tokens::Use;
use super::{CLOSE, OPEN};
use crate::error::{Error, ErrorKind, Result};
use minijinja::Value;
use std::collections::{BTreeMap, HashMap};

const MOST_FIELDS: usize = 100;
const LONGEST_NAME: usize = 100;
/// Bytes of all values.
const LONGEST_VALUES: usize = 256 * 1024;

/// Merge fields that were looked at.
pub struct Fields(BTreeMap<String, String>);

/// A name of a field is one of these or begins with it: the language has them.
const RESERVED: [&str; 17] = ["and", "or", "not", "in", "is", "if", "elif", "else", "endif", "true", "false", "none", "True", "False", "None", "loop", "self"];

impl Fields {
    /// Errors: InvalidInput for a name that no template could use, and for names that contradict each other; LimitExceeded.
    pub fn new(given: &HashMap<String, String>) -> Result<Self> {
        if given.len() > MOST_FIELDS {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("There are {} merge_fields; {MOST_FIELDS} is the most.", given.len())));
        }
        if given.values().map(String::len).sum::<usize>() > LONGEST_VALUES {
            return Err(Error::new(ErrorKind::LimitExceeded, "The values of merge_fields are longer than 256 KB together. Shorten them."));
        }
        let mut fields = BTreeMap::new();
        for (name, value) in given {
            let trimmed = name.trim();
            if trimmed.chars().count() > LONGEST_NAME {
                return Err(Error::new(ErrorKind::LimitExceeded, format!("A name in merge_fields is longer than {LONGEST_NAME} characters. Shorten it.")));
            }
            if !is_name(trimmed) {
                return Err(Error::invalid(format!("The name {trimmed:?} in merge_fields is none that a template can use. Use letters, digits and _, with dots between them, as in candidate.first_name.")));
            }
            if fields.insert(trimmed.to_owned(), value.replace([OPEN, CLOSE], "")).is_some() {
                return Err(Error::invalid(format!("merge_fields names {trimmed} twice, with other spaces around it. Leave one out.")));
            }
        }
        for name in fields.keys() {
            if let Some(other) = fields.keys().find(|other| is_part(name, other)) {
                return Err(Error::invalid(format!("merge_fields has a value for {name} and one for {other}, which is a part of it. Leave one out, or name it otherwise.")));
            }
        }
        Ok(Self(fields))
    }

    /// Errors: InvalidInput, naming the first field that has no value and needs one.
    pub fn check_given(&self, part: &str, uses: &[Use]) -> Result<()> {
        for one in uses {
            let name = one.name.as_str();
            if self.0.contains_key(name) {
                continue;
            }
            if let Some(of_it) = self.0.keys().find(|given| is_part(name, given)) {
                return Err(Error::invalid(format!("The {part} names the field {name} in line {}, of which merge_fields has parts only, as {of_it}. Name the part that is to stand there.", one.line)));
            }
            // One that is asked for somewhere may be missing.
            if !uses.iter().any(|other| other.is_optional && other.name == name) {
                return Err(Error::invalid(format!("The {part} names the field {name} in line {}, and merge_fields has no value for it. Give one, or write {{{{ {name}|default(\"…\") }}}}.", one.line)));
            }
        }
        Ok(())
    }

    /// What the library looks names up in: what a name has before its last dot is there in any case, so that a part that is missing is just missing.
    pub fn context(&self, uses: &[Use]) -> Value {
        let mut root = Node::default();
        for one in uses {
            root.at(&one.name);
        }
        for (name, value) in &self.0 {
            if let Some(node) = root.at(name) {
                node.value = Some(value.clone());
            }
        }
        root.into_value().unwrap_or_default()
    }
}

#[derive(Default)]
struct Node {
    value: Option<String>,
    parts: BTreeMap<String, Node>,
}

impl Node {
    fn at(&mut self, name: &str) -> Option<&mut Self> {
        name.split('.').try_fold(self, |node, part| Some(node.parts.entry(part.to_owned()).or_default()))
    }

    /// None: a field without a value.
    fn into_value(self) -> Option<Value> {
        match self.value {
            Some(value) => Some(Value::from(value)),
            None if self.parts.is_empty() => None,
            None => Some(self.parts.into_iter().filter_map(|(name, node)| Some((name, node.into_value()?))).collect()),
        }
    }
}

fn is_part(name: &str, other: &str) -> bool {
    other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

fn is_name(name: &str) -> bool {
    let is_word = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    name.split('.').all(is_word) && !name.split('.').any(|word| RESERVED.contains(&word))
}
