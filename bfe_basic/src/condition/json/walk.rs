//! Following a path through a document.

use super::path::{self, Element, Next};
use super::string::quote;
use super::{Kind, MAX_DEPTH, Value, modifier, part, query, tail, token, valid, wildcard};

/// The value at `path`. `depth` counts how far the search has nested.
pub(super) fn get<'a>(json: &'a [u8], mut path: &[u8], depth: usize) -> Value<'a> {
    if depth > MAX_DEPTH {
        return Value::default();
    }
    if path.len() > 1 {
        let reshaped = match path.first() {
            Some(b'@') => modifier::apply(json, path, depth),
            Some(b'!') => fixed(path).map(|(text, rest)| (text.to_vec(), rest)),
            _ => None,
        };
        if let Some((json, rest)) = reshaped {
            return match rest.first() {
                Some(b'|' | b'.') => get(&json, tail(rest, 1), depth + 1).into_owned(),
                _ => token::document(&json).into_owned(),
            };
        }
        if let Some(open @ (b'[' | b'{')) = path.first() {
            // Of selectors that are followed by something else, that alone counts; of those that do not
            // close, nothing does.
            let (selectors, rest) = path::selectors(path).unwrap_or_default();
            if !selectors.is_empty() && matches!(rest.first(), None | Some(b'|' | b'.')) {
                let json = select(json, *open == b'{', &selectors, depth);
                return match rest.first() {
                    Some(_) => get(&json, tail(rest, 1), depth + 1).into_owned(),
                    None => Value::new(Kind::Nested, json),
                };
            }
            path = rest;
        }
    }
    let mut walk = Walk { json, found: Value::default(), pipe: None };
    if let Some(lines) = path.strip_prefix(b"..") {
        walk.array(0, lines, depth);
    } else if let Some(open) = json.iter().position(|b| matches!(b, b'{' | b'[')) {
        if json.get(open) == Some(&b'{') {
            walk.object(open + 1, path, depth);
        } else {
            walk.array(open + 1, path, depth);
        }
    }
    match walk.pipe {
        Some(pipe) => get(&walk.found.raw, pipe, depth + 1).into_owned(),
        None => walk.found,
    }
}

/// A path that begins with `!` has its value in itself; gives that and the rest of the path.
fn fixed(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = tail(path, 1);
    if matches!(text.first(), Some(b'{' | b'[' | b'"' | b'+' | b'-' | b'0'..=b'9')) {
        // Also a string or number goes on until a bracket closes that was never opened.
        return text.split_at_checked(token::until_closed(text).len());
    }
    let end = text.iter().position(|b| matches!(b, b'|' | b'.')).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let known = ["true", "false", "null", "nan", "inf"];
    known.iter().any(|k| word.eq_ignore_ascii_case(k.as_bytes())).then_some((word, rest))
}

/// Puts the values of several paths together as an object or an array.
fn select(json: &[u8], as_object: bool, selectors: &[path::Selector<'_>], depth: usize) -> Vec<u8> {
    let mut out = vec![if as_object { b'{' } else { b'[' }];
    for selector in selectors {
        let value = get(json, selector.path, depth + 1);
        if !value.exists() {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        if as_object {
            let last = path::last_name(selector.path);
            match selector.name {
                b"" if is_simple(last) => quote(last, &mut out),
                b"" => out.extend_from_slice(b"\"_\""),
                name if name.starts_with(b"\"") && valid::is_valid(name) => out.extend_from_slice(name),
                name => quote(name, &mut out),
            }
            out.push(b':');
        }
        let raw = value.raw_or_text();
        out.extend_from_slice(if raw.is_empty() { b"null" } else { &raw });
    }
    out.push(if as_object { b'}' } else { b']' });
    out
}

fn is_simple(name: &[u8]) -> bool {
    !name.iter().any(|b| *b < b' ' || b"[]{}()#|!".contains(b))
}

struct Walk<'a, 'p> {
    json: &'a [u8],
    found: Value<'a>,
    /// A path to be applied to what is found.
    pipe: Option<&'p [u8]>,
}

impl<'a, 'p> Walk<'a, 'p> {
    /// Searches an object from behind its brace; gives where it ended and whether it found something.
    fn object(&mut self, mut i: usize, path: &'p [u8], depth: usize) -> (usize, bool) {
        if depth > MAX_DEPTH {
            return (self.json.len(), false);
        }
        let json = self.json;
        let member = path::member(path);
        let more = match member.next {
            Next::More(more) => Some(more),
            Next::Pipe(pipe) => {
                self.pipe = Some(pipe);
                None
            }
            Next::End => None,
        };
        loop {
            // The next key.
            loop {
                match json.get(i) {
                    None => return (i, false),
                    Some(b'"') => break,
                    Some(b'}') => return (i + 1, false),
                    Some(_) => i += 1,
                }
            }
            let Some((key, end)) = token::string(json, i) else { return (json.len(), false) };
            i = end;
            let fits = if member.is_pattern {
                wildcard::matches(&key.text, &member.name)
            } else {
                key.text == member.name
            };
            // Its value, whatever stands before it.
            loop {
                let Some(b) = json.get(i) else { return (i, false) };
                let value = match (b, more) {
                    (b'{', Some(more)) if fits => {
                        let (end, found) = self.object(i + 1, more, depth + 1);
                        if found {
                            return (end, true);
                        }
                        i = end;
                        break;
                    }
                    (b'[', Some(more)) if fits => {
                        let (end, found) = self.array(i + 1, more, depth + 1);
                        if found {
                            return (end, true);
                        }
                        i = end;
                        break;
                    }
                    (b'{' | b'[', _) => Some(token::nested(json, i)),
                    (b'"', _) => match token::string(json, i) {
                        Some(found) => Some(found),
                        None => return (json.len(), false),
                    },
                    _ => token::scalar(json, i),
                };
                if let Some((value, end)) = value {
                    i = end;
                    if fits && more.is_none() {
                        self.found = value;
                        return (i, true);
                    }
                    break;
                }
                i += 1;
            }
        }
    }

    /// Searches an array from behind its bracket; the end of the document closes it too.
    fn array(&mut self, mut i: usize, path: &'p [u8], depth: usize) -> (usize, bool) {
        if depth > MAX_DEPTH {
            return (self.json.len(), false);
        }
        let json = self.json;
        let element = path::element(path);
        let mut more = match element.next {
            Next::More(more) => Some(more),
            Next::Pipe(pipe) => {
                self.pipe = Some(pipe);
                None
            }
            Next::End => None,
        };
        let wanted = if element.has_hash { None } else { index(element.name) };
        let mut count = 0u64;
        let mut starts = Vec::new();
        let mut all = Vec::new();
        while i <= json.len() {
            let fits = wanted == Some(count);
            count += 1;
            if element.each.is_some() {
                starts.push(i);
            }
            // The next value, whatever stands before it.
            loop {
                let value = match (json.get(i), more) {
                    (None | Some(b']'), _) => {
                        let found = self.close_array(&element, count - 1, &starts, all, depth);
                        return (i + 1, found);
                    }
                    (Some(b'{'), Some(more)) if fits => {
                        let (end, found) = self.object(i + 1, more, depth + 1);
                        if found {
                            return (end, true);
                        }
                        i = end;
                        break;
                    }
                    (Some(b'['), Some(more)) if fits => {
                        let (end, found) = self.array(i + 1, more, depth + 1);
                        if found {
                            return (end, true);
                        }
                        i = end;
                        break;
                    }
                    (Some(b'{' | b'['), _) => Some(token::nested(json, i)),
                    (Some(b'"'), _) => match token::string(json, i) {
                        Some(found) => Some(found),
                        None => return (json.len(), false),
                    },
                    (Some(_), _) => token::scalar(json, i),
                };
                let Some((value, end)) = value else {
                    i += 1;
                    continue;
                };
                i = end;
                if let Some(query) = &element.query {
                    if self.ask(query, value, &mut more, &mut all, depth) {
                        return (i, true);
                    }
                } else if fits && more.is_none() {
                    self.found = value;
                    return (i, true);
                }
                break;
            }
        }
        (i, false)
    }

    /// Puts an element to a query; says whether the search is over.
    fn ask(
        &mut self,
        query: &path::Query<'p>,
        value: Value<'a>,
        more: &mut Option<&'p [u8]>,
        all: &mut Vec<u8>,
        depth: usize,
    ) -> bool {
        if query.all && all.is_empty() {
            all.push(b'[');
        }
        let tested = if value.kind == Kind::Nested {
            nested_get(&value, query.path, depth)
        } else if query.path.is_empty() {
            value.clone()
        } else {
            return false;
        };
        if !query::satisfies(query, tested) {
            return false;
        }
        let result = match *more {
            Some(path) => {
                if let Some((path, pipe)) = path::split_pipe(path) {
                    *more = Some(path);
                    self.pipe = Some(pipe);
                }
                nested_get(&value, more.unwrap_or_default(), depth)
            }
            None => value,
        };
        if !query.all {
            self.found = result;
            return true;
        }
        let raw = result.raw_or_text();
        if !raw.is_empty() {
            if all.len() > 1 {
                all.push(b',');
            }
            all.extend_from_slice(&raw);
        }
        false
    }

    /// What is known at the end of an array: a count, the values of all elements, the answers to a query.
    fn close_array(
        &mut self,
        element: &Element<'p>,
        count: u64,
        starts: &[usize],
        mut all: Vec<u8>,
        depth: usize,
    ) -> bool {
        if element.has_hash && element.name == b"#" {
            self.found = match element.each {
                Some(path) => Value::new(Kind::Nested, self.each(path, starts, depth)),
                None => Value::new(Kind::Number, count.to_string().into_bytes()),
            };
            return true;
        }
        if !self.found.exists() {
            if !all.is_empty() {
                all.push(b']');
                self.found = Value::new(Kind::Nested, all);
            } else if element.query.as_ref().is_some_and(|query| query.all) {
                self.found = Value::new(Kind::Nested, &b"[]"[..]);
            }
        }
        false
    }

    fn each(&mut self, mut path: &'p [u8], starts: &[usize], depth: usize) -> Vec<u8> {
        if let Some((left, pipe)) = path::split_pipe(path) {
            path = left;
            self.pipe = Some(pipe);
        }
        let mut out = vec![b'['];
        for start in starts {
            let blanks = tail(self.json, *start).iter().take_while(|b| b" \t\r\n".contains(b)).count();
            let at = start + blanks;
            if matches!(self.json.get(at), None | Some(b']')) {
                continue;
            }
            let Some((value, _)) = token::any(self.json, at) else { continue };
            let value = nested_get(&value, path, depth);
            if value.exists() {
                if out.len() > 1 {
                    out.push(b',');
                }
                out.extend_from_slice(&value.raw_or_text());
            }
        }
        out.push(b']');
        out
    }
}

/// The value at `path` inside another value.
fn nested_get<'a>(value: &Value<'a>, path: &[u8], depth: usize) -> Value<'a> {
    match &value.raw {
        std::borrow::Cow::Borrowed(raw) => get(raw, path, depth + 1),
        std::borrow::Cow::Owned(raw) => get(raw, path, depth + 1).into_owned(),
    }
}

/// An index into an array; leading zeros are fine.
fn index(name: &[u8]) -> Option<u64> {
    if name.is_empty() || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(part(name, 0, name.len())).ok()?.parse().ok()
}
