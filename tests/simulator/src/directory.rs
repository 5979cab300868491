//! Queries of the directory: what works as it is, what needs `ConsistencyLevel: eventual`, and what does not work at all.

use crate::http::{Answer, Call};
use crate::odata::{Filter, Row, Value};
use crate::query::{self, lacking};
use crate::schema::USER;

/// What a list of people is asked for.
pub struct Ask {
    pub filter: Option<Filter>,
    pub search: Option<Vec<Vec<(String, String)>>>,
    pub order: Vec<(String, bool)>,
    pub count: bool,
}

fn unsupported(text: &str) -> Answer {
    Answer::fail(400, "Request_UnsupportedQuery", text)
}

fn is_eventual(call: &Call) -> bool {
    call.header("consistencylevel").is_some_and(|v| v.trim().eq_ignore_ascii_case("eventual"))
}

/// `counted`: this is `…/$count`, which needs no `$count` of its own.
pub fn read(call: &Call, counted: bool) -> Result<Ask, Answer> {
    let eventual = is_eventual(call);
    if counted && !eventual {
        return Err(Answer::fail(400, "Request_BadRequest", "$count is not currently supported."));
    }
    let count = query::count(call)?;
    let advanced = eventual && (count || counted);
    let (filter, order) = (query::filter(call, &USER)?, query::order(call, &USER)?);
    if let Some(filter) = &filter {
        allowed(filter, advanced)?;
    }
    if let Some((path, _)) = order.iter().find(|_| !advanced && (filter.is_some() || order.len() > 1)) {
        let text = format!("Sorting by '{path}' together with a filter is not supported for this query without ConsistencyLevel:eventual and $count=true.");
        return Err(unsupported(&text));
    }
    let search = match call.param("$search") {
        None => None,
        Some(_) if !eventual => {
            let text = "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'";
            return Err(unsupported(text));
        }
        Some(text) => Some(search(&text)?),
    };
    // Without the header a count that is asked for is left out without a word, as Microsoft documents.
    Ok(Ask { filter, search, order, count: count && eventual })
}

const ADVICE: &str = "is not supported because the required parameters might be missing. Try adding $count=true query parameter and \
                      ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information";

fn allowed(filter: &Filter, advanced: bool) -> Result<(), Answer> {
    let needs = |what: &str| if advanced { Ok(()) } else { Err(unsupported(&format!("Operator '{what}' {ADVICE}"))) };
    match filter {
        Filter::And(a, b) | Filter::Or(a, b) => {
            allowed(a, advanced)?;
            allowed(b, advanced)
        }
        Filter::Not(inner) => {
            needs("not")?;
            allowed(inner, advanced)
        }
        Filter::Compare(_, op, Value::Null) if op == "eq" => needs("eq null"),
        Filter::Compare(_, op, _) if op == "ne" => needs("ne"),
        Filter::Compare(_, op, _) if op == "gt" || op == "lt" => Err(unsupported("Unsupported or invalid query filter clause specified.")),
        Filter::Compare(path, op, _) if op != "eq" && ["id", "accountEnabled", "userType"].iter().any(|p| p.eq_ignore_ascii_case(path)) => {
            Err(unsupported("Unsupported or invalid query filter clause specified."))
        }
        Filter::Call(function, path, _) => match function.as_str() {
            "startswith" if ["id", "userType"].iter().any(|p| p.eq_ignore_ascii_case(path)) => Err(unsupported("Unsupported Query.")),
            "startswith" => Ok(()),
            // In a lambda the path is its variable.
            "endswith" if !["displayName", "givenName", "surname", "id", "userType"].iter().any(|p| p.eq_ignore_ascii_case(path)) => needs("endsWith"),
            _ => Err(unsupported("Unsupported Query.")),
        },
        Filter::Any(_, _, None) => needs("any"),
        Filter::Any(_, _, Some(inner)) => allowed(inner, advanced),
        Filter::All(..) => Err(unsupported("Unsupported Query.")),
        Filter::Compare(..) | Filter::In(..) => Ok(()),
    }
}

/// `"displayName:wa" OR "mail:x"`: alternatives, each of things that must all hold.
fn search(text: &str) -> Result<Vec<Vec<(String, String)>>, Answer> {
    let wrong = || Answer::fail(400, "Request_BadRequest", format!("Invalid $search clause: {text}"));
    let mut all = vec![Vec::new()];
    let mut rest = text.trim();
    loop {
        let (inside, after) = rest.strip_prefix('"').and_then(|r| r.split_once('"')).ok_or_else(wrong)?;
        let (name, value) = inside.split_once(':').ok_or_else(wrong)?;
        const KNOWN: [&str; 6] = ["displayName", "mail", "userPrincipalName", "givenName", "surname", "proxyAddresses"];
        if !KNOWN.iter().any(|k| k.eq_ignore_ascii_case(name.trim())) {
            return Err(lacking(format!("$search of {name}")));
        }
        if let Some(last) = all.last_mut() {
            last.push((name.trim().to_lowercase(), value.trim().to_lowercase()));
        }
        let after = after.trim_start();
        rest = match (after.strip_prefix("AND "), after.strip_prefix("OR ")) {
            (Some(next), _) => next.trim_start(),
            (_, Some(next)) => {
                all.push(Vec::new());
                next.trim_start()
            }
            _ if after.is_empty() => return Ok(all),
            // Clauses side by side must hold together.
            _ if after.starts_with('"') => after,
            _ => return Err(wrong()),
        };
    }
}

/// Names are searched word by word, addresses from their beginning.
pub fn finds(search: &[Vec<(String, String)>], row: &dyn Row) -> bool {
    let one = |(name, value): &(String, String)| match row.get(name) {
        Value::Text(text) if name == "displayname" => {
            let text = text.to_lowercase();
            let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
            value.split_whitespace().all(|part| words.iter().any(|w| w.starts_with(part)))
        }
        Value::Text(text) => text.to_lowercase().starts_with(value),
        _ => row.items(name).iter().flatten().any(|(_, item)| {
            let item = item.to_lowercase();
            item.starts_with(value) || item.trim_start_matches("smtp:").starts_with(value)
        }),
    };
    search.iter().any(|all| all.iter().all(one))
}
