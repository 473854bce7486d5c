//! The query of a request target as keys and values (condition 6.2).

use crate::url::unescape;
use bytes::Bytes;
use std::borrow::Cow;

/// A parsed query. Keys are case-sensitive and decoded; a key may have several values, in order of arrival.
///
/// Pairs are kept sorted by key, so that a lookup is cheap however many a client sends. Pairs without
/// escapes are ranges of the query text. Their number is bounded by the limit on the request head.
#[derive(Clone, Debug, Default)]
pub struct Query {
    raw: Bytes,
    pairs: Vec<(Piece, Piece)>,
}

#[derive(Clone, Debug)]
enum Piece {
    /// Start and length in the query text.
    Raw(u32, u32),
    Owned(Bytes),
}

impl Piece {
    fn of<'a>(&'a self, raw: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Raw(start, len) => {
                raw.get(*start as usize..).and_then(|rest| rest.get(..*len as usize)).unwrap_or_default()
            }
            Self::Owned(bytes) => bytes,
        }
    }

    /// The decoded form of a range of the query text.
    fn decode(raw: &Bytes, start: usize, end: usize) -> Option<Self> {
        Some(match unescape(raw.get(start..end)?, true)? {
            Cow::Borrowed(_) => match (u32::try_from(start), u32::try_from(end - start)) {
                (Ok(start), Ok(len)) => Self::Raw(start, len),
                _ => Self::Owned(raw.slice(start..end)),
            },
            Cow::Owned(decoded) => Self::Owned(Bytes::from(decoded)),
        })
    }
}

impl Query {
    /// Parses a query without its `?`. Pieces with a `;` or a bad escape vanish.
    #[must_use]
    pub fn parse(raw: &Bytes) -> Self {
        let mut query = Self { raw: raw.clone(), pairs: Vec::new() };
        let mut start = 0;
        while start < raw.len() {
            let rest = raw.get(start..).unwrap_or_default();
            let piece = rest.get(..memchr::memchr(b'&', rest).unwrap_or(rest.len())).unwrap_or_default();
            let end = start + piece.len();
            if !piece.is_empty() && memchr::memchr(b';', piece).is_none() {
                let equals = memchr::memchr(b'=', piece).map(|at| start + at);
                let key = Piece::decode(raw, start, equals.unwrap_or(end));
                let value = Piece::decode(raw, equals.map_or(end, |at| at + 1), end);
                query.pairs.extend(key.zip(value));
            }
            start = end + 1;
        }
        query.pairs.sort_by(|a, b| a.0.of(raw).cmp(b.0.of(raw)));
        query
    }

    /// Whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All pairs, sorted by key; values of one key in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(key, value)| (key.of(&self.raw), value.of(&self.raw)))
    }

    /// The first value of `key`.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (found, value) = self.pairs.get(self.position(key))?;
        (found.of(&self.raw) == key).then(|| value.of(&self.raw))
    }

    /// Whether `key` is there.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// The first key that is not below `from`, in byte order: where it begins with `from`, some key does.
    #[must_use]
    pub fn first_key_from(&self, from: &[u8]) -> Option<&[u8]> {
        self.pairs.get(self.position(from)).map(|(key, _)| key.of(&self.raw))
    }

    /// Appends a value to those of `key`.
    pub fn add(&mut self, key: Bytes, value: Bytes) {
        let raw = &self.raw;
        let end = self.pairs.partition_point(|(k, _)| k.of(raw) <= key.as_ref());
        self.pairs.insert(end, (Piece::Owned(key), Piece::Owned(value)));
    }

    /// Replaces all values of `key` by one.
    pub fn set(&mut self, key: Bytes, value: Bytes) {
        self.remove(&key);
        self.add(key, value);
    }

    /// Removes `key` with all its values; says whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let before = self.pairs.len();
        self.retain(|k| k != key);
        before != self.pairs.len()
    }

    /// Keeps the keys for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8]) -> bool) {
        let raw = &self.raw;
        self.pairs.retain(|(key, _)| keep(key.of(raw)));
    }

    /// Gives the values of `from` to `to`, whose own values are dropped. Nothing happens without `from`.
    pub fn rename(&mut self, from: &[u8], to: &Bytes) {
        if !self.contains(from) || from == to.as_ref() {
            return;
        }
        self.remove(to);
        let raw = &self.raw;
        for (key, _) in self.pairs.iter_mut().filter(|(key, _)| key.of(raw) == from) {
            *key = Piece::Owned(to.clone());
        }
        self.pairs.sort_by(|a, b| a.0.of(raw).cmp(b.0.of(raw)));
    }

    fn position(&self, key: &[u8]) -> usize {
        self.pairs.partition_point(|(k, _)| k.of(&self.raw) < key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Query {
        Query::parse(&Bytes::from_static(text.as_bytes()))
    }

    fn show(query: &Query) -> String {
        query
            .iter()
            .map(|(k, v)| format!("{}={}", String::from_utf8_lossy(k), String::from_utf8_lossy(v)))
            .collect::<Vec<_>>()
            .join(",")
    }

    #[test]
    fn cond_49_pairs() {
        for (text, want) in [
            ("", ""),
            ("&&", ""),
            ("a", "a="),
            ("b=2&a=1&b=1", "a=1,b=2,b=1"),
            ("a=1;b=2&c", "c="),
            ("a=%zz&%zz=a&c=%41+b", "c=A b"),
            ("=v&%61=1=2", "=v,a=1=2"),
        ] {
            assert_eq!(show(&parse(text)), want, "{text}");
        }
    }

    #[test]
    fn edits() {
        let mut query = parse("a=1&b=2&a=3&c=4");
        query.add(Bytes::from_static(b"a"), Bytes::from_static(b"5"));
        assert_eq!(show(&query), "a=1,a=3,a=5,b=2,c=4");
        query.rename(b"a", &Bytes::from_static(b"c"));
        assert_eq!(show(&query), "b=2,c=1,c=3,c=5");
        query.rename(b"x", &Bytes::from_static(b"c"));
        query.rename(b"c", &Bytes::from_static(b"c"));
        query.set(Bytes::from_static(b"b"), Bytes::from_static(b"9"));
        assert_eq!(show(&query), "b=9,c=1,c=3,c=5");
        assert!(query.remove(b"c") && !query.remove(b"c"));
        assert_eq!(query.get(b"b"), Some(&b"9"[..]));
        assert_eq!(query.first_key_from(b"a"), Some(&b"b"[..]));
        assert_eq!(query.first_key_from(b"c"), None);
    }
}
