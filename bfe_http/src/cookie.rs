//! The cookies of a request (condition 6.3).

use crate::{Header, is_token};

/// The cookies that a client sent. Names are case-sensitive, values verbatim; the first of a name counts.
///
/// Kept sorted by name, so that a lookup is cheap however many a client sends; their number is bounded by
/// the limit on the request head.
#[derive(Clone, Debug, Default)]
pub struct Cookies {
    /// Names and values, one after the other.
    text: Vec<u8>,
    /// Where each begins in `text`, and how long name and value are.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    name: usize,
    value: usize,
}

impl Entry {
    fn name(self, text: &[u8]) -> &[u8] {
        text.get(self.start..).and_then(|rest| rest.get(..self.name)).unwrap_or_default()
    }

    fn value(self, text: &[u8]) -> &[u8] {
        text.get(self.start + self.name..).and_then(|rest| rest.get(..self.value)).unwrap_or_default()
    }
}

impl Cookies {
    /// Reads all `Cookie` fields of a request.
    #[must_use]
    pub fn parse(header: &Header) -> Self {
        let mut cookies = Self::default();
        Self::for_each_sent(header, |name, value| {
            let entry = cookies.store(name, value);
            cookies.entries.push(entry);
        });
        let text = &cookies.text;
        cookies.entries.sort_by(|a, b| a.name(text).cmp(b.name(text)));
        cookies.entries.dedup_by(|later, earlier| later.name(text) == earlier.name(text));
        cookies
    }

    /// Hands on name and value of each cookie in the `Cookie` fields of a request, as sent: in order, also
    /// where a name comes again.
    pub fn for_each_sent(header: &Header, mut each: impl FnMut(&[u8], &[u8])) {
        for line in header.get_all("Cookie") {
            let mut rest = trim(line);
            while !rest.is_empty() {
                // A `;` that leads does not separate: all that is left is one piece then.
                let cut = memchr::memchr(b';', rest).filter(|at| *at > 0);
                let (piece, after) = match cut {
                    Some(at) => (rest.get(..at), rest.get(at + 1..)),
                    None => (Some(rest), None),
                };
                if let Some((name, value)) = pair(trim(piece.unwrap_or_default())) {
                    each(name, value);
                }
                rest = after.unwrap_or_default();
            }
        }
    }

    fn store(&mut self, name: &[u8], value: &[u8]) -> Entry {
        let entry = Entry { start: self.text.len(), name: name.len(), value: value.len() };
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
        entry
    }

    /// The value of a cookie.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.position(name).ok().and_then(|at| self.entries.get(at)).map(|entry| entry.value(&self.text))
    }

    /// Whether there is a cookie of that name.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.position(name).is_ok()
    }

    /// Puts a cookie in place of one of that name, as if the client had sent it.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let entry = self.store(name, value);
        match self.position(name) {
            Ok(at) => {
                if let Some(old) = self.entries.get_mut(at) {
                    *old = entry;
                }
            }
            Err(at) => self.entries.insert(at, entry),
        }
    }

    /// Removes a cookie.
    pub fn remove(&mut self, name: &[u8]) {
        if let Ok(at) = self.position(name) {
            self.entries.remove(at);
        }
    }

    /// All cookies, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| (entry.name(&self.text), entry.value(&self.text)))
    }

    fn position(&self, name: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.name(&self.text).cmp(name))
    }
}

/// Name and value of one cookie; `None` where a piece is none.
fn pair(piece: &[u8]) -> Option<(&[u8], &[u8])> {
    if piece.is_empty() {
        return None;
    }
    let (name, value) = match memchr::memchr(b'=', piece) {
        Some(at) => (piece.get(..at).unwrap_or_default(), piece.get(at + 1..).unwrap_or_default()),
        None => (piece, &b""[..]),
    };
    (name.is_empty() || is_token(name)).then_some((name, value))
}

/// Without white space (also that beyond ASCII) at both ends.
fn trim(mut text: &[u8]) -> &[u8] {
    const WIDE: [&str; 19] = [
        "\u{85}", "\u{a0}", "\u{1680}", "\u{2000}", "\u{2001}", "\u{2002}", "\u{2003}", "\u{2004}",
        "\u{2005}", "\u{2006}", "\u{2007}", "\u{2008}", "\u{2009}", "\u{200a}", "\u{2028}", "\u{2029}",
        "\u{202f}", "\u{205f}", "\u{3000}",
    ];
    loop {
        let before = text.len();
        text = text.trim_ascii();
        text = text.strip_prefix(b"\x0b").unwrap_or(text);
        text = text.strip_suffix(b"\x0b").unwrap_or(text);
        if !text.is_ascii() {
            for space in WIDE {
                text = text.strip_prefix(space.as_bytes()).unwrap_or(text);
                text = text.strip_suffix(space.as_bytes()).unwrap_or(text);
            }
        }
        if text.len() == before {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(lines: &[&'static str]) -> String {
        let mut header = Header::new();
        for line in lines {
            header.add("Cookie", *line);
        }
        Cookies::parse(&header)
            .iter()
            .map(|(k, v)| format!("{}={}", String::from_utf8_lossy(k), String::from_utf8_lossy(v)))
            .collect::<Vec<_>>()
            .join("|")
    }

    #[test]
    fn cond_51_to_53_cookies() {
        for (lines, want) in [
            (&["a=1; b=2"][..], "a=1|b=2"),
            (&["b=2;a=1", "c=3; a=9"], "a=1|b=2|c=3"),
            (&["a=1;;b=2"], "a=1"),
            (&[";a=1"], ""),
            (&["a=1; b = 2; c"], "a=1|c="),
            (&["d=\"q, x\"; D=%41"], "D=%41|d=\"q, x\""),
            (&["=x;a=b=c"], "=x|a=b=c"),
            (&["\u{3000}\u{b}a=1\u{a0};b=2 \u{85}"], "a=1|b=2"),
            (&[" ;", ""], ""),
        ] {
            assert_eq!(show(lines), want, "{lines:?}");
        }
    }

    #[test]
    fn set_replaces_or_inserts() {
        let mut header = Header::new();
        header.add("Cookie", "b=1");
        let mut cookies = Cookies::parse(&header);
        cookies.set(b"a", b"2");
        cookies.set(b"b", b"3");
        cookies.set(b"x", b"4");
        cookies.remove(b"x");
        assert!(!cookies.contains(b"x"));
        assert_eq!(cookies.get(b"a"), Some(&b"2"[..]));
        assert_eq!(cookies.get(b"b"), Some(&b"3"[..]));
        assert!(!cookies.contains(b"c"));
    }
}
