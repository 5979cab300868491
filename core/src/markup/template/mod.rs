//! Templates with merge fields: what a host writes once, filled for each recipient.
//!
//! A template is looked at before anything of it is run ([`tokens`]): it may name fields, pass them through harmless filters and ask for them, nothing else, so
//! that its work grows with its length and the values alone. The library fills it with each value between two marks of characters that no text has (private use,
//! Unicode 23.5); then each value is escaped for where it stands ([`escape`], [`html`]). Errors name the part of the draft, the line and the field,
//! never a value. Source: Jinja, Template Designer Documentation.

mod escape;
mod fields;
mod html;
mod tokens;

pub use fields::Fields;

use crate::error::{Error, ErrorKind, Result};
use crate::model::BodyType;
use minijinja::{Environment, UndefinedBehavior, Value, filters};
use std::fmt::Write as _;
use std::io;
use std::ops::Range;

/// Bytes of one template.
const LONGEST_TEMPLATE: usize = 256 * 1024;
/// Bytes of what a template may become.
const LONGEST_FILLED: usize = 1024 * 1024;
/// Steps of the library for one template; a few for each field that is named.
const FUEL: u64 = 2_000_000;

/// Around a value.
const OPEN: char = '\u{F8F6}';
const CLOSE: char = '\u{F8F7}';

/// A filled template.
#[derive(Debug, PartialEq, Eq)]
pub struct Filled {
    pub text: String,
    /// Where in the text values stand, in order, as bytes.
    values: Vec<Range<usize>>,
}

impl Filled {
    /// A value holds this text, or completes it with what is around.
    pub fn is_made_by_value(&self, text: &str) -> bool {
        let Some(first) = text.chars().next() else { return false };
        let mut from = 0;
        while let Some(at) = self.text.get(from..).and_then(|rest| rest.find(text)).map(|at| from + at) {
            if self.values.iter().any(|value| value.start < at + text.len() && at < value.end) {
                return true;
            }
            from = at + first.len_utf8();
        }
        false
    }
}

/// Fills a template. `part`: what it is called in errors, as in "body". Errors: InvalidInput for what a template may not say, naming the line, and for a field
/// without a value, naming it; LimitExceeded for what is too long.
pub fn fill(part: &str, template: &str, kind: BodyType, fields: &Fields) -> Result<Filled> {
    if template.len() > LONGEST_TEMPLATE {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("The template of the {part} is longer than 256 KB. Shorten it.")));
    }
    let template = template.replace([OPEN, CLOSE], "");
    let uses = tokens::check(part, &template)?;
    fields.check_given(part, &uses)?;
    let marked = render(part, &template, fields.context(&uses))?;
    let filled = match kind {
        BodyType::Text => escape::at_marks(&marked, |_, value| Ok(value.to_owned())),
        BodyType::Markdown => escape::at_marks(&marked, |_, value| Ok(escape::markdown(value))),
        BodyType::Html => html::at_marks(part, &marked),
    }?;
    if filled.text.len() > LONGEST_FILLED { Err(too_long(part)) } else { Ok(filled) }
}

/// With each value between marks.
fn render(part: &str, template: &str, context: Value) -> Result<String> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("default", filters::default);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    // Each value is escaped for where it stands in any case.
    environment.add_filter("escape", |value: Value| value);
    environment.add_filter("e", |value: Value| value);
    environment.add_test("defined", minijinja::tests::is_defined);
    environment.add_test("undefined", minijinja::tests::is_undefined);
    environment.set_formatter(|out, _, value| {
        if value.is_undefined() {
            return Err(minijinja::ErrorKind::UndefinedError.into());
        }
        out.write_char(OPEN)?;
        out.write_str(&value.to_string())?;
        Ok(out.write_char(CLOSE)?)
    });
    let template = environment.template_from_str(template).map_err(|e| mistake(part, &e))?;
    let mut out = Limited(Vec::new());
    match template.render_captured_to(context, &mut out) {
        Ok(_) => String::from_utf8(out.0).map_err(|_| Error::internal("A template became something that is no text.")),
        Err(error) => Err(match error.kind() {
            minijinja::ErrorKind::WriteFailure | minijinja::ErrorKind::OutOfFuel => too_long(part),
            _ => mistake(part, &error),
        }),
    }
}

/// What the library says is not repeated once values are in it.
fn mistake(part: &str, error: &minijinja::Error) -> Error {
    let line = error.line().unwrap_or(1);
    let detail = match (error.kind(), error.detail()) {
        (minijinja::ErrorKind::SyntaxError, Some(detail)) if detail.len() <= 200 => format!(": {detail}"),
        (minijinja::ErrorKind::UndefinedError, _) => ": a field without a value is used".to_owned(),
        _ => String::new(),
    };
    Error::invalid(format!("The template of the {part} has a mistake in line {line}{detail}. Mend it, or leave merge_fields out to send it to the letter."))
}

fn too_long(part: &str) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("The {part} becomes longer than 1 MB once it is filled. Shorten the template or its values."))
}

/// Takes no more than a filled template may be.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_FILLED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
