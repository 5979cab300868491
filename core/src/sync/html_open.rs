//! Which elements are open while HTML is read, counted so that the parser has never more of them open than this says.
//!
//! Two things cost more than the bytes they take. The parser looks through its open elements at every tag. And it opens formatting elements (`b`, `font`)
//! that were never closed anew in every block that follows: 20 KB of HTML can become 30 MB.
//! Source: HTML standard, 13.2.4.2 (the stack of open elements) and 13.2.4.3 (the list of active formatting elements).

use super::html_limits::is_one_of;

const DEEPEST: usize = 1_000;
/// Formatting elements that are open at a time, and that the parser would open anew.
const MOST_FORMATTING: usize = 100;
/// What elements that are opened anew may add, as HTML and in memory: so much for each byte, and never more than the other.
const MOST_ADDED_PER_BYTE: usize = 200;
const MOST_ADDED: usize = 64 << 20;
/// What an element takes in memory beside its text.
const ELEMENT: usize = 128;
/// Of elements that look the same the parser opens the last three anew.
const MOST_ALIKE: usize = 3;
/// How many blocks the end of a formatting element reaches through. Source: adoption agency algorithm, outer loop.
const BLOCKS_REACHED: usize = 7;

/// Elements without an end, whose end the parser adds itself, or that stand once: they do not nest.
const FLAT: [&str; 29] = [
    "br", "img", "hr", "meta", "link", "input", "col", "area", "base", "wbr", "embed", "source", "track", "param", "p", "li", "td", "tr", "th", "dt", "dd", "option", "tbody", "thead", "tfoot",
    "html", "head", "body", "form",
];
/// Of these, what ends no other element, so that nothing is opened anew behind it.
const INLINE: [&str; 3] = ["br", "img", "wbr"];
const FORMATTING: [&str; 14] = ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements through which the end of another one does not reach, unless it is one of these as well.
const BLOCKS: [&str; 46] = [
    "address", "applet", "article", "aside", "blockquote", "button", "caption", "center", "colgroup", "details", "dialog", "dir", "div", "dl", "fieldset", "figcaption", "figure", "footer",
    "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "listing", "main", "marquee", "menu", "nav", "object", "ol", "plaintext", "pre", "search", "section", "select", "summary",
    "table", "template", "ul", "desc", "foreignobject", "annotation-xml",
];
/// Blocks within which no end counts of what was opened before them.
const WALLS: [&str; 6] = ["applet", "caption", "marquee", "object", "table", "template"];

pub struct OpenElements<'a> {
    elements: Vec<Element<'a>>,
    formatting: Vec<Formatting<'a>>,
    added: usize,
    most_added: usize,
}

struct Element<'a> {
    name: &'a str,
    is_block: bool,
}

struct Formatting<'a> {
    name: &'a str,
    /// With its attributes.
    tag: &'a str,
    /// How many walls were open around it.
    walls: usize,
}

impl<'a> OpenElements<'a> {
    pub fn of(bytes: usize) -> Self {
        Self { elements: Vec::new(), formatting: Vec::new(), added: 0, most_added: MOST_ADDED.min((1 << 20) + MOST_ADDED_PER_BYTE * bytes) }
    }

    /// `tag`: from the name to the end of the tag.
    pub fn start(&mut self, name: &'a str, tag: &'a str) {
        if is_one_of(&FORMATTING, name) {
            // There is one link at a time, whatever it looks like.
            let tag = if name.eq_ignore_ascii_case("a") { "a" } else { tag };
            if self.formatting.iter().filter(|open| open.tag == tag).count() < MOST_ALIKE {
                self.formatting.push(Formatting { name, tag, walls: self.walls() });
            }
        } else if !is_one_of(&INLINE, name) {
            self.opened_anew();
        }
        if !is_one_of(&FLAT, name) {
            self.elements.push(Element { name, is_block: is_one_of(&BLOCKS, name) });
        }
    }

    pub fn end(&mut self, name: &str) {
        self.opened_anew();
        let at = self.elements.iter().rposition(|open| open.name.eq_ignore_ascii_case(name));
        let above = at.and_then(|at| self.elements.get(at + 1..)).unwrap_or_default();
        let blocks = above.iter().filter(|open| open.is_block).count();
        let has_wall = above.iter().any(|open| is_one_of(&WALLS, open.name));
        if is_one_of(&FORMATTING, name) {
            if blocks > BLOCKS_REACHED || has_wall {
                return;
            }
            let walls = self.walls();
            if let Some(last) = self.formatting.iter().rposition(|open| open.name.eq_ignore_ascii_case(name) && open.walls == walls) {
                self.formatting.remove(last);
            }
            if let Some(at) = at {
                self.elements.remove(at);
            }
        } else if let Some(at) = at {
            // An end that the parser ignores ends nothing here: or strangers would write such ends to stay below the limits.
            let is_block = is_one_of(&BLOCKS, name);
            let is_ignored = if is_block { has_wall && !is_one_of(&["table", "template"], name) } else { blocks > 0 };
            if !is_ignored {
                self.elements.truncate(at);
            }
        }
    }

    pub fn is_too_much(&self) -> bool {
        self.elements.len() > DEEPEST || self.formatting.len() > MOST_FORMATTING || self.added > self.most_added
    }

    /// The tag may have ended blocks that formatting elements stood in: they are opened anew behind it.
    fn opened_anew(&mut self) {
        self.added += self.formatting.iter().map(|open| ELEMENT + open.tag.len()).sum::<usize>();
    }

    fn walls(&self) -> usize {
        self.elements.iter().filter(|open| open.is_block && is_one_of(&WALLS, open.name)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::clean;
    use super::super::html_limits::within_html_limits;
    use crate::model::BodyType;

    #[test]
    fn formatting_that_is_opened_anew_in_every_paragraph_is_shown_as_text() {
        let open: String = (0..90).map(|n| format!("<b title={n}>")).collect();
        let hidden: String = (0..400).map(|n| format!("<b title={n}><div><div><div><div><div><div><div><div><div></b></i>")).collect();
        let in_a_table = format!("<p>{open}<table><tr><td>{}</table>", "</b>".repeat(90));
        for start in [format!("<p>{open}"), format!("<p>{open}{}", "</i>".repeat(90)), hidden, in_a_table] {
            let body = format!("{start}{}", "<p>x".repeat(20_000));
            assert!(!within_html_limits(&body), "{}", start.get(..60).unwrap_or_default());
            assert!(clean::html(BodyType::Html, &body, &clean::Pictures::Named).len() < 2 * body.len());
        }
    }

    #[test]
    fn ends_of_what_is_not_open_hide_no_depth() {
        for nest in ["<div></x>", "<div></span>", "<span><div></span>", "<body><div></body>", "<form><div></form>", "<div><table></div>", "<b><div><div><div><div><div><div><div><div><div></b>"] {
            assert!(!within_html_limits(&nest.repeat(2_000)), "{nest}");
        }
    }

    #[test]
    fn careless_letters_are_shown_as_they_are() {
        let cell = "<tr><td><font face=Arial><b>a<br><a name=x>b</td><td><span><font face=Arial>c</span></font></div></td></tr>";
        let letter = format!("<html><body><font size=2><center><table>{}</table></center></body></html>", cell.repeat(250));
        let nested = "<div><p><b><i>x</b></i><ul><li>y<li>z</ul></div>".repeat(5_000);
        let misnested = "<b><div>x</b></div><span><p>y</span></p><em>z".repeat(900);
        for honest in [letter, nested, misnested] {
            assert!(within_html_limits(&honest), "{}", honest.get(..60).unwrap_or_default());
        }
    }
}
