//! Holds an outcome against what a scenario expects.

use regex::Regex;
use serde_json::{Map, Value};

const OPERATORS: [&str; 8] = ["len", "contains", "items", "at_least", "at_most", "matches", "not", "missing"];

/// What differs, or nothing. Records compare by the fields named, lists in full.
pub fn mismatch(expected: &Value, actual: &Value, at: &str) -> Option<String> {
    match (expected, actual) {
        (Value::Object(ops), _) if is_operator(ops, actual) => ops.iter().find_map(|(op, arg)| operator(op, arg, actual, at)),
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().find_map(|(key, value)| mismatch(value, actual.get(key).unwrap_or(&Value::Null), &format!("{at}.{key}")))
        }
        (Value::Array(want), Value::Array(have)) => {
            if want.len() != have.len() {
                return Some(format!("{at}: expected {} items, saw {}: {}", want.len(), have.len(), short(actual)));
            }
            want.iter().zip(have).enumerate().find_map(|(i, (w, h))| mismatch(w, h, &format!("{at}.{i}")))
        }
        _ if same(expected, actual) => None,
        _ => Some(format!("{at}: expected {}, saw {}", short(expected), short(actual))),
    }
}

/// A table is an operator when all its keys are, and the outcome is no record that might have such a field.
fn is_operator(table: &Map<String, Value>, actual: &Value) -> bool {
    let known = !table.is_empty() && table.keys().all(|key| OPERATORS.contains(&key.as_str()));
    known && (!actual.is_object() || table.contains_key("not") || table.get("missing").is_some_and(Value::is_boolean))
}

fn operator(op: &str, arg: &Value, actual: &Value, at: &str) -> Option<String> {
    let list = actual.as_array();
    let good = match op {
        "len" => match (list, actual) {
            (Some(items), _) => return mismatch(arg, &Value::from(items.len()), &format!("{at}.len")),
            (None, Value::String(text)) => return mismatch(arg, &Value::from(text.chars().count()), &format!("{at}.len")),
            _ => false,
        },
        "contains" => match actual {
            Value::String(text) => arg.as_str().is_some_and(|part| text.contains(part)),
            _ => list.is_some_and(|items| items.iter().any(|item| mismatch(arg, item, at).is_none())),
        },
        "items" => match list {
            Some(items) => return items.iter().enumerate().find_map(|(i, item)| mismatch(arg, item, &format!("{at}.{i}"))),
            None => false,
        },
        "at_least" => actual.as_f64() >= arg.as_f64() && actual.is_number(),
        "at_most" => actual.as_f64() <= arg.as_f64() && actual.is_number(),
        "matches" => {
            let regex = arg.as_str().map(Regex::new).and_then(Result::ok);
            regex.is_some_and(|r| actual.as_str().is_some_and(|text| r.is_match(text)))
        }
        "not" => mismatch(arg, actual, at).is_some(),
        _ => actual.is_null() == arg.as_bool().unwrap_or(true),
    };
    (!good).then(|| format!("{at}: expected {op} {}, saw {}", short(arg), short(actual)))
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}

/// A value for a message: whole, unless it is long.
pub fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 600 { text.chars().take(600).chain("…".chars()).collect() } else { text }
}
