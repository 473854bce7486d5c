//! The scanner: text to a flat list of nodes ("tape"), in one pass and without recursion.

use crate::pace;

/// How deep lists and objects may lie in each other (config 4).
pub(super) const MAX_DEPTH: usize = 10_000;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    /// `escaped` tells whether there is a backslash in it.
    String {
        escaped: bool,
    },
    Array,
    Object,
}

/// A value, or the key of an object's member. The members of a list or an object follow their node directly;
/// in an object, each key is followed by its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// First byte: of a string, the one after the quote.
    pub(super) start: u32,
    /// Byte after the last: of a string, the closing quote.
    pub(super) end: u32,
    /// Index of the node after this one and all that is in it.
    pub(super) next: u32,
}

/// A syntax error: its place, and what is wrong there.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) at: usize,
    pub(super) reason: String,
}

/// A scanned text.
#[derive(Debug)]
pub(super) struct Tape {
    nodes: Vec<Node>,
}

impl Tape {
    /// Scans the first value of `text`; what comes after it is not looked at.
    pub(super) fn scan(text: &str) -> Result<Self, SyntaxError> {
        Scanner { text: text.as_bytes(), at: 0, nodes: Vec::with_capacity(text.len() / 8) }.scan()
    }

    pub(super) fn get(&self, index: u32) -> Option<Node> {
        self.nodes.get(index as usize).copied()
    }
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    nodes: Vec<Node>,
}

impl Scanner<'_> {
    fn scan(mut self) -> Result<Tape, SyntaxError> {
        if self.text.starts_with(b"\xef\xbb\xbf") {
            return Err(self.error("a JSON file must not begin with a byte order mark"));
        }
        // The open lists and objects, outermost first.
        let mut open: Vec<usize> = Vec::new();
        self.space();
        if self.peek().is_none() {
            return Err(self.error("EOF: the file is empty"));
        }
        loop {
            pace::step();
            self.space();
            let mut done = self.value(&mut open)?;
            // After a value: close what ends here, then go on with the next one.
            loop {
                let Some(&container) = open.last() else { return Ok(Tape { nodes: self.nodes }) };
                let object = self.nodes.get(container).is_some_and(|node| node.kind == Kind::Object);
                let close = if object { b'}' } else { b']' };
                self.space();
                match self.peek() {
                    Some(byte) if byte == close => {
                        self.at += 1;
                        self.close(container);
                        open.pop();
                        done = true;
                    }
                    Some(b',') if done => {
                        self.at += 1;
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(_) if !done => {
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    _ if object => return Err(self.unexpected("expected ',' or '}' in an object")),
                    _ => return Err(self.unexpected("expected ',' or ']' in a list")),
                }
            }
        }
    }

    /// Scans a scalar, or the opening of a list or object; false if it was such an opening.
    fn value(&mut self, open: &mut Vec<usize>) -> Result<bool, SyntaxError> {
        let start = self.at;
        match self.peek() {
            Some(byte @ (b'{' | b'[')) => {
                if open.len() >= MAX_DEPTH {
                    return Err(self.error(format!("exceeded max depth of {MAX_DEPTH}")));
                }
                open.push(self.nodes.len());
                self.at += 1;
                self.push(if byte == b'{' { Kind::Object } else { Kind::Array }, start, start);
                return Ok(false);
            }
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            Some(b't') => self.word(b"true", Kind::Bool)?,
            Some(b'f') => self.word(b"false", Kind::Bool)?,
            _ => return Err(self.unexpected("expected a value")),
        }
        Ok(true)
    }

    /// Scans a key and its colon.
    fn key(&mut self) -> Result<(), SyntaxError> {
        self.space();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("expected a key in double quotes"));
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("expected ':' after a key"));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            match self.text.get(at) {
                None => {
                    return Err(SyntaxError {
                        at: self.at,
                        reason: "unexpected end of file in a string".into(),
                    });
                }
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += self.escape(at)?;
                }
                // Once there was an escape, Go BFE's reader lets control characters pass.
                Some(&byte) if byte < b' ' && !escaped => {
                    let reason = format!("invalid control character found: {byte}");
                    return Err(SyntaxError { at, reason });
                }
                Some(_) => at += 1,
            }
        }
        self.push(Kind::String { escaped }, start, at);
        self.at = at + 1;
        Ok(())
    }

    /// The length of the escape sequence at `at`.
    fn escape(&self, at: usize) -> Result<usize, SyntaxError> {
        let rest = self.text.get(at + 1..).unwrap_or_default();
        match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(2),
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_hexdigit()) => Ok(6),
            [b'u', ..] => {
                Err(SyntaxError { at, reason: "\\u must be followed by four hexadecimal digits".into() })
            }
            _ => Err(SyntaxError { at, reason: "invalid escape char after \\".into() }),
        }
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.digits() {
            0 => return Err(self.unexpected("expected a digit in a number")),
            1 => {}
            _ if self.text.get(self.at) == Some(&b'0') => {
                return Err(SyntaxError { at: start, reason: "leading zero in a number is invalid".into() });
            }
            _ => {}
        }
        self.at += self.digits();
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits("missing digit after dot")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits("missing digit in exponent")?;
            let text = self.text.get(start..self.at).and_then(|text| std::str::from_utf8(text).ok());
            if text.and_then(|text| text.parse::<f64>().ok()).is_none_or(f64::is_infinite) {
                return Err(SyntaxError { at: start, reason: "number out of range".into() });
            }
        }
        self.push(Kind::Number, start, self.at);
        Ok(())
    }

    /// How many digits there are here.
    fn digits(&self) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn some_digits(&mut self, reason: &str) -> Result<(), SyntaxError> {
        let count = self.digits();
        self.at += count;
        if count == 0 { Err(self.unexpected(reason)) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<(), SyntaxError> {
        let start = self.at;
        if !self.text.get(start..).unwrap_or_default().starts_with(word) {
            return Err(self.unexpected("expected a value"));
        }
        self.at += word.len();
        self.push(kind, start, self.at);
        Ok(())
    }

    /// Notes where the container at `index` ends, in the text and in the tape.
    fn close(&mut self, index: usize) {
        let (end, next) = (small(self.at), small(self.nodes.len()));
        if let Some(node) = self.nodes.get_mut(index) {
            node.end = end;
            node.next = next;
        }
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let next = small(self.nodes.len() + 1);
        self.nodes.push(Node { kind, start: small(start), end: small(end), next });
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn error(&self, reason: impl Into<String>) -> SyntaxError {
        SyntaxError { at: self.at, reason: reason.into() }
    }

    fn unexpected(&self, reason: &str) -> SyntaxError {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        self.error(match found {
            Some(found) => format!("{reason}, found {found:?}"),
            None => format!("{reason}, found the end of the file"),
        })
    }
}

/// Offsets fit in 32 bits because larger texts are refused before they are scanned.
fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
