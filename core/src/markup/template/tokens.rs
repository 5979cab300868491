//! What a template may say, looked at token by token. What is not listed here is refused, so nothing that the library learns in later versions comes in by itself.
//! The number of tokens in one pair of braces is bounded: the library goes into itself for each of them, and a stack ends.

use crate::error::{Error, ErrorKind, Result};
use minijinja::machinery::{Span, Token, WhitespaceConfig, tokenize};

/// Between two braces.
const MOST_TOKENS: usize = 60;
/// `{% … %}` in one template.
const MOST_BLOCKS: usize = 100;

const BLOCKS: [&str; 4] = ["if", "elif", "else", "endif"];
const FILTERS: [&str; 7] = ["default", "upper", "lower", "title", "trim", "escape", "e"];
const WORDS: [&str; 12] = ["and", "or", "not", "in", "if", "else", "true", "false", "none", "True", "False", "None"];

/// A field that a template names.
#[derive(Debug, PartialEq, Eq)]
pub struct Use {
    /// With its dots.
    pub name: String,
    pub line: usize,
    /// It has a default, or is asked for.
    pub is_optional: bool,
}

type Found<'a> = (Token<'a>, Span);

/// The fields that it names, in order. Errors: InvalidInput, naming the line; LimitExceeded.
pub fn check(part: &str, template: &str) -> Result<Vec<Use>> {
    let (mut uses, mut inside) = (Vec::new(), None::<(bool, Vec<Found<'_>>)>);
    let mut blocks = 0;
    for found in tokenize(template, false, Default::default(), WhitespaceConfig::default()) {
        let (token, span) = found.map_err(|e| super::mistake(part, &e))?;
        let place = Place { part, template, span };
        match token {
            Token::TemplateData(_) => {}
            Token::VariableStart => inside = Some((false, Vec::new())),
            Token::BlockStart => {
                inside = Some((true, Vec::new()));
                blocks += 1;
                if blocks > MOST_BLOCKS {
                    return Err(Error::new(ErrorKind::LimitExceeded, format!("The template of the {part} has more than {MOST_BLOCKS} {{% … %}}. Split it, or choose outside of it.")));
                }
            }
            Token::VariableEnd | Token::BlockEnd => {
                let (is_block, tokens) = inside.take().unwrap_or_default();
                let tokens = if is_block { after_word(&place, &tokens)? } else { &tokens };
                of_expression(&place, tokens, &mut uses)?;
            }
            token => {
                let Some((_, tokens)) = &mut inside else { continue };
                if tokens.len() == MOST_TOKENS {
                    return Err(Error::new(ErrorKind::LimitExceeded, format!("The template of the {part} has too much between two braces in line {}. Make it simpler.", place.line())));
                }
                tokens.push((token, span));
            }
        }
    }
    Ok(uses)
}

/// What follows the word of a block.
fn after_word<'a, 't>(place: &Place<'_>, tokens: &'a [Found<'t>]) -> Result<&'a [Found<'t>]> {
    match tokens.split_first() {
        Some(((Token::Ident(word), _), rest)) if BLOCKS.contains(word) => Ok(rest),
        Some(((Token::Ident(word), span), _)) => Err(place.at(span).refused(&format!("{{% {} %}}", shown(word)))),
        _ => Err(place.refused("an empty {% %}")),
    }
}

fn of_expression(place: &Place<'_>, tokens: &[Found<'_>], uses: &mut Vec<Use>) -> Result<()> {
    let mut rest = tokens;
    // The field that ends just before, by its place in the list.
    let mut before = None;
    while let Some(((token, span), after)) = rest.split_first() {
        let place = place.at(span);
        rest = after;
        let last = std::mem::take(&mut before);
        match token {
            Token::Pipe => {
                let Some(((Token::Ident(filter), _), after)) = rest.split_first() else { return Err(place.refused("| without a filter")) };
                if !FILTERS.contains(filter) {
                    return Err(place.refused(&format!("the filter {}", shown(filter))));
                }
                rest = after;
                if *filter == "default" {
                    is_optional(uses, last);
                }
            }
            Token::Ident("is") => {
                if let Some(((Token::Ident("not"), _), after)) = rest.split_first() {
                    rest = after;
                }
                let Some(((Token::Ident("defined" | "undefined"), _), after)) = rest.split_first() else { return Err(place.refused("a test other than defined and undefined")) };
                rest = after;
                is_optional(uses, last);
            }
            Token::Ident(word) if WORDS.contains(word) => {}
            Token::Ident(word) => {
                let mut name = (*word).to_owned();
                while let [(Token::Dot, _), (Token::Ident(word), _), after @ ..] = rest {
                    name.push('.');
                    name.push_str(word);
                    rest = after;
                }
                match rest.first() {
                    Some((Token::ParenOpen, _)) => return Err(place.refused(&format!("the call {}()", shown(&name)))),
                    Some((Token::Dot, _)) => return Err(place.refused(&format!("a dot without a name behind {}", shown(&name)))),
                    _ => {}
                }
                before = Some(uses.len());
                uses.push(Use { name, line: place.line(), is_optional: false });
            }
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Eq | Token::Ne | Token::ParenOpen | Token::ParenClose | Token::Comma => {}
            other => return Err(place.refused(&other.to_string())),
        }
    }
    Ok(())
}

fn is_optional(uses: &mut [Use], last: Option<usize>) {
    if let Some(one) = last.and_then(|at| uses.get_mut(at)) {
        one.is_optional = true;
    }
}

/// Words of a template in an error, if they are short.
fn shown(word: &str) -> &str {
    if word.len() <= 40 { word } else { "…" }
}

struct Place<'a> {
    part: &'a str,
    template: &'a str,
    span: Span,
}

impl Place<'_> {
    fn at(&self, span: &Span) -> Self {
        Self { span: *span, ..*self }
    }

    /// Counted from 1.
    fn line(&self) -> usize {
        let before = self.template.get(..self.span.start_offset as usize).unwrap_or(self.template);
        memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1
    }

    fn refused(&self, what: &str) -> Error {
        Error::invalid(format!(
            "The template of the {} uses {what} in line {}. A template has {{{{ field }}}}, the filters default, upper, lower, title, trim and escape, and {{% if %}} with and, or, not, ==, != and is defined.",
            self.part,
            self.line()
        ))
    }
}
