//! Scenario values: `$name.path` filled in, `repeat` unrolled.

use regex::{Captures, Regex};
use serde_json::{Map, Value};
use std::sync::LazyLock;

pub type Vars = Map<String, Value>;

static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)*)").unwrap_or_else(|e| panic!("{e}")));

/// The value with every `$name` replaced. A text that is nothing but a name becomes the value itself, and the name must be known;
/// inside a longer text an unknown name stays as it is (it may be a `$filter`).
pub fn fill(value: &Value, vars: &Vars) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => match NAME.captures(text) {
            Some(whole) if whole[0].len() == text.len() => lookup(vars, &whole[1]).cloned().ok_or_else(|| format!("{text} is not known"))?,
            _ => Value::String(NAME.replace_all(text, |found: &Captures<'_>| lookup(vars, &found[1]).map_or_else(|| found[0].to_owned(), plain)).into_owned()),
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, vars)).collect::<Result<_, _>>()?),
        Value::Object(fields) => match fields.get("repeat").and_then(Value::as_u64) {
            Some(times) => repeat(times, fields, vars)?,
            None => Value::Object(fields.iter().map(|(k, v)| Ok((k.clone(), fill(v, vars)?))).collect::<Result<_, String>>()?),
        },
        other => other.clone(),
    })
}

/// `{ repeat = 3, of = … }` is a list in which `$i` counts from 1; `{ repeat = 3, text = "x" }` is a text.
fn repeat(times: u64, fields: &Map<String, Value>, vars: &Vars) -> Result<Value, String> {
    if let Some(text) = fields.get("text").and_then(Value::as_str) {
        return Ok(Value::String(text.repeat(usize::try_from(times).unwrap_or_default())));
    }
    let mut vars = vars.clone();
    let item = fields.get("of").ok_or("repeat needs `of` or `text`")?;
    let items = (1..=times).map(|i| {
        vars.insert("i".into(), Value::from(i));
        fill(item, &vars)
    });
    Ok(Value::Array(items.collect::<Result<_, _>>()?))
}

fn lookup<'a>(vars: &'a Vars, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = vars.get(parts.next()?)?;
    parts.try_fold(first, |value, part| match part.parse::<usize>() {
        Ok(index) => value.get(index),
        Err(_) => value.get(part),
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
