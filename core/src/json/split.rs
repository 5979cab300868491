//! The elements of one list of a JSON object, cut out of a text while it arrives. What is held is one element at a time, and what stands around the list.
//!
//! Only brackets, quotes and commas are looked at, as far as it takes to find where an element ends; whether it is JSON is for its reader to see. The text
//! may come in any pieces: what is cut out does not depend on them.

use super::{BYTE_ORDER_MARK, DEEPEST, text};

/// Depth of what stands between elements: in the object and in its list.
const IN_LIST: usize = 2;
/// Bytes. A name written in escapes throughout is shorter; a longer one is another.
const LONGEST_NAME: usize = 64;

/// Why a text gives no elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no JSON object, or nested more than 64 deep.
    Unreadable,
    /// An element, or what stands around the list, is longer than allowed.
    TooLarge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Two bytes tell; fewer came.
    Unknown,
    Plain,
    /// UTF-16, which is put right as a whole: nobody sends it but by mistake.
    Wide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Around the list.
    Around,
    /// In the list, where an element may follow and the list may end, or only one of the two.
    Before { end: bool },
    After,
    /// In an element.
    Within,
}

/// Cuts the elements of the member `name` out of an object.
#[derive(Debug)]
pub struct Splitter {
    name: &'static str,
    most: usize,
    form: Form,
    place: Place,
    depth: usize,
    is_in_string: bool,
    /// The next byte ends no string.
    is_escaped: bool,
    /// Bytes of a byte order mark between elements.
    mark: usize,
    /// The name of the member under way, as it is written. None: a value, or the name of something deeper.
    key: Option<Vec<u8>>,
    is_name_next: bool,
    is_list_next: bool,
    around: Vec<u8>,
    /// What came of the element under way; before the form is known, and if it is wide, of the text.
    part: Vec<u8>,
    fault: Option<Fault>,
}

impl Splitter {
    /// `most`: bytes of an element, and of what stands around the list.
    pub fn new(name: &'static str, most: usize) -> Self {
        Self {
            name,
            most,
            form: Form::Unknown,
            place: Place::Around,
            depth: 0,
            is_in_string: false,
            is_escaped: false,
            mark: 0,
            key: None,
            is_name_next: false,
            is_list_next: false,
            around: Vec::new(),
            part: Vec::new(),
            fault: None,
        }
    }

    /// The next piece of the text. `element` is given each element that ends in it, as it is written.
    pub fn take(&mut self, piece: &[u8], element: &mut impl FnMut(&[u8])) {
        match self.form {
            Form::Plain => self.scan(piece, element),
            Form::Wide => self.keep(piece),
            Form::Unknown => {
                let mut begun = self.part.iter().chain(piece);
                let (Some(first), Some(second)) = (begun.next(), begun.next()) else { return self.keep(piece) };
                if matches!((first, second), (0xFF, 0xFE) | (0xFE, 0xFF)) {
                    self.form = Form::Wide;
                    return self.keep(piece);
                }
                self.form = Form::Plain;
                let begun = std::mem::take(&mut self.part);
                self.scan(&begun, element);
                self.scan(piece, element);
            }
        }
    }

    /// The text has ended. What stood around the elements, put right where it is odd: the object with an empty list.
    pub fn finish(mut self, element: &mut impl FnMut(&[u8])) -> Result<String, Fault> {
        if self.form != Form::Plain {
            let whole = std::mem::take(&mut self.part);
            self.scan(text(&whole).as_bytes(), element);
        }
        match self.fault {
            Some(fault) => Err(fault),
            None if self.place != Place::Around => Err(Fault::Unreadable),
            None => Ok(text(&self.around).into_owned()),
        }
    }

    fn scan(&mut self, piece: &[u8], element: &mut impl FnMut(&[u8])) {
        let mut rest = piece;
        while !rest.is_empty() && self.fault.is_none() {
            rest = match self.place {
                Place::Around => self.around(rest),
                Place::Before { .. } | Place::After => self.between(rest),
                Place::Within => self.within(rest, element),
            };
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.part.len() + bytes.len() > self.most {
            self.fail(Fault::TooLarge);
        } else {
            self.part.extend_from_slice(bytes);
        }
    }

    fn keep_around(&mut self, bytes: &[u8]) {
        if self.around.len() + bytes.len() > self.most {
            self.fail(Fault::TooLarge);
        } else {
            self.around.extend_from_slice(bytes);
        }
    }

    fn deeper(&mut self) {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.fail(Fault::Unreadable);
        }
    }

    /// How many bytes belong to the string under way. Strings are most of a page, so they are passed over from one quote or backslash to the next.
    fn string(&mut self, bytes: &[u8]) -> usize {
        let mut at = usize::from(std::mem::take(&mut self.is_escaped));
        while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            at += found + 1;
            if bytes.get(at - 1) == Some(&b'"') {
                self.is_in_string = false;
                return at;
            }
            // What is escaped ends nothing.
            if at == bytes.len() {
                self.is_escaped = true;
                return at;
            }
            at += 1;
        }
        bytes.len()
    }

    /// What is left once the list begins.
    fn around<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.is_in_string {
                let length = self.string(bytes.get(at..).unwrap_or_default());
                self.name_goes_on(bytes.get(at..at + length).unwrap_or_default());
                at += length;
                continue;
            }
            at += 1;
            match byte {
                b'[' if std::mem::take(&mut self.is_list_next) => {
                    self.deeper();
                    self.place = Place::Before { end: true };
                    break;
                }
                b'{' | b'[' => {
                    // A list of lists could be read as an object's members in their order.
                    if self.depth == 0 && *byte == b'[' {
                        self.fail(Fault::Unreadable);
                    }
                    self.deeper();
                    (self.is_name_next, self.is_list_next) = (self.depth == 1, false);
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    (self.is_name_next, self.is_list_next) = (false, false);
                }
                b'"' => {
                    self.is_in_string = true;
                    self.key = (self.depth == 1 && self.is_name_next).then(Vec::new);
                    (self.is_name_next, self.is_list_next) = (false, false);
                }
                b',' => (self.is_name_next, self.is_list_next) = (self.depth == 1, false),
                b':' => self.is_list_next = self.depth == 1 && self.key.take().is_some_and(|key| self.is_name(&key)),
                // White space, and byte order marks.
                b' ' | b'\t' | b'\n' | b'\r' | 0xEF | 0xBB | 0xBF => {}
                _ => self.is_list_next = false,
            }
        }
        let (here, rest) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
        self.keep_around(here);
        rest
    }

    fn name_goes_on(&mut self, bytes: &[u8]) {
        if let Some(key) = &mut self.key {
            let room = LONGEST_NAME.saturating_sub(key.len());
            key.extend(bytes.iter().take(room));
        }
    }

    /// `key`: up to its closing quote.
    fn is_name(&self, key: &[u8]) -> bool {
        let Some(written) = key.strip_suffix(b"\"") else { return false };
        if !written.contains(&b'\\') {
            return written == self.name.as_bytes();
        }
        let quoted = [b"\"", key].concat();
        serde_json::from_slice::<String>(&quoted).is_ok_and(|name| name == self.name)
    }

    /// What is left once an element begins, or the list ends.
    fn between<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            let rest = bytes.get(at..).unwrap_or_default();
            match (self.place, byte) {
                (_, byte) if self.mark > 0 || *byte == 0xEF => {
                    if BYTE_ORDER_MARK.get(self.mark) != Some(byte) {
                        self.fail(Fault::Unreadable);
                        return &[];
                    }
                    self.mark = (self.mark + 1) % BYTE_ORDER_MARK.len();
                }
                (_, b' ' | b'\t' | b'\n' | b'\r') => {}
                (Place::Before { end: true } | Place::After, b']') => {
                    self.place = Place::Around;
                    return rest;
                }
                (Place::After, b',') => self.place = Place::Before { end: false },
                (Place::Before { .. }, byte) if !matches!(byte, b',' | b':' | b']' | b'}') => {
                    self.place = Place::Within;
                    return rest;
                }
                _ => {
                    self.fail(Fault::Unreadable);
                    return &[];
                }
            }
        }
        &[]
    }

    /// What is left once the element ends.
    fn within<'a>(&mut self, bytes: &'a [u8], element: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let mut at = 0;
        let end = loop {
            let Some(byte) = bytes.get(at) else { break None };
            if self.is_in_string {
                at += self.string(bytes.get(at..).unwrap_or_default());
                if !self.is_in_string && self.depth == IN_LIST {
                    break Some(at);
                }
                continue;
            }
            match byte {
                // Behind a number or a word.
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}' if self.depth == IN_LIST => break Some(at),
                b'"' => self.is_in_string = true,
                b'{' | b'[' => self.deeper(),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == IN_LIST {
                        break Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        };
        let Some((here, rest)) = end.and_then(|end| bytes.split_at_checked(end)) else {
            self.keep(bytes);
            return &[];
        };
        self.place = Place::After;
        if self.part.is_empty() && here.len() <= self.most && self.fault.is_none() {
            element(here);
            return rest;
        }
        self.keep(here);
        if self.fault.is_none() {
            element(&self.part);
        }
        self.part.clear();
        rest
    }
}

#[cfg(test)]
mod tests;
