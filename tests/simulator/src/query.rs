//! Query options against the schema: what is unknown is refused as Graph refuses it, what is not simulated with 501, and nothing
//! is passed over in silence.

use crate::http::{Answer, Call};
use crate::odata::{self, Filter, Trouble, Value};
use crate::schema::{Entity, Meaning, Property};

/// What the simulator lacks, without the request that asked for it, which `graph` adds.
pub fn lacking(what: impl Into<String>) -> Answer {
    Answer::fail(501, "SimulatorLacks", what)
}

pub fn refused(trouble: Trouble) -> Answer {
    match trouble {
        Trouble::Wrong(text) => Answer::fail(400, "BadRequest", text),
        Trouble::Lacks(what) => lacking(what),
    }
}

/// `$filter` of a request.
pub fn filter(call: &Call, entity: &'static Entity) -> Result<Option<Filter>, Answer> {
    call.param("$filter").map(|text| filter_of(&text, entity)).transpose()
}

pub fn filter_of(text: &str, entity: &'static Entity) -> Result<Filter, Answer> {
    odata::parse(text).and_then(|filter| sound(&filter, entity, None).map(|()| filter)).map_err(refused)
}

/// Every name known, every value of the type of its property. In a lambda, by its variable and collection.
fn sound(filter: &Filter, entity: &'static Entity, lambda: Option<(&str, &str)>) -> Result<(), Trouble> {
    match filter {
        Filter::And(a, b) | Filter::Or(a, b) => sound(a, entity, lambda).and_then(|()| sound(b, entity, lambda)),
        Filter::Not(a) => sound(a, entity, lambda),
        Filter::Compare(path, op, value) => fits(kind_of(path, entity, lambda)?, op, value),
        Filter::In(path, values) => {
            let kind = kind_of(path, entity, lambda)?;
            values.iter().try_for_each(|value| fits(kind, "eq", value))
        }
        Filter::Call(function, path, _) => match kind_of(path, entity, lambda)? {
            "Edm.String" => Ok(()),
            kind => Err(Trouble::Wrong(format!("No function signature for the function with name '{function}' matches the specified arguments: {kind}, Edm.String."))),
        },
        Filter::Any(path, variable, inner) | Filter::All(path, variable, inner) => {
            let property = named(path, entity, 'f')?;
            if !property.kind.starts_with("Collection(") {
                return Err(Trouble::Wrong(format!("Any/All may only be used following a collection: '{path}' is none.")));
            }
            match inner {
                Some(inner) => sound(inner, entity, Some((variable, property.name))),
                None => Ok(()),
            }
        }
    }
}

fn named(path: &str, entity: &'static Entity, can: char) -> Result<&'static Property, Trouble> {
    match entity.means(path, can) {
        Meaning::Here(property) => Ok(property),
        Meaning::Lacking if can == 's' => Err(Trouble::Lacks(format!("$orderby on {path}"))),
        Meaning::Lacking => Err(Trouble::Lacks(format!("$filter on {path}"))),
        Meaning::Unknown => Err(Trouble::Wrong(entity.no_property(path))),
    }
}

/// The type of what a path names.
fn kind_of(path: &str, entity: &'static Entity, lambda: Option<(&str, &str)>) -> Result<&'static str, Trouble> {
    let Some((variable, collection)) = lambda else {
        return named(path, entity, 'f').map(|property| property.kind);
    };
    let member = match path.strip_prefix(variable) {
        Some("") => "",
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => return Err(Trouble::Wrong(entity.no_property(path))),
    };
    let known = match collection {
        "singleValueExtendedProperties" => ["id", "value"].iter().any(|m| m.eq_ignore_ascii_case(member)),
        _ => member.is_empty(),
    };
    if known { Ok("Edm.String") } else { Err(Trouble::Wrong(format!("Could not find a property named '{member}' in '{collection}'."))) }
}

/// Can a value of this kind be compared with a property of this type?
fn fits(kind: &str, op: &str, value: &Value) -> Result<(), Trouble> {
    let shown = match value {
        Value::Null => return if matches!(op, "eq" | "ne") { Ok(()) } else { Err(Trouble::Wrong("Null can only be compared by eq and ne.".into())) },
        Value::Bool(_) => "Edm.Boolean",
        Value::Text(_) => "Edm.String",
        Value::Time(_) => "Edm.DateTimeOffset",
        Value::Number(_) => "Edm.Int32",
    };
    let enumeration = !kind.starts_with("Edm.") && !kind.starts_with("Collection(");
    if kind == shown || (enumeration && shown == "Edm.String") {
        return Ok(());
    }
    let operator = match op {
        "eq" => "Equal",
        "ne" => "NotEqual",
        "gt" => "GreaterThan",
        "ge" => "GreaterThanOrEqual",
        "lt" => "LessThan",
        _ => "LessThanOrEqual",
    };
    Err(Trouble::Wrong(format!(
        "A binary operator with incompatible types was detected. Found operand types '{kind}' and '{shown}' for operator kind '{operator}'."
    )))
}

/// `$orderby` of a request: paths in lower case, and whether each goes down.
pub fn order(call: &Call, entity: &'static Entity) -> Result<Vec<(String, bool)>, Answer> {
    let Some(text) = call.param("$orderby") else { return Ok(Vec::new()) };
    let one = |part: &str| {
        let words: Vec<&str> = part.split_whitespace().collect();
        let (path, down) = match words.as_slice() {
            [path] => (*path, false),
            [path, way] if way.eq_ignore_ascii_case("asc") => (*path, false),
            [path, way] if way.eq_ignore_ascii_case("desc") => (*path, true),
            _ => return Err(Trouble::Wrong(format!("Syntax error in the order by clause '{}'.", part.trim()))),
        };
        named(path, entity, 's').map(|_| (path.to_lowercase(), down))
    };
    text.split(',').map(one).collect::<Result<_, _>>().map_err(refused)
}

/// `$select` of a request; `code` is what this service calls an unknown name.
pub fn select(call: &Call, entity: &'static Entity, code: &str) -> Result<Vec<String>, Answer> {
    let names = odata::names(call.param("$select"));
    selected(&names, entity).map_err(|trouble| match trouble {
        Trouble::Wrong(text) => Answer::fail(400, code, text),
        lacks => refused(lacks),
    })?;
    Ok(names)
}

pub fn selected(names: &[String], entity: &'static Entity) -> Result<(), Trouble> {
    for name in names.iter().filter(|n| *n != "*" && !n.starts_with('@')) {
        // A property of a derived type stands behind the name of its type.
        let name = name.strip_prefix("microsoft.graph.").and_then(|n| n.split_once('/')).map_or(name.as_str(), |(_, n)| n);
        match entity.means(name, 'r') {
            Meaning::Here(_) => {}
            Meaning::Lacking => return Err(Trouble::Lacks(format!("$select of {name}"))),
            Meaning::Unknown => return Err(Trouble::Wrong(entity.no_property(name))),
        }
    }
    Ok(())
}

/// `$count`: asked for, or not.
pub fn count(call: &Call) -> Result<bool, Answer> {
    match call.param("$count").map(|c| c.to_ascii_lowercase()).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Answer::fail(400, "BadRequest", format!("Invalid value '{other}' for $count query option found."))),
    }
}

/// `$top` and `$skip`, within bounds.
pub fn window(call: &Call, default: usize, max: usize) -> Result<(usize, usize), Answer> {
    let number = |name: &str, default: usize| match call.param(name) {
        None => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| Answer::fail(400, "BadRequest", format!("Invalid value '{text}' for {name} query option found."))),
    };
    let (top, skip) = (number("$top", default)?, number("$skip", 0)?);
    if !(1..=max).contains(&top) {
        let text = format!("The value of the $top query option is not valid: it must be between 1 and {max}.");
        return Err(Answer::fail(400, "BadRequest", text));
    }
    Ok((top, skip))
}
