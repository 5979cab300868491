//! Query options: names, expansions, and `$filter` as far as the simulator is asked.

use crate::http::{Call, encode};

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Text(String),
    Time(i64),
    Number(f64),
}

/// Something that a filter can be held against.
pub trait Row {
    fn get(&self, path: &str) -> Value;
    /// The members of a collection, each as pairs; the empty name is the member itself.
    fn items(&self, path: &str) -> Vec<Vec<(String, String)>>;
}

#[derive(Debug)]
pub enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare(String, String, Value),
    In(String, Vec<Value>),
    Call(String, String, String),
    /// A lambda; without a condition it asks whether there is anything at all.
    Any(String, String, Option<Box<Filter>>),
    All(String, String, Option<Box<Filter>>),
}

/// Why a filter is not taken.
#[derive(Debug)]
pub enum Trouble {
    Wrong(String),
    /// Microsoft would take it.
    Lacks(String),
}

impl From<String> for Trouble {
    fn from(text: String) -> Trouble {
        Trouble::Wrong(text)
    }
}

impl From<&str> for Trouble {
    fn from(text: &str) -> Trouble {
        Trouble::Wrong(text.into())
    }
}

/// Functions of OData that Microsoft knows somewhere.
const FUNCTIONS: [&str; 18] = [
    "concat", "indexof", "length", "substring", "tolower", "toupper", "trim", "year", "month", "day", "hour", "minute", "second", "date",
    "now", "round", "matchespattern", "isof",
];

impl Filter {
    pub fn holds(&self, row: &dyn Row) -> bool {
        match self {
            Filter::And(a, b) => a.holds(row) && b.holds(row),
            Filter::Or(a, b) => a.holds(row) || b.holds(row),
            Filter::Not(a) => !a.holds(row),
            Filter::Compare(name, op, value) => compare(name, &row.get(name), op, value),
            Filter::In(name, values) => values.iter().any(|value| compare(name, &row.get(name), "eq", value)),
            Filter::Call(function, name, part) => match row.get(name) {
                Value::Text(text) => {
                    let (text, part) = (text.to_lowercase(), part.to_lowercase());
                    match function.as_str() {
                        "startswith" => text.starts_with(&part),
                        "endswith" => text.ends_with(&part),
                        _ => text.contains(&part),
                    }
                }
                _ => false,
            },
            Filter::Any(path, variable, inner) => row
                .items(path)
                .into_iter()
                .any(|item| inner.as_ref().is_none_or(|inner| inner.holds(&Member { variable, item: &item }))),
            Filter::All(path, variable, inner) => row
                .items(path)
                .into_iter()
                .all(|item| inner.as_ref().is_none_or(|inner| inner.holds(&Member { variable, item: &item }))),
        }
    }

    /// The properties named, in order.
    pub fn properties(&self) -> Vec<&str> {
        match self {
            Filter::And(a, b) | Filter::Or(a, b) => [a.properties(), b.properties()].concat(),
            Filter::Not(a) => a.properties(),
            Filter::Compare(name, ..)
            | Filter::In(name, _)
            | Filter::Call(_, name, _)
            | Filter::Any(name, ..)
            | Filter::All(name, ..) => vec![name],
        }
    }
}

struct Member<'a> {
    variable: &'a str,
    item: &'a [(String, String)],
}

impl Row for Member<'_> {
    fn get(&self, path: &str) -> Value {
        let name = path.strip_prefix(self.variable).unwrap_or(path).trim_start_matches('/');
        let found = self.item.iter().find(|(k, _)| k.eq_ignore_ascii_case(name));
        found.map_or(Value::Null, |(_, v)| Value::Text(v.clone()))
    }

    fn items(&self, _: &str) -> Vec<Vec<(String, String)>> {
        Vec::new()
    }
}

fn compare(name: &str, have: &Value, op: &str, want: &Value) -> bool {
    use std::cmp::Ordering::*;
    let order = match (have, want) {
        // The names of extended properties are case-sensitive, all other text is not.
        (Value::Text(a), Value::Text(b)) if name.ends_with("/id") => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b).unwrap_or(Less),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Null, Value::Null) => Equal,
        _ => return op == "ne",
    };
    match op {
        "eq" => order == Equal,
        "ne" => order != Equal,
        "gt" => order == Greater,
        "ge" => order != Less,
        "lt" => order == Less,
        "le" => order != Greater,
        _ => false,
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            ' ' | '\t' => {
                chars.next();
            }
            '(' | ')' | ',' => {
                out.push(Token::Mark(c));
                chars.next();
            }
            '\'' => {
                chars.next();
                let mut inside = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            inside.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => inside.push(c),
                        None => {
                            return Err("There is an unterminated string literal in the filter.".into());
                        }
                    }
                }
                out.push(Token::Text(inside));
            }
            _ => {
                let mut word = String::new();
                while let Some(&c) = chars.peek().filter(|c| !" \t(),'".contains(**c)) {
                    // The colon after a lambda's variable, but not one inside a time.
                    if c == ':' && !word.starts_with(|d: char| d.is_ascii_digit()) {
                        break;
                    }
                    word.push(c);
                    chars.next();
                }
                if chars.peek() == Some(&':') {
                    chars.next();
                    out.push(Token::Word(word));
                    out.push(Token::Mark(':'));
                } else {
                    out.push(Token::Word(word));
                }
            }
        }
    }
    Ok(out)
}

pub fn parse(text: &str) -> Result<Filter, Trouble> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let filter = parser.or()?;
    if parser.at < parser.tokens.len() {
        return Err(format!("Invalid filter clause: {text}").into());
    }
    Ok(filter)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn mark(&mut self, mark: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Mark(mark));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: char) -> Result<(), Trouble> {
        if self.mark(mark) { Ok(()) } else { Err(format!("Invalid filter clause: '{mark}' expected.").into()) }
    }

    fn or(&mut self) -> Result<Filter, Trouble> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, Trouble> {
        let mut left = self.one()?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Filter, Trouble> {
        if self.word("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if self.mark('(') {
            let inner = self.or()?;
            self.expect(')')?;
            return Ok(inner);
        }
        let Some(Token::Word(name)) = self.next() else {
            return Err("Invalid filter clause: a property expected.".into());
        };
        if !self.mark('(') {
            let Some(Token::Word(op)) = self.next() else {
                return Err("Invalid filter clause: an operator expected.".into());
            };
            return match op.to_ascii_lowercase().as_str() {
                op @ ("eq" | "ne" | "gt" | "ge" | "lt" | "le") => Ok(Filter::Compare(name, op.into(), self.literal()?)),
                "in" => self.list(name),
                op @ ("has" | "add" | "sub" | "mul" | "div" | "mod") => Err(Trouble::Lacks(format!("the operator {op} in $filter"))),
                op => Err(format!("Invalid filter clause: '{op}' is no operator.").into()),
            };
        }
        let lower = name.to_ascii_lowercase();
        for (end, any) in [("/any", true), ("/all", false)] {
            if let Some(path) = lower.strip_suffix(end) {
                let path = name.get(..path.len()).unwrap_or("").to_string();
                let (variable, inner) = self.lambda(any)?;
                return Ok(if any { Filter::Any(path, variable, inner) } else { Filter::All(path, variable, inner) });
            }
        }
        if FUNCTIONS.contains(&lower.as_str()) {
            return Err(Trouble::Lacks(format!("the function {lower} in $filter")));
        }
        if !["startswith", "endswith", "contains"].contains(&lower.as_str()) {
            return Err(format!("An unknown function with name '{name}' was found. This may also be a function import or a key lookup on a navigation property, which is not allowed.").into());
        }
        let Some(Token::Word(property)) = self.next() else {
            return Err("Invalid filter clause: a property expected.".into());
        };
        self.expect(',')?;
        let Some(Token::Text(part)) = self.next() else {
            return Err("Invalid filter clause: text expected.".into());
        };
        self.expect(')')?;
        // `startswith(…) eq true` says the same.
        if self.word("eq") {
            let wanted = self.word("true");
            let call = Filter::Call(lower, property, part);
            return if wanted || !self.word("false") { Ok(call) } else { Ok(Filter::Not(Box::new(call))) };
        }
        Ok(Filter::Call(lower, property, part))
    }

    /// After the opening bracket: nothing, which only any allows, or a variable and what holds of it.
    fn lambda(&mut self, any: bool) -> Result<(String, Option<Box<Filter>>), Trouble> {
        if any && self.mark(')') {
            return Ok((String::new(), None));
        }
        let Some(Token::Word(variable)) = self.next() else {
            return Err("Invalid filter clause: a variable expected.".into());
        };
        self.expect(':')?;
        let inner = self.or()?;
        self.expect(')')?;
        Ok((variable, Some(Box::new(inner))))
    }

    fn list(&mut self, name: String) -> Result<Filter, Trouble> {
        self.expect('(')?;
        let mut values = vec![self.literal()?];
        while self.mark(',') {
            values.push(self.literal()?);
        }
        self.expect(')')?;
        Ok(Filter::In(name, values))
    }

    fn literal(&mut self) -> Result<Value, Trouble> {
        match self.next() {
            Some(Token::Text(text)) => Ok(Value::Text(text)),
            Some(Token::Word(word)) => Ok(match word.to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                _ => match (word.parse::<f64>(), crate::clock::parse(&word)) {
                    (Ok(number), _) => Value::Number(number),
                    (_, Some(time)) => Value::Time(time),
                    _ if word.contains('/') => return Err(Trouble::Lacks("a comparison of two properties in $filter".into())),
                    _ => return Err(format!("Invalid filter clause: '{word}' is no value; text stands in single quotes.").into()),
                },
            }),
            _ => Err("Invalid filter clause: a value expected.".into()),
        }
    }
}

/// Sorts by what `get` says of each path; those that are equal keep their order.
pub fn sort<T>(all: &mut [T], order: &[(String, bool)], get: impl Fn(&T, &str) -> Value) {
    if order.is_empty() {
        return;
    }
    all.sort_by(|a, b| {
        let each = order.iter().map(|(path, down)| {
            let way = rank(&get(a, path), &get(b, path));
            if *down { way.reverse() } else { way }
        });
        each.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
}

/// Nothing comes before everything else.
fn rank(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Null, Value::Null) => std::cmp::Ordering::Equal,
        (Value::Null, _) => std::cmp::Ordering::Less,
        (_, Value::Null) => std::cmp::Ordering::Greater,
        _ => std::cmp::Ordering::Equal,
    }
}

/// Comma-separated names.
pub fn names(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|n| !n.is_empty()).map(String::from).collect()
}

/// `a($select=x;$filter=y),b`: names with the options inside.
pub fn expansions(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quoted) = (0, false);
    for c in text.chars() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    let split = |part: &String| {
        let part = part.trim();
        match part.split_once('(') {
            Some((name, inner)) => {
                let inner = inner.strip_suffix(')').unwrap_or(inner);
                let options = inner.split(';').filter_map(|o| o.split_once('='));
                (name.trim().to_string(), options.map(|(k, v)| (k.trim().to_string(), v.to_string())).collect())
            }
            None => (part.to_string(), Vec::new()),
        }
    };
    parts.iter().filter(|p| !p.trim().is_empty()).map(split).collect()
}

/// The URL of this request with one option set.
pub fn relink(call: &Call, option: &str, value: &str) -> String {
    let mut pairs: Vec<(String, String)> = call.params();
    pairs.retain(|(k, _)| !k.eq_ignore_ascii_case(option));
    pairs.push((option.into(), value.into()));
    let query: Vec<String> = pairs.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    format!("{}{}?{}", call.origin, call.path, query.join("&"))
}
