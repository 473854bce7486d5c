//! Documents with and without blanks.

use super::modifier::is_true;
use super::token::{document, for_each, string_end};
use super::{MAX_DEPTH, number, part, tail, trim};
use std::cmp::Ordering;

/// A document without blanks between its tokens.
pub(super) fn ugly(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut i = 0;
    while let Some(b) = json.get(i) {
        if *b == b'"' {
            let end = string_end(json, i).map_or(json.len(), |(end, _)| end);
            out.extend_from_slice(part(json, i, end));
            i = end;
        } else {
            if *b > b' ' {
                out.push(*b);
            }
            i += 1;
        }
    }
    out
}

struct Options {
    /// Arrays up to this width stay on one line.
    width: i64,
    prefix: Vec<u8>,
    indent: Vec<u8>,
    sort_keys: bool,
}

/// A document with one member or item a line; short arrays stay on one. What nests too deeply stays as it is.
pub(super) fn pretty(json: &[u8], arg: &[u8]) -> Vec<u8> {
    if nesting(json) > MAX_DEPTH {
        return json.to_vec();
    }
    let mut options = Options { width: 80, prefix: Vec::new(), indent: b"  ".to_vec(), sort_keys: false };
    for_each(document(arg).raw.as_ref(), |key, value| match key.text.as_ref() {
        b"sortKeys" => options.sort_keys = is_true(&value),
        b"indent" => options.indent = blanks_only(&value.into_text()),
        b"prefix" => options.prefix = blanks_only(&value.into_text()),
        b"width" => {
            // Whatever is no whole number of a sensible size means no limit.
            let width = if is_true(&value) { number::parse(&value.into_text()) } else { 0.0 };
            options.width = if width.abs() < 1e9 { width as i64 } else { 0 };
        }
        _ => {}
    });
    let mut printer = Printer { out: options.prefix.clone(), line: 0, json, options };
    printer.any(0, true, 0, None);
    if !printer.out.is_empty() {
        printer.out.push(b'\n');
    }
    printer.out
}

fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut i = 0;
    while let Some(b) = json.get(i) {
        match b {
            b'"' => {
                i = string_end(json, i).map_or(json.len(), |(end, _)| end);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        i += 1;
    }
    deepest
}

/// The text where it has nothing but blanks, else its blanks alone.
fn blanks_only(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).collect()
}

struct Printer<'a> {
    json: &'a [u8],
    out: Vec<u8>,
    /// Where the current line begins in `out`.
    line: usize,
    options: Options,
}

/// A member of an object: where its key stands in the document, and the whole member in the output.
struct Pair {
    key: (usize, usize),
    member: (usize, usize),
}

impl Printer<'_> {
    /// Prints the value at or behind `i`; gives where it ended. With a limit, which stands for one line, an
    /// object is refused.
    fn any(&mut self, i: usize, lines: bool, tabs: usize, limit: Option<i64>) -> (usize, bool) {
        let Some(skipped) = tail(self.json, i).iter().position(|b| {
            b.is_ascii_digit()
                || matches!(b, b'"' | b'-' | b'+' | b'{' | b'[' | b't' | b'f' | b'n' | b'i' | b'I' | b'N')
        }) else {
            return (self.json.len(), true);
        };
        let i = i + skipped;
        match self.json.get(i) {
            Some(b'"') => (self.string(i), true),
            Some(open @ (b'{' | b'[')) => self.nested(i, *open, lines, tabs, limit),
            Some(b't') => (self.word(i, b"true"), true),
            Some(b'f') => (self.word(i, b"false"), true),
            Some(b'n') if self.json.get(i + 1).is_none_or(|b| *b == b'u') => (self.word(i, b"null"), true),
            _ => {
                let rest = tail(self.json, i + 1);
                let ends = |b: &u8| *b <= b' ' || matches!(b, b',' | b':' | b']' | b'}');
                let end = i + 1 + rest.iter().position(ends).unwrap_or(rest.len());
                self.out.extend_from_slice(part(self.json, i, end));
                (end, true)
            }
        }
    }

    fn word(&mut self, i: usize, word: &[u8]) -> usize {
        self.out.extend_from_slice(word);
        i + word.len()
    }

    fn string(&mut self, i: usize) -> usize {
        let end = string_end(self.json, i).map_or(self.json.len(), |(end, _)| end);
        self.out.extend_from_slice(part(self.json, i, end));
        end
    }

    fn nested(&mut self, at: usize, open: u8, lines: bool, tabs: usize, limit: Option<i64>) -> (usize, bool) {
        if self.options.width > 0 {
            if lines && open == b'[' && limit.is_none() {
                let room = self.options.width - length(self.out.len().saturating_sub(self.line));
                if room > 3 {
                    let (start, line) = (self.out.len(), self.line);
                    let (end, fits) = self.members(at, open, false, 0, Some(room));
                    self.line = line;
                    if fits && length(self.out.len() - start) <= room {
                        return (end, true);
                    }
                    self.out.truncate(start);
                }
            } else if limit.is_some() && open == b'{' {
                return (at, false);
            }
        }
        self.members(at, open, lines, tabs, limit)
    }

    fn members(
        &mut self,
        at: usize,
        open: u8,
        lines: bool,
        tabs: usize,
        limit: Option<i64>,
    ) -> (usize, bool) {
        let is_object = open == b'{';
        let close = if is_object { b'}' } else { b']' };
        self.out.push(open);
        let mut pairs = Vec::new();
        let mut sorting = is_object && self.options.sort_keys;
        let mut count = 0;
        let mut i = at + 1;
        while let Some(b) = self.json.get(i) {
            if *b == close {
                if lines {
                    if sorting {
                        self.sort(&pairs);
                    }
                    if count > 0 {
                        self.new_line();
                        self.tabs(tabs);
                    }
                }
                self.out.push(close);
                return (i + 1, !is_object);
            }
            if *b <= b' ' || is_object && *b != b'"' {
                i += 1;
                continue;
            }
            if count > 0 {
                self.out.push(b',');
                if self.options.width != -1 && !is_object {
                    self.out.push(b' ');
                }
            }
            let mut member_start = self.out.len();
            if lines {
                self.new_line();
                member_start = self.out.len();
                self.tabs(tabs + 1);
            }
            let key_start = i;
            if is_object {
                i = self.string(i);
                self.out.push(b':');
                if lines {
                    self.out.push(b' ');
                }
            }
            let key_end = i;
            let (end, fits) = self.any(i, lines, tabs + 1, limit);
            // A word that is cut short is taken for whole, which leads beyond the end.
            i = end.min(self.json.len()).max(key_end);
            if i == key_start {
                i += 1;
            }
            if limit.is_some() && !fits {
                return (i, false);
            }
            if sorting && lines {
                sorting = key_start < key_end;
                pairs.push(Pair { key: (key_start, key_end), member: (member_start, self.out.len()) });
            }
            count += 1;
        }
        (self.json.len(), !is_object)
    }

    /// Begins a line, in place of the blank that separates items on one line.
    fn new_line(&mut self) {
        self.line = self.out.len();
        match self.out.last_mut() {
            Some(last) if *last == b' ' => *last = b'\n',
            _ => self.out.push(b'\n'),
        }
    }

    fn tabs(&mut self, count: usize) {
        self.out.extend_from_slice(&self.options.prefix);
        for _ in 0..count {
            self.out.extend_from_slice(&self.options.indent);
        }
    }

    /// Brings the members that have been printed last into the order of their keys.
    fn sort(&mut self, pairs: &[Pair]) {
        let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else { return };
        let mut members: Vec<(Vec<u8>, Vec<u8>)> = pairs
            .iter()
            .map(|pair| {
                let key = document(part(self.json, pair.key.0, pair.key.1)).text.into_owned();
                (key, part(&self.out, pair.member.0, pair.member.1).to_vec())
            })
            .collect();
        let order =
            |a: &(Vec<u8>, Vec<u8>), b: &(Vec<u8>, Vec<u8>)| a.0.cmp(&b.0).then_with(|| compare(&a.1, &b.1));
        if members.is_sorted_by(|a, b| order(a, b).is_le()) {
            return;
        }
        members.sort_by(order);
        let sorted: Vec<Vec<u8>> = members.into_iter().map(|(_, member)| member).collect();
        let (start, end) = (first.member.0, last.member.1);
        let behind = tail(&self.out, end).to_vec();
        self.out.truncate(start);
        self.out.extend_from_slice(&sorted.join(&b",\n"[..]));
        self.out.extend_from_slice(&behind);
    }
}

/// The order of two printed members with the same key: by their values, kinds first.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let value = |member: &'_ [u8]| {
        let key_end = member.iter().position(|b| *b == b'"').and_then(|at| string_end(member, at));
        let text = trim(tail(member, key_end.map_or(0, |(end, _)| end + 1))).to_vec();
        let rank = match text.first() {
            None | Some(b'n') => 0,
            Some(b'f') => 1,
            Some(b'"') => 3,
            Some(b't') => 4,
            Some(b'[' | b'{') => 5,
            Some(_) => 2,
        };
        (rank, text)
    };
    let ((rank, a), (other, b)) = (value(a), value(b));
    rank.cmp(&other).then_with(|| match rank {
        2 => number::parse(&a).partial_cmp(&number::parse(&b)).unwrap_or(Ordering::Equal),
        3 => document(&a).text.cmp(&document(&b).text),
        _ => a.cmp(&b),
    })
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_with_and_without_blanks() {
        let json = br#"{ "b" : [1, {"x" :2}],"a":[ true,null ] ,"c":{},"d":"e f" }"#;
        assert_eq!(ugly(json), br#"{"b":[1,{"x":2}],"a":[true,null],"c":{},"d":"e f"}"#);
        let want = "{\n  \"b\": [\n    1,\n    {\n      \"x\": 2\n    }\n  ],\n  \"a\": [true, null],\n  \"c\": {},\n  \"d\": \"e f\"\n}\n";
        assert_eq!(String::from_utf8(pretty(json, b"")).unwrap(), want);
        let want = "{\n\t\"a\": [true, null],\n\t\"b\": [\n\t\t1,\n\t\t{\n\t\t\t\"x\": 2\n\t\t}\n\t],\n\t\"c\": {},\n\t\"d\": \"e f\"\n}\n";
        let arg = br#"{"sortKeys":true,"indent":"\t"}"#;
        assert_eq!(String::from_utf8(pretty(json, arg)).unwrap(), want);
        assert_eq!(pretty(b"[1,2]", b"{\"width\":2}"), b"[\n  1,\n  2\n]\n");
    }

    #[test]
    fn broken_documents_end() {
        for json in ["{\"a\"", "[tr", "{\"a\":tr", "[[[", "{{{", "[}", "\"", "[1,,2]", "{\"a\" 1}"] {
            pretty(json.as_bytes(), b"{\"sortKeys\":true}");
        }
        let deep = vec![b'['; 100_000];
        assert_eq!(pretty(&deep, b""), deep);
    }
}
