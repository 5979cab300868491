//! Answers made odd: members set to something else, bytes in place of others.

use serde_json::Value;

/// Sets each member by its path (`value/*/from`; `*` is every item of a list or member of an object). `"$gone"` takes it away.
pub fn all(answer: &mut Value, members: &Value) {
    for (path, value) in members.as_object().into_iter().flatten() {
        let steps: Vec<&str> = path.split('/').collect();
        set(answer, &steps, value);
    }
}

fn set(at: &mut Value, steps: &[&str], value: &Value) {
    let [step, rest @ ..] = steps else { return };
    match (at, *step) {
        (Value::Array(items), "*") => items.iter_mut().for_each(|item| put(item, rest, value)),
        (Value::Object(members), "*") => members.values_mut().for_each(|member| put(member, rest, value)),
        (Value::Array(items), n) => {
            if let Some(item) = n.parse::<usize>().ok().and_then(|n| items.get_mut(n)) {
                put(item, rest, value);
            }
        }
        (Value::Object(members), name) if rest.is_empty() && value == "$gone" => drop(members.remove(name)),
        // What is not there is not made, save at the end of the path.
        (Value::Object(members), name) if rest.is_empty() => drop(members.insert(name.to_owned(), value.clone())),
        (Value::Object(members), name) => {
            if let Some(member) = members.get_mut(name) {
                put(member, rest, value);
            }
        }
        _ => {}
    }
}

fn put(at: &mut Value, rest: &[&str], value: &Value) {
    match rest {
        [] => *at = value.clone(),
        _ => set(at, rest, value),
    }
}

pub fn bytes(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while !from.is_empty() && rest.len() >= from.len() {
        if rest.starts_with(from) {
            out.extend_from_slice(to);
            rest = &rest[from.len()..];
        } else {
            out.push(rest[0]);
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
    out
}
