//! Texts from JSON documents by path (condition 7).
//!
//! Documents are not validated: what can be read is read, as far as the path asks for it. `token` reads
//! single values, `walk` follows a path, `modifier` and `pretty` reshape documents where a path asks for it; `set`
//! writes a text into a document.

mod modifier;
mod number;
mod path;
mod pretty;
mod query;
mod set;
mod string;
mod token;
mod valid;
mod walk;
mod wildcard;

pub use set::set_text;

use std::borrow::Cow;

/// Writes a text as a JSON string, with what is special in HTML escaped, and `\ufffd` for each byte that is no UTF-8.
pub fn quote(text: &[u8], out: &mut Vec<u8>) {
    string::quote(text, out);
}

/// How deep paths, and the documents that modifiers reshape, may nest. What is deeper has no result.
const MAX_DEPTH: usize = 128;

/// The text at `path`: decoded for strings, as written for arrays and objects, empty where there is none.
#[must_use]
pub fn get_text(document: &[u8], path: &str) -> Vec<u8> {
    walk::get(document, path.as_bytes(), 0).into_text()
}

/// The number at `path`, without its fraction: digits in a string count as one, `true` is 1, and anything else is 0,
/// as is what no `i64` holds.
#[must_use]
pub fn get_int(document: &[u8], path: &str) -> i64 {
    let value = walk::get(document, path.as_bytes(), 0);
    let digits = |text: &[u8]| {
        let is_plain = text.strip_prefix(b"-").unwrap_or(text).iter().all(u8::is_ascii_digit);
        std::str::from_utf8(text).ok().filter(|_| is_plain).and_then(|text| text.parse().ok())
    };
    match value.kind {
        Kind::True => 1,
        Kind::String => digits(&value.text).unwrap_or(0),
        Kind::Number => digits(&value.raw).unwrap_or_else(|| {
            let number = value.number();
            // The bounds are powers of two, which floats hold; what is between them fits.
            if number.abs() < 9_223_372_036_854_775_808.0 { number as i64 } else { 0 }
        }),
        _ => 0,
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Null,
    False,
    Number,
    String,
    True,
    /// An array or object.
    Nested,
}

/// A value found in a document. Without raw text, a null does not exist.
#[derive(Clone, Debug, Default)]
struct Value<'a> {
    kind: Kind,
    /// As it stands in the document.
    raw: Cow<'a, [u8]>,
    /// Decoded characters of a string.
    text: Cow<'a, [u8]>,
}

impl<'a> Value<'a> {
    fn new(kind: Kind, raw: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { kind, raw: raw.into(), text: Cow::default() }
    }

    fn exists(&self) -> bool {
        self.kind != Kind::Null || !self.raw.is_empty()
    }

    fn number(&self) -> f64 {
        if self.kind == Kind::Number { number::parse(&self.raw) } else { 0.0 }
    }

    fn is_array(&self) -> bool {
        self.kind == Kind::Nested && self.raw.first() == Some(&b'[')
    }

    fn is_object(&self) -> bool {
        self.kind == Kind::Nested && self.raw.first() == Some(&b'{')
    }

    /// The value as text (condition 7.4).
    fn into_text(self) -> Vec<u8> {
        match self.kind {
            Kind::Null => Vec::new(),
            Kind::False => b"false".to_vec(),
            Kind::True => b"true".to_vec(),
            Kind::String => self.text.into_owned(),
            Kind::Nested => self.raw.into_owned(),
            Kind::Number => {
                let digits = self.raw.strip_prefix(b"-").unwrap_or(&self.raw);
                if digits.iter().all(u8::is_ascii_digit) {
                    self.raw.into_owned()
                } else {
                    number::print(self.number()).into_bytes()
                }
            }
        }
    }

    /// The value as it goes into an array or object that is put together.
    fn raw_or_text(&self) -> Cow<'_, [u8]> {
        if self.raw.is_empty() { Cow::Owned(self.clone().into_text()) } else { Cow::Borrowed(&self.raw) }
    }

    fn into_owned(self) -> Value<'static> {
        Value {
            kind: self.kind,
            raw: Cow::Owned(self.raw.into_owned()),
            text: Cow::Owned(self.text.into_owned()),
        }
    }
}

/// Bytes from `from` on; nothing beyond the end.
fn tail(text: &[u8], from: usize) -> &[u8] {
    text.get(from..).unwrap_or_default()
}

/// Bytes in a range; nothing where it leaves the text.
fn part(text: &[u8], from: usize, to: usize) -> &[u8] {
    text.get(from..to).unwrap_or_default()
}

/// Without blanks and control characters at both ends.
fn trim(mut text: &[u8]) -> &[u8] {
    while let Some((0..=b' ', rest)) = text.split_first() {
        text = rest;
    }
    while let Some((0..=b' ', rest)) = text.split_last() {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{get_int, get_text};

    #[test]
    fn broken_paths_and_documents() {
        for (path, document, want) in [
            // Selectors followed by something else, and selectors that do not close.
            ("[a,b]?", r#"{"a":[1]}"#, "[1]"),
            ("..#.[a,b]a", r#"{"a":[1]}"#, "[[1]]"),
            ("[a", r#"{"":2}"#, "2"),
            // A string that does not close keeps the array around it from closing.
            ("#.a", r#"[{"a":1},{"a":"x}]"#, ""),
            ("#.a", r#"[{"a":1},{"a":2}"#, "[1,2]"),
            ("!5|@tostr", "", "0"),
            ("!\"x\"", "", "x"),
            ("a.#(>1)#|#", r#"{"a":[1,2,3]}"#, "2"),
            ("@dig:a", r#"{"a":{"a":1},"b":[{"a":2}]}"#, r#"[{"a":1},1,2]"#),
        ] {
            let got = get_text(document.as_bytes(), path);
            assert_eq!(String::from_utf8_lossy(&got), want, "{path} on {document}");
        }
    }

    #[test]
    fn ait_10_numbers() {
        for (value, want) in [
            ("7", 7),
            ("-7", -7),
            ("7.9", 7),
            ("1e3", 1000),
            ("-1.5e2", -150),
            ("9007199254740993", 9_007_199_254_740_993),
            ("99999999999999999999", 0),
            ("1e300", 0),
            ("\"12\"", 12),
            ("\"12a\"", 0),
            ("\"\"", 0),
            ("true", 1),
            ("false", 0),
            ("null", 0),
            ("[1]", 0),
        ] {
            let document = format!(r#"data: {{"usage":{{"a":{value}}}}}"#);
            assert_eq!(get_int(document.as_bytes(), "usage.a"), want, "{value}");
        }
        assert_eq!(get_int(b"{}", "usage.a"), 0);
    }

    #[test]
    fn deep_paths_and_documents_end() {
        let deep = [r#"{"a":"#.repeat(50_000), "1".into(), "}".repeat(50_000)].concat();
        assert_eq!(get_text(deep.as_bytes(), &["a"; 100].join(".")).len(), deep.len() - 100 * 6);
        assert_eq!(get_text(deep.as_bytes(), &["a"; 50_000].join(".")), b"");
        assert_eq!(get_text(deep.as_bytes(), &["@this"; 50_000].join("|")), b"");
        for modifier in ["@flatten:{\"deep\":true}", "@pretty", "@valid", "@dig:a", "@reverse", "@tostr"] {
            assert!(!get_text(deep.as_bytes(), modifier).is_empty(), "{modifier}");
        }
    }
}
