//! `$search` of messages: the part of the Keyword Query Language that Graph documents for mail.

use super::json::plain;
use super::message::{Address, Message};
use crate::clock;
use crate::odata::Trouble;

pub enum Query {
    And(Box<Query>, Box<Query>),
    Or(Box<Query>, Box<Query>),
    Not(Box<Query>),
    /// Words in one of these fields, one after the other; the last may be the beginning of one.
    Words(Vec<Field>, Vec<String>, bool),
    /// Received or sent, from and before, in milliseconds.
    Time(Field, i64, i64),
    Size(u64, u64),
    Attached(bool),
    Importance(String),
    Kind(bool),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Field {
    From,
    To,
    Cc,
    Bcc,
    Subject,
    Body,
    Attachment,
    Received,
    Sent,
}

/// What words without a property are looked for in.
const ANYWHERE: [Field; 3] = [Field::From, Field::Subject, Field::Body];
const DAY: i64 = 86_400_000;

/// The value of `$search`, quotes and all.
pub fn parse(text: &str, now: i64) -> Result<Query, Trouble> {
    let text = text.trim();
    let inner = match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => match text.find(|c: char| !c.is_alphanumeric() && c != ' ') {
            Some(at) => {
                let odd = text.get(at..).and_then(|t| t.chars().next()).unwrap_or(' ');
                return Err(format!("Syntax error: character '{odd}' is not valid at position {at} in '{text}'.").into());
            }
            None => text.to_string(),
        },
    };
    let mut parser = Parser { tokens: tokens(&inner)?, at: 0, now };
    let query = parser.or()?;
    if parser.at < parser.tokens.len() {
        return Err(format!("Syntax error in the search '{inner}'.").into());
    }
    Ok(query)
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Open,
    Close,
    /// A word, or a phrase in quotes.
    Text(String, bool),
    /// A property with its operator, and what follows.
    Property(String, String, String),
}

fn tokens(text: &str) -> Result<Vec<Token>, Trouble> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('(') {
            out.push(Token::Open);
            rest = after.trim_start();
            continue;
        }
        if let Some(after) = rest.strip_prefix(')') {
            out.push(Token::Close);
            rest = after.trim_start();
            continue;
        }
        let name_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let operator = [">=", "<=", "<>", ":", "=", ">", "<"].into_iter().find(|op| !name.is_empty() && after.starts_with(op));
        match operator {
            Some(operator) => {
                let after = after.get(operator.len()..).unwrap_or("");
                if after.starts_with('(') {
                    return Err(Trouble::Lacks("brackets after a property in $search".into()));
                }
                let (value, _, after) = value(after)?;
                out.push(Token::Property(name.to_lowercase(), operator.into(), value));
                rest = after.trim_start();
            }
            None => {
                let (value, quoted, after) = value(rest)?;
                out.push(Token::Text(value, quoted));
                rest = after.trim_start();
            }
        }
    }
    Ok(out)
}

/// A word or a phrase at the beginning, and what follows it.
fn value(text: &str) -> Result<(String, bool, &str), Trouble> {
    if let Some(inside) = text.strip_prefix('"') {
        let (phrase, rest) = inside.split_once('"').ok_or("There is an unterminated phrase in the search.")?;
        // `"a phrase"*` is the beginning of one.
        return match rest.strip_prefix('*') {
            Some(rest) => Ok((format!("{phrase}*"), true, rest)),
            None => Ok((phrase.to_string(), true, rest)),
        };
    }
    let end = text.find([' ', ')', '(']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    Ok((word.to_string(), false, rest))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    now: i64,
}

impl Parser {
    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Text(text, false)) if text == word);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Query, Trouble> {
        let mut left = self.and()?;
        while self.word("OR") {
            left = Query::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Query, Trouble> {
        let mut left = self.one()?;
        loop {
            let joined = self.word("AND");
            let ends = match self.tokens.get(self.at) {
                None | Some(Token::Close) => true,
                Some(Token::Text(text, false)) => text == "OR",
                _ => false,
            };
            if !joined && ends {
                return Ok(left);
            }
            left = Query::And(Box::new(left), Box::new(self.one()?));
        }
    }

    fn one(&mut self) -> Result<Query, Trouble> {
        if self.word("NOT") {
            return Ok(Query::Not(Box::new(self.one()?)));
        }
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Open) => {
                let inner = self.or()?;
                match self.tokens.get(self.at) {
                    Some(Token::Close) => self.at += 1,
                    _ => return Err("A bracket of the search is not closed.".into()),
                }
                Ok(inner)
            }
            Some(Token::Text(text, false)) if ["NEAR", "ONEAR", "WORDS", "XRANK"].iter().any(|w| text.starts_with(w)) => {
                Err(Trouble::Lacks(format!("{text} in $search")))
            }
            Some(Token::Text(text, quoted)) => match text.strip_prefix('-').filter(|t| !quoted && !t.is_empty()) {
                Some(rest) => Ok(Query::Not(Box::new(words(&ANYWHERE, rest)?))),
                None => words(&ANYWHERE, text.strip_prefix('+').filter(|_| !quoted).unwrap_or(&text)),
            },
            Some(Token::Property(name, operator, value)) => self.property(&name, &operator, &value),
            Some(Token::Close) | None => Err("The search is empty, or ends too early.".into()),
        }
    }

    fn property(&self, name: &str, operator: &str, value: &str) -> Result<Query, Trouble> {
        use Field::*;
        let fields: &[Field] = match name {
            "from" => &[From],
            "to" => &[To],
            "cc" => &[Cc],
            "bcc" => &[Bcc],
            "participants" => &[From, To, Cc, Bcc],
            "recipients" => &[To, Cc, Bcc],
            "subject" => &[Subject],
            "body" => &[Body],
            "attachment" | "attachmentnames" => &[Attachment],
            "received" | "sent" => {
                let (from, to) = self.span(operator, value)?;
                return Ok(Query::Time(if name == "sent" { Sent } else { Received }, from, to));
            }
            "size" => return size(operator, value),
            "hasattachment" | "hasattachments" => {
                return match value.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "1" => Ok(Query::Attached(true)),
                    "false" | "no" | "0" => Ok(Query::Attached(false)),
                    _ => Err(format!("'{value}' is neither true nor false in the search.").into()),
                };
            }
            "importance" => return Ok(Query::Importance(value.to_ascii_lowercase())),
            "kind" => return Ok(Query::Kind(["email", "mail", "messages"].iter().any(|k| k.eq_ignore_ascii_case(value)))),
            // Words such as `Re:` are looked for as they stand.
            _ if value.is_empty() => return words(&ANYWHERE, name),
            _ => return Err(Trouble::Lacks(format!("the property {name} in $search"))),
        };
        if !matches!(operator, ":" | "=") {
            return Err(format!("The operator '{operator}' does not go with '{name}' in a search.").into());
        }
        words(fields, value)
    }

    /// From and before, in milliseconds.
    fn span(&self, operator: &str, value: &str) -> Result<(i64, i64), Trouble> {
        let (start, end) = match value.split_once("..") {
            Some((first, last)) => (self.days(first)?.0, self.days(last)?.1),
            None => self.days(value)?,
        };
        Ok(match operator {
            ">=" => (start, i64::MAX),
            ">" => (end, i64::MAX),
            "<" => (i64::MIN, start),
            "<=" => (i64::MIN, end),
            ":" | "=" => (start, end),
            _ => return Err(format!("The operator '{operator}' does not go with a date in a search.").into()),
        })
    }

    /// A day, a moment, or a span that has a name.
    fn days(&self, text: &str) -> Result<(i64, i64), Trouble> {
        let today = self.now.div_euclid(DAY) * DAY;
        // 1970-01-01 was a Thursday; weeks begin on Sunday.
        let week = today - (today.div_euclid(DAY) + 4).rem_euclid(7) * DAY;
        let date = clock::iso(self.now);
        let month = |year: i64, month: i64| clock::parse(&format!("{:04}-{:02}-01", year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1));
        let (year, now_month) = (date.get(..4).and_then(|y| y.parse::<i64>().ok()), date.get(5..7).and_then(|m| m.parse::<i64>().ok()));
        let (year, now_month) = (year.unwrap_or(1970), now_month.unwrap_or(1));
        let months = |from: i64, to: i64| Some((month(year, from)?, month(year, to)?));
        let lower = text.trim().to_ascii_lowercase();
        let found = match lower.as_str() {
            "today" => Some((today, today + DAY)),
            "yesterday" => Some((today - DAY, today)),
            "this week" => Some((week, week + 7 * DAY)),
            "last week" => Some((week - 7 * DAY, week)),
            "this month" => months(now_month, now_month + 1),
            "last month" => months(now_month - 1, now_month),
            "this year" => months(1, 13),
            "last year" => months(-11, 1),
            _ => {
                let parts: Vec<&str> = lower.split('/').collect();
                let written = match parts.as_slice() {
                    [m, d, y] => format!("{y:0>4}-{m:0>2}-{d:0>2}"),
                    _ => lower.to_uppercase(),
                };
                let length = if written.len() == 10 { DAY } else { 1000 };
                clock::parse(&written).map(|at| (at, at + length))
            }
        };
        found.ok_or_else(|| format!("'{text}' is no date in a search.").into())
    }
}

fn size(operator: &str, value: &str) -> Result<Query, Trouble> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| Trouble::Wrong(format!("'{text}' is no size in a search.")));
    if let Some((low, high)) = value.split_once("..") {
        return Ok(Query::Size(number(low)?, number(high)?));
    }
    let n = number(value)?;
    Ok(match operator {
        ">" => Query::Size(n.saturating_add(1), u64::MAX),
        ">=" => Query::Size(n, u64::MAX),
        "<" => Query::Size(0, n.saturating_sub(1)),
        "<=" => Query::Size(0, n),
        _ => Query::Size(n, n),
    })
}

fn split(text: &str) -> Vec<String> {
    text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(String::from).collect()
}

fn words(fields: &[Field], text: &str) -> Result<Query, Trouble> {
    let (text, prefix) = match text.strip_suffix('*') {
        Some(text) => (text, true),
        None => (text, false),
    };
    if text.contains('*') {
        return Err("A * stands only at the end of a word of a search.".into());
    }
    let words = split(text);
    if words.is_empty() {
        return Err("The search is empty, or ends too early.".into());
    }
    Ok(Query::Words(fields.to_vec(), words, prefix))
}

impl Query {
    pub fn holds(&self, m: &Message) -> bool {
        match self {
            Query::And(a, b) => a.holds(m) && b.holds(m),
            Query::Or(a, b) => a.holds(m) || b.holds(m),
            Query::Not(a) => !a.holds(m),
            Query::Words(fields, words, prefix) => fields.iter().any(|f| found(&split(&text_of(m, *f)), words, *prefix)),
            Query::Time(field, from, to) => {
                let at = if *field == Field::Sent { m.sent } else { m.received };
                *from <= at && at < *to
            }
            Query::Size(low, high) => {
                let size = (m.body.len() + m.attachments.iter().map(|a| a.bytes.len()).sum::<usize>()) as u64;
                (*low..=*high).contains(&size)
            }
            Query::Attached(yes) => m.has_attachments() == *yes,
            Query::Importance(kind) => m.importance == *kind,
            Query::Kind(mail) => *mail,
        }
    }
}

/// One word after the other, anywhere.
fn found(have: &[String], want: &[String], prefix: bool) -> bool {
    have.windows(want.len()).any(|window| {
        let last = want.len() - 1;
        window.iter().zip(want).enumerate().all(|(n, (have, want))| if prefix && n == last { have.starts_with(want) } else { have == want })
    })
}

fn text_of(m: &Message, field: Field) -> String {
    let people = |all: &[Address]| all.iter().map(|a| format!("{} {}", a.name, a.address)).collect::<Vec<_>>().join(" \u{1f} ");
    match field {
        Field::From => people(m.from.as_slice()),
        Field::To => people(&m.to),
        Field::Cc => people(&m.cc),
        Field::Bcc => people(&m.bcc),
        Field::Subject => m.subject.clone(),
        Field::Body if m.html => plain(&m.content()),
        Field::Body => m.content(),
        Field::Attachment => m.attachments.iter().map(|a| a.name.clone()).collect::<Vec<_>>().join(" \u{1f} "),
        Field::Received | Field::Sent => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let who = |name: &str, address: &str| Address { name: name.into(), address: address.into() };
        let mut m = Message { subject: "Invoice for April".into(), importance: "high".into(), ..Message::default() };
        (m.from, m.to) = (Some(who("Adele Vance", "adele@contoso.com")), vec![who("", "alex@contoso.com")]);
        (m.received, m.sent) = (clock::parse("2026-01-15T08:00:00Z").unwrap(), clock::parse("2026-01-15T07:59:00Z").unwrap());
        m.set_body(true, "<p>Please pay the <b>rent</b> soon</p>".into());
        m
    }

    #[test]
    fn what_is_found() {
        let now = clock::parse("2026-01-16T09:00:00Z").unwrap();
        for (text, yes) in [
            ("invoice", true),
            ("invoi", false),
            ("invoi*", true),
            ("\"for april\"", true),
            ("\"april for\"", false),
            ("alex", false),
            ("from:adele", true),
            ("from:adele@contoso.com", true),
            ("from:\"Adele Vance\" AND to:alex@contoso.com", true),
            ("participants:alex", true),
            ("recipients:adele", false),
            ("subject:rent", false),
            ("body:rent", true),
            ("subject:rent OR body:rent", true),
            ("invoice NOT rent", false),
            ("invoice -soonest", true),
            ("(subject:x OR subject:april) pay", true),
            ("hasattachment:false importance:high", true),
            ("hasAttachments:true", false),
            ("received:2026-01-15", true),
            ("received:yesterday", true),
            ("received:today", false),
            ("received>=2026-01-15 received<2026-01-16", true),
            ("received:2026-01-01..2026-01-14", false),
            ("received:1/15/2026", true),
            ("sent<=2026-01-14", false),
            ("received:\"last year\"", false),
            ("received:\"this month\"", true),
            ("kind:email size>10", true),
        ] {
            let query = parse(&format!("\"{}\"", text.replace('"', "\\\"")), now).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!(query.holds(&message()), yes, "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for text in ["from:adele", "\"\"", "\"(a\"", "\"received:soon\"", "\"a AND\"", "\"in*ice\"", "\"subject>a\""] {
            assert!(matches!(parse(text, 0), Err(Trouble::Wrong(_))), "{text}");
        }
        for text in ["\"colour:red\"", "\"a NEAR b\"", "\"from:(a OR b)\""] {
            assert!(matches!(parse(text, 0), Err(Trouble::Lacks(_))), "{text}");
        }
    }
}
