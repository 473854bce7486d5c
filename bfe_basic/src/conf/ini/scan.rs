//! The scanner: text to sections and assignments, in the order of the file.

use std::borrow::Cow;
use std::ops::ControlFlow;

/// What the scanner finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'t> {
    /// `[name]`; `sub` is set for `[name "sub"]`, which no configuration of the house has.
    Section { name: &'t str, sub: bool },
    /// `key = value`, or `key` alone.
    Variable { key: &'t str, value: Option<Cow<'t, str>> },
}

/// A syntax error: its place, and what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) at: usize,
    pub(super) reason: String,
}

type Result<T> = std::result::Result<T, SyntaxError>;

/// Scans `text`, telling `sink` what is found and where, until the sink breaks off.
pub(super) fn scan<'t>(
    text: &'t str,
    mut sink: impl FnMut(usize, Event<'t>) -> ControlFlow<()>,
) -> Result<()> {
    let mut scanner = Scanner { text, at: 0 };
    let mut in_section = false;
    loop {
        scanner.blank();
        let at = scanner.at;
        let event = match scanner.peek() {
            None => return Ok(()),
            Some('\n') => {
                scanner.bump();
                continue;
            }
            Some('[') => {
                in_section = true;
                scanner.section()?
            }
            Some(c) if is_letter(c) => {
                if !in_section {
                    return Err(scanner.error("expected section header"));
                }
                scanner.variable()?
            }
            Some(c) => return Err(scanner.stray(c, in_section)),
        };
        if sink(at, event).is_break() {
            return Ok(());
        }
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    /// `[name]` or `[name "sub"]`.
    fn section(&mut self) -> Result<Event<'t>> {
        self.bump();
        self.white();
        let name = self.name().ok_or_else(|| self.error("expected section name"))?;
        self.white();
        let sub = self.peek() == Some('"');
        if sub {
            self.sub_section()?;
            self.white();
        }
        match self.peek() {
            Some(']') => self.bump(),
            _ if sub => return Err(self.error("expected right bracket")),
            _ => return Err(self.error("expected subsection name or right bracket")),
        }
        self.line_end()?;
        Ok(Event::Section { name, sub })
    }

    /// The quoted name of a sub-section.
    fn sub_section(&mut self) -> Result<()> {
        let start = self.at;
        self.bump();
        loop {
            match self.peek() {
                None | Some('\n') => return Err(SyntaxError::new(start, "string not terminated")),
                Some('"') => break,
                Some('\\') => {
                    self.bump();
                    match self.peek() {
                        Some('\\' | '"') => self.bump(),
                        _ => return Err(self.error("unknown escape sequence")),
                    }
                }
                Some(_) => self.bump(),
            }
        }
        self.bump();
        if self.at - start == 2 {
            return Err(SyntaxError::new(start, "empty subsection name"));
        }
        Ok(())
    }

    /// `key = value` or `key`.
    fn variable(&mut self) -> Result<Event<'t>> {
        let key = self.name().unwrap_or_default();
        self.blank();
        match self.peek() {
            None | Some('\n') => Ok(Event::Variable { key, value: None }),
            Some('=') => {
                self.bump();
                self.white();
                Ok(Event::Variable { key, value: Some(self.value()?) })
            }
            Some(c) if is_letter(c) || "[]\"".contains(c) => Err(self.error("expected '='")),
            Some(c) => Err(self.error(format!("illegal character {c:?}, expected '='"))),
        }
    }

    /// A value up to the end of its line or a comment, quotes and escapes undone.
    fn value(&mut self) -> Result<Cow<'t, str>> {
        let start = self.at;
        // Most values need nothing undone.
        let rest = self.text.get(start..).unwrap_or_default();
        let end = rest.find(['\n', ';', '#', '"', '\\', '\r']).unwrap_or(rest.len());
        let plain = rest.get(..end).unwrap_or_default();
        self.at += end;
        if !matches!(self.peek(), Some('"' | '\\' | '\r')) {
            return Ok(Cow::Borrowed(plain.trim_end_matches([' ', '\t'])));
        }

        let mut value = plain.to_owned();
        // Length of the value without the white space that it may turn out to end with.
        let mut kept = value.trim_end_matches([' ', '\t']).len();
        let mut quoted = false;
        loop {
            match self.peek() {
                None if quoted => return Err(SyntaxError::new(start, "string not terminated")),
                Some('\n') if quoted => return Err(SyntaxError::new(start, "string not terminated")),
                None | Some('\n') => break,
                Some(';' | '#') if !quoted => break,
                Some('"') => {
                    quoted = !quoted;
                    kept = value.len();
                }
                Some('\\') => {
                    self.bump();
                    let undone = self.escape(quoted, start)?;
                    value.extend(undone);
                    kept = value.len();
                }
                // No carriage return survives in a value, quoted or not.
                Some('\r') => {}
                Some(c) => {
                    value.push(c);
                    if quoted || !is_white(c) {
                        kept = value.len();
                    }
                }
            }
            self.bump();
        }
        value.truncate(kept);
        Ok(Cow::Owned(value))
    }

    /// What stands after a backslash, its last character still to be passed; `None` for a continued line.
    fn escape(&mut self, quoted: bool, start: usize) -> Result<Option<char>> {
        if quoted {
            return match self.peek() {
                Some(c @ ('\\' | '"')) => Ok(Some(c)),
                Some('n') => Ok(Some('\n')),
                Some('t') => Ok(Some('\t')),
                _ => Err(self.error("unknown escape sequence")),
            };
        }
        if self.peek() == Some('\r') {
            self.bump();
        }
        match self.peek() {
            Some('\n') => Ok(None),
            Some('"') => Ok(Some('"')),
            _ => {
                let reason = "unquoted '\\' must be followed by new line or double quote";
                Err(SyntaxError::new(start, reason))
            }
        }
    }

    /// Nothing but a comment may follow on the line.
    fn line_end(&mut self) -> Result<()> {
        self.blank();
        match self.peek() {
            None | Some('\n') => Ok(()),
            Some(_) => Err(self.error("expected EOL, EOF, or comment")),
        }
    }

    /// A name: a letter, then letters, digits and `-`.
    fn name(&mut self) -> Option<&'t str> {
        let rest = self.text.get(self.at..)?;
        if !rest.starts_with(is_letter) {
            return None;
        }
        let end = rest.find(|c| !(is_letter(c) || is_digit(c) || c == '-')).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end)
    }

    /// Passes white space and a comment.
    fn blank(&mut self) {
        self.white();
        if matches!(self.peek(), Some(';' | '#')) {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn white(&mut self) {
        while self.peek().is_some_and(is_white) {
            self.bump();
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn bump(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn stray(&self, c: char, in_section: bool) -> SyntaxError {
        self.error(match c {
            ']' | '"' | '=' if in_section => "expected section header or variable declaration".to_owned(),
            ']' | '"' | '=' => "expected section header".to_owned(),
            c => format!("illegal character {c:?}"),
        })
    }

    fn error(&self, reason: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.at, reason)
    }
}

impl SyntaxError {
    fn new(at: usize, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic()
}

fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { c.is_numeric() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Result<Vec<String>> {
        let mut list = Vec::new();
        scan(text, |at, event| {
            list.push(match event {
                Event::Section { name, sub } => format!("{at} [{name}{}]", if sub { " sub" } else { "" }),
                Event::Variable { key, value: None } => format!("{at} {key}"),
                Event::Variable { key, value: Some(value) } => format!("{at} {key}={value:?}"),
            });
            ControlFlow::Continue(())
        })?;
        Ok(list)
    }

    /// The value that the dialect reads from `text` after `k =`.
    fn value(text: &str) -> Result<String> {
        Ok(events(&format!("[S]\nk ={text}"))?.pop().unwrap().replacen("4 k=", "", 1))
    }

    #[test]
    fn cfg_30_values() {
        for (text, want) in [
            ("", ""),
            ("  ", ""),
            (" a", "a"),
            (" a b \t ", "a b"),
            (" a # c", "a"),
            (" a;c", "a"),
            ("80#x", "80"),
            (" ;c", ""),
            (r#" "a ; # b" "#, "a ; # b"),
            (r#"a"b c"d   e"#, "ab cd   e"),
            (r#""  a  "  "#, "  a  "),
            (r#" a "b" c"#, "a b c"),
            (r#""a\\b\"c\nd\te""#, "a\\b\"c\nd\te"),
            ("a\\\nb", "ab"),
            ("a \\\n  b", "a   b"),
            ("a\\\r\nb", "ab"),
            ("a \\\n", "a "),
            (r#"a\"b"#, "a\"b"),
            ("a\rb\r\n", "ab"),
            ("\"a\rb\"", "ab"),
            (" 'a b' ", "'a b'"),
            ("a = b [c]", "a = b [c]"),
            ("ü € ", "ü €"),
            ("\"\"", ""),
        ] {
            assert_eq!(value(text), Ok(format!("{want:?}")), "{text:?}");
        }
    }

    #[test]
    fn cfg_30_bad_values() {
        for (text, want) in [
            ("\"a", "string not terminated"),
            ("\"a\nb\"", "string not terminated"),
            (r#""\x""#, "unknown escape sequence"),
            ("\"\\\n\"", "unknown escape sequence"),
            (r"a\b", "unquoted '\\' must be followed by new line or double quote"),
            (r"a\", "unquoted '\\' must be followed by new line or double quote"),
        ] {
            assert_eq!(value(text).unwrap_err().reason, want, "{text:?}");
        }
    }

    #[test]
    fn cfg_26_cfg_27_lines() {
        for (text, want) in [
            ("", vec![]),
            ("\n ; c\n\r\n# d", vec![]),
            ("[S]", vec!["0 [S]"]),
            (" [ S ] ; c\r\n a\n b=1\n[T]#", vec!["1 [S]", "13 a", "16 b=\"1\"", "20 [T]"]),
            ("[S \"a\\\"b\"]\nc", vec!["0 [S sub]", "11 c"]),
            ("[S]\nÜ-1 # c", vec!["0 [S]", "4 Ü-1"]),
        ] {
            assert_eq!(events(text), Ok(want.into_iter().map(str::to_owned).collect()), "{text:?}");
        }
    }

    #[test]
    fn cfg_26_bad_lines() {
        for (text, at, want) in [
            ("a = 1", 0, "expected section header"),
            ("= 1", 0, "expected section header"),
            ("[S]\n= 1", 4, "expected section header or variable declaration"),
            ("[S]\n_a = 1", 4, "illegal character '_'"),
            ("[S]\n1a = 1", 4, "illegal character '1'"),
            ("[S]\na_b = 1", 5, "illegal character '_', expected '='"),
            ("[S]\na : 1", 6, "illegal character ':', expected '='"),
            ("[S]\na b", 6, "expected '='"),
            ("[S] a", 4, "expected EOL, EOF, or comment"),
            ("[", 1, "expected section name"),
            ("[]", 1, "expected section name"),
            ("[S", 2, "expected subsection name or right bracket"),
            ("[a.b]", 2, "expected subsection name or right bracket"),
            ("[S \"\"]", 3, "empty subsection name"),
            ("[S \"a", 3, "string not terminated"),
            ("[S \"\\n\"]", 5, "unknown escape sequence"),
            ("[S \"a\" b]", 7, "expected right bracket"),
        ] {
            assert_eq!(events(text), Err(SyntaxError::new(at, want)), "{text:?}");
        }
    }

    #[test]
    fn a_sink_can_break_off() {
        let mut count = 0;
        let result = scan("[S]\na\nb\n=", |_, _| {
            count += 1;
            if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((result, count), (Ok(()), 2));
    }
}
