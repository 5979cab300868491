//! Reading TOML so that every error names the key, and none a value: values may be secrets.

use crate::error::{Error, Result};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

/// Looks an environment variable up.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

pub struct TomlText<'a> {
    text: &'a str,
    env: Env<'a>,
    /// A secret stands in it, not the name of a variable that holds one.
    holds_secret: Cell<bool>,
}

impl<'a> TomlText<'a> {
    pub fn new(text: &'a str, env: Env<'a>) -> Self {
        // Editors of some systems put a mark before the first letter.
        Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), env, holds_secret: Cell::new(false) }
    }

    /// The whole text as a table of these keys.
    pub fn top(&self, known: &[&str]) -> Result<Section<'_, 'a>> {
        let table = DeTable::parse(self.text).map_err(|e| {
            // The parser's own words may quote the line.
            let place = e.span().map_or_else(|| "The configuration file".to_owned(), |span| format!("Line {} of the configuration file", self.line(span.start)));
            Error::invalid(format!("{place} is not TOML. Texts stand in quotes, and each key stands once."))
        })?;
        Section::open(self, String::new(), table.into_inner(), known)
    }

    /// Whether a secret that was read so far stands in the text itself.
    pub fn holds_secret(&self) -> bool {
        self.holds_secret.get()
    }

    fn line(&self, at: usize) -> usize {
        self.text.get(..at).map_or(1, |before| before.matches('\n').count() + 1)
    }

    /// `${NAME}` is an environment variable, `$${` a literal `${`. A value of the environment is taken as it is.
    fn expand(&self, key: &str, raw: &str) -> Result<Zeroizing<String>> {
        let mut out = Zeroizing::new(String::with_capacity(raw.len()));
        let mut rest = raw;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = after;
                continue;
            }
            out.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or(("", ""));
            let is_name = !name.is_empty() && name.len() <= 200 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
            if !is_name {
                return Err(Error::invalid(format!("{key} holds ${{ without the name of an environment variable and }}. Write $${{ for the characters themselves.")));
            }
            let value = (self.env)(name).ok_or_else(|| Error::invalid(format!("{key} needs the environment variable {name}, which is not set.")))?;
            let value = Zeroizing::new(value.into_string().map_err(|_| Error::invalid(format!("{key} needs the environment variable {name}, which is not UTF-8.")))?);
            out.push_str(&value);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// One table, whose keys were all found to be known.
pub struct Section<'f, 'a> {
    file: &'f TomlText<'a>,
    /// Path of the table, with a dot at its end; empty at the top.
    prefix: String,
    entries: BTreeMap<String, DeValue<'f>>,
}

impl<'f, 'a> Section<'f, 'a> {
    fn open(file: &'f TomlText<'a>, prefix: String, table: DeTable<'f>, known: &[&str]) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let line = file.line(key.span().start);
            let name = key.into_inner().into_owned();
            if !known.is_empty() && !known.contains(&name.as_str()) {
                return Err(unknown(&prefix, &name, line, known));
            }
            entries.insert(name, value.into_inner());
        }
        Ok(Self { file, prefix, entries })
    }

    /// The key as an error names it.
    pub fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub fn text(&mut self, key: &str) -> Result<Option<Zeroizing<String>>> {
        self.text_or(key, "a text in quotes")
    }

    /// A text that is a secret, or `part` of which is one.
    pub fn secret(&mut self, key: &str, part: impl FnOnce(&str) -> &str) -> Result<Option<Zeroizing<String>>> {
        if let Some(DeValue::String(raw)) = self.entries.get(key) {
            self.file.holds_secret.set(self.file.holds_secret.get() || !without_variables(part(raw)).trim().is_empty());
        }
        self.text(key)
    }

    pub fn text_or(&mut self, key: &str, wanted: &str) -> Result<Option<Zeroizing<String>>> {
        match self.entries.remove(key) {
            None => Ok(None),
            Some(DeValue::String(raw)) => self.file.expand(&self.path(key), &raw).map(Some),
            Some(_) => Err(self.wants(key, wanted)),
        }
    }

    pub fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>> {
        let wanted = "a list of texts in quotes, such as [\"inbox\"]";
        let items = match self.entries.remove(key) {
            None => return Ok(None),
            Some(DeValue::Array(items)) => items,
            Some(_) => return Err(self.wants(key, wanted)),
        };
        let one = |item: Spanned<DeValue<'_>>| match item.into_inner() {
            DeValue::String(raw) => self.file.expand(&self.path(key), &raw).map(|text| text.to_string()),
            _ => Err(self.wants(key, wanted)),
        };
        items.into_iter().map(one).collect::<Result<_>>().map(Some)
    }

    pub fn number(&mut self, key: &str) -> Result<Option<u32>> {
        match self.entries.remove(key) {
            None => Ok(None),
            Some(DeValue::Integer(number)) => match u32::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.wants(key, "a whole number from 0 to 4294967295")),
            },
            Some(_) => Err(self.wants(key, "a whole number, without quotes")),
        }
    }

    pub fn flag(&mut self, key: &str) -> Result<Option<bool>> {
        match self.entries.remove(key) {
            None => Ok(None),
            Some(DeValue::Boolean(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wants(key, "true or false, without quotes")),
        }
    }

    pub fn is_table(&self, key: &str) -> bool {
        matches!(self.entries.get(key), Some(DeValue::Table(_)))
    }

    pub fn section(&mut self, key: &str, known: &[&str]) -> Result<Option<Self>> {
        match self.entries.remove(key) {
            None => Ok(None),
            Some(DeValue::Table(table)) => Self::open(self.file, format!("{}.", self.path(key)), table, known).map(Some),
            Some(_) => Err(self.wants(key, &format!("a table of {}", known.join(", ")))),
        }
    }

    /// A table of tables, by their names: `[apps.NAME]`.
    pub fn sections(&mut self, key: &str, known: &[&str]) -> Result<Vec<(String, Self)>> {
        let Some(mut outer) = self.section(key, &[])? else { return Ok(Vec::new()) };
        let names: Vec<String> = outer.entries.keys().cloned().collect();
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            if !is_plain(&name) {
                return Err(Error::invalid(format!("A name in {key} must be 1 to 50 letters, digits, - or _.")));
            }
            if let Some(section) = outer.section(&name, known)? {
                all.push((name, section));
            }
        }
        Ok(all)
    }

    fn wants(&self, key: &str, wanted: &str) -> Error {
        Error::invalid(format!("{} must be {wanted}.", self.path(key)))
    }
}

/// What is written down itself, beside the variables.
fn without_variables(raw: &str) -> String {
    let mut parts = raw.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('}').map_or(part, |(_, after)| after))
}

/// A name that may be repeated in an error.
fn is_plain(name: &str) -> bool {
    (1..=50).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn unknown(prefix: &str, name: &str, line: usize, known: &[&str]) -> Error {
    if !is_plain(name) {
        return Error::invalid(format!("Line {line} of the configuration file holds a key that is not known here."));
    }
    let nearest = known.iter().map(|known| (strsim::osa_distance(name, known), *known)).min();
    let hint = match nearest {
        Some((distance, known)) if distance <= (known.len() / 3).max(2) => format!("did you mean {prefix}{known}?"),
        _ => format!("known are {}.", known.join(", ")),
    };
    Error::invalid(format!("{prefix}{name} in line {line} of the configuration file is not known here; {hint}"))
}
