//! The scanner: expression text to tokens (condition 2).
//!
//! It looks one character ahead, and notes a bad character when it looks at it; of several errors only the
//! first counts, so that which one comes first is part of the contract.

use super::print::is_printable;
use regex::Regex;
use std::sync::LazyLock;

/// Numbers of tokens that the grammar does not know, as they stand in error messages.
const FLOAT: u32 = 57358;
const IMAGINARY: u32 = 57359;
const ILLEGAL: u32 = 57361;

/// Words that may not be names.
const KEYWORDS: [&str; 25] = [
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Name(String),
    Text { value: String, raw: bool },
    Bool(bool),
    Int(String),
    And,
    Or,
    Not,
    Open,
    Close,
    Comma,
    Semicolon,
    End,
}

/// An error and its offset in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScanError {
    pub(crate) at: usize,
    pub(crate) message: String,
}

/// Reads tokens from an expression.
pub(crate) struct Scanner<'a> {
    source: &'a str,
    /// The character ahead; `None` at the end.
    ahead: Option<char>,
    /// Where it begins.
    at: usize,
    error: Option<ScanError>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        let mut scanner = Self { source, ahead: source.chars().next(), at: 0, error: None };
        scanner.check_ahead();
        if scanner.ahead == Some('\u{feff}') {
            scanner.advance();
        }
        scanner
    }

    /// The next token and its offset, or the first error found while it was read.
    pub(crate) fn next_token(&mut self) -> Result<(Token, usize), ScanError> {
        self.skip_blanks();
        let at = self.at;
        let token = self.scan(at);
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok((token, at)),
        }
    }

    fn advance(&mut self) {
        if let Some(c) = self.ahead {
            self.at += c.len_utf8();
            self.ahead = self.source.get(self.at..).and_then(|rest| rest.chars().next());
            self.check_ahead();
        }
    }

    fn check_ahead(&mut self) {
        match self.ahead {
            Some('\0') => self.fail(self.at, "illegal character NUL"),
            Some('\u{feff}') if self.at > 0 => self.fail(self.at, "illegal byte order mark"),
            _ => {}
        }
    }

    fn fail(&mut self, at: usize, message: impl Into<String>) {
        if self.error.is_none() {
            self.error = Some(ScanError { at, message: message.into() });
        }
    }

    /// Advances while the character ahead fits.
    fn skip(&mut self, fits: impl Fn(char) -> bool) {
        while self.ahead.is_some_and(&fits) {
            self.advance();
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            self.skip(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            // A single `/` is left to be refused as a token.
            if !self.source.get(self.at..).is_some_and(|rest| rest.starts_with("//")) {
                return;
            }
            self.skip(|c| c != '\n');
        }
    }

    fn text_from(&self, start: usize) -> &'a str {
        self.source.get(start..self.at).unwrap_or_default()
    }

    fn scan(&mut self, at: usize) -> Token {
        let Some(first) = self.ahead else { return Token::End };
        if is_letter(first) {
            return self.scan_name(at);
        }
        if first.is_ascii_digit() {
            return self.scan_number(at);
        }
        self.advance();
        match first {
            '"' => self.scan_string(at),
            '`' => self.scan_raw_string(at),
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            ';' => Token::Semicolon,
            '!' => Token::Not,
            '&' if self.ahead == Some('&') => {
                self.advance();
                Token::And
            }
            '|' if self.ahead == Some('|') => {
                self.advance();
                Token::Or
            }
            _ => self.refuse(at, ILLEGAL),
        }
    }

    fn refuse(&mut self, at: usize, number: u32) -> Token {
        self.fail(at, format!("unrecognized token {number}"));
        Token::End
    }

    fn scan_name(&mut self, at: usize) -> Token {
        self.skip(|c| is_letter(c) || is_digit(c));
        match self.text_from(at) {
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            name => {
                if KEYWORDS.contains(&name) {
                    self.fail(self.at, "keyword can't be used");
                }
                Token::Name(name.to_owned())
            }
        }
    }

    fn scan_number(&mut self, at: usize) -> Token {
        let mut whole = true;
        if self.ahead == Some('0') {
            self.advance();
            if matches!(self.ahead, Some('x' | 'X')) {
                self.advance();
                self.skip(|c| c.is_ascii_hexdigit());
                if self.at - at <= 2 {
                    self.fail(at, "illegal hexadecimal number");
                }
                return Token::Int(self.text_from(at).to_owned());
            }
            self.skip(|c| c.is_digit(8));
            if matches!(self.ahead, Some('8' | '9')) {
                whole = false;
                self.skip(|c| c.is_ascii_digit());
            }
            if !matches!(self.ahead, Some('.' | 'e' | 'E' | 'i')) {
                if !whole {
                    self.fail(at, "illegal octal number");
                }
                return Token::Int(self.text_from(at).to_owned());
            }
        }
        self.skip(|c| c.is_ascii_digit());
        let mut number = None;
        if self.ahead == Some('.') {
            number = Some(FLOAT);
            self.advance();
            self.skip(|c| c.is_ascii_digit());
        }
        if matches!(self.ahead, Some('e' | 'E')) {
            number = Some(FLOAT);
            self.advance();
            if matches!(self.ahead, Some('+' | '-')) {
                self.advance();
            }
            self.skip(|c| c.is_ascii_digit());
        }
        if self.ahead == Some('i') {
            number = Some(IMAGINARY);
            self.advance();
        }
        match number {
            Some(number) => self.refuse(at, number),
            None => Token::Int(self.text_from(at).to_owned()),
        }
    }

    /// A string in double quotes; the opening one has been read.
    fn scan_string(&mut self, at: usize) -> Token {
        loop {
            match self.ahead {
                None | Some('\n') => {
                    self.fail(at, "string literal not terminated");
                    return Token::End;
                }
                Some('"') => {
                    let value = self.text_from(at + 1).to_owned();
                    self.advance();
                    return Token::Text { value, raw: false };
                }
                Some('\\') => {
                    self.advance();
                    self.scan_escape();
                }
                Some(_) => self.advance(),
            }
        }
    }

    /// Checks an escape, whose backslash has been read.
    fn scan_escape(&mut self) {
        let at = self.at;
        let (digits, base, max) = match self.ahead {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' | '"' | '.') => {
                self.advance();
                return;
            }
            Some('0'..='7') => (3, 8, 255),
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, 0x10_ffff),
            Some('U') => (8, 16, 0x10_ffff),
            Some(_) => return self.fail(at, "unknown escape sequence"),
            None => return self.fail(at, "escape sequence not terminated"),
        };
        if base == 16 {
            self.advance();
        }
        let mut value = 0u64;
        for _ in 0..digits {
            match self.ahead {
                Some(c) => match c.to_digit(base) {
                    Some(digit) => value = value * u64::from(base) + u64::from(digit),
                    None => {
                        let code = u32::from(c);
                        let shown = if is_printable(c) { format!(" '{c}'") } else { String::new() };
                        let message = format!("illegal character U+{code:04X}{shown} in escape sequence");
                        return self.fail(self.at, message);
                    }
                },
                None => return self.fail(self.at, "escape sequence not terminated"),
            }
            self.advance();
        }
        if value > max || (0xd800..0xe000).contains(&value) {
            self.fail(at, "escape sequence is invalid Unicode code point");
        }
    }

    /// A string in back quotes; the opening one has been read.
    fn scan_raw_string(&mut self, at: usize) -> Token {
        self.skip(|c| c != '`');
        if self.ahead.is_none() {
            self.fail(at, "raw string literal not terminated");
            return Token::End;
        }
        let value = self.text_from(at + 1).replace('\r', "");
        self.advance();
        Token::Text { value, raw: true }
    }
}

/// Whether a name may begin with `c`.
fn is_letter(c: char) -> bool {
    static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{L}$").ok());
    c.is_ascii_alphabetic() || c == '_' || c == '-' || !c.is_ascii() && is_in(&LETTER, c)
}

/// Whether a name may go on with `c`, besides letters.
fn is_digit(c: char) -> bool {
    static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{Nd}$").ok());
    c.is_ascii_digit() || !c.is_ascii() && is_in(&DIGIT, c)
}

fn is_in(class: &LazyLock<Option<Regex>>, c: char) -> bool {
    class.as_ref().is_some_and(|re| re.is_match(c.encode_utf8(&mut [0; 4])))
}
