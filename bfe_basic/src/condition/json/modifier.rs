//! Modifiers: `@reverse` and its like reshape a document.

use super::string::quote;
use super::{Kind, MAX_DEPTH, Value, pretty, tail, token, trim, valid, walk};
use std::borrow::Cow;
use std::collections::BTreeMap;

const NAMES: [&str; 13] = [
    "pretty", "ugly", "reverse", "this", "flatten", "join", "valid", "keys", "values", "tostr", "fromstr",
    "group", "dig",
];

/// Whether there is a modifier of that name.
pub(super) fn is_known(name: &[u8]) -> bool {
    NAMES.iter().any(|known| known.as_bytes() == name)
}

/// Where the name of the modifier ends that a path begins with.
pub(super) fn name_end(path: &[u8]) -> usize {
    path.iter().position(|b| matches!(b, b':' | b'|' | b'.')).unwrap_or(path.len())
}

/// Applies the modifier that a path begins with; gives the new document and the rest of the path. `None`
/// where there is no such modifier.
pub(super) fn apply<'p>(json: &[u8], path: &'p [u8], depth: usize) -> Option<(Vec<u8>, &'p [u8])> {
    let end = name_end(path);
    let name = path.get(1..end)?;
    if !is_known(name) {
        return None;
    }
    let (arg, rest) = match path.get(end) {
        Some(b':') => split_argument(tail(path, end + 1)),
        _ => (&b""[..], tail(path, end)),
    };
    let out = match name {
        b"pretty" => pretty::pretty(json, arg),
        b"ugly" => pretty::ugly(json),
        b"reverse" => reverse(json),
        b"flatten" => flatten(json, has_flag(arg, b"deep"), 0),
        b"join" => join(json, has_flag(arg, b"preserve")),
        b"valid" if !valid::is_valid(json) => Vec::new(),
        b"keys" => keys(json),
        b"values" => values(json),
        b"tostr" => {
            let mut out = Vec::with_capacity(json.len() + 2);
            quote(json, &mut out);
            out
        }
        b"fromstr" if valid::is_valid(json) => token::document(json).into_text(),
        b"fromstr" => Vec::new(),
        b"group" => group(json),
        b"dig" => dig(json, arg, depth),
        _ => json.to_vec(),
    };
    Some((out, rest))
}

/// An argument is a JSON value, or else all up to a pipe.
fn split_argument(text: &[u8]) -> (&[u8], &[u8]) {
    if matches!(text.first(), Some(b'{' | b'[' | b'"')) {
        let arg = token::balanced(text);
        return (arg, tail(text, arg.len()));
    }
    let mut i = 0;
    while let Some(b) = text.get(i) {
        match b {
            b'|' => break,
            b'{' | b'[' | b'"' | b'(' => i += token::balanced(tail(text, i)).len(),
            _ => i += 1,
        }
    }
    text.split_at_checked(i).unwrap_or((text, b""))
}

/// Whether an argument is an object with a member of that name that is true; the last of the name counts.
fn has_flag(arg: &[u8], name: &[u8]) -> bool {
    let mut set = false;
    token::for_each(token::document(arg).raw.as_ref(), |key, value| {
        if key.text == name {
            set = is_true(&value);
        }
    });
    set
}

/// A value as a boolean.
pub(super) fn is_true(value: &Value<'_>) -> bool {
    match value.kind {
        Kind::True => true,
        Kind::String => matches!(value.text.to_ascii_lowercase().as_slice(), b"1" | b"t" | b"true"),
        Kind::Number => value.number() != 0.0,
        _ => false,
    }
}

/// Joins items with commas between brackets.
fn list(open: u8, items: &[Vec<u8>], close: u8) -> Vec<u8> {
    let mut out = vec![open];
    out.extend_from_slice(&items.join(&b','));
    out.push(close);
    out
}

fn member(key: &[u8], value: &[u8]) -> Vec<u8> {
    [key, b":", value].concat()
}

/// The raw texts of the items of an array, or the members of an object.
fn items(json: &[u8], is_object: bool) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    token::for_each(json, |key, value| {
        items.push(if is_object { member(&key.raw, &value.raw) } else { value.raw.to_vec() });
    });
    items
}

fn reverse(json: &[u8]) -> Vec<u8> {
    let document = token::document(json);
    if document.kind != Kind::Nested {
        return json.to_vec();
    }
    let is_object = document.is_object();
    let mut items = items(&document.raw, is_object);
    items.reverse();
    if is_object { list(b'{', &items, b'}') } else { list(b'[', &items, b']') }
}

/// What stands between the brackets of an array or object.
fn inside(json: &[u8]) -> &[u8] {
    match trim(json) {
        [b'[' | b'{', inside @ .., _] => inside,
        other => other,
    }
}

fn flatten(json: &[u8], deep: bool, depth: usize) -> Vec<u8> {
    let document = token::document(json);
    if !document.is_array() {
        return json.to_vec();
    }
    let mut out = vec![b'['];
    token::for_each(&document.raw, |_, value| {
        let flat;
        let raw = if !value.is_array() {
            value.raw.as_ref()
        } else if deep && depth < MAX_DEPTH {
            flat = flatten(&value.raw, deep, depth + 1);
            inside(&flat)
        } else {
            inside(&value.raw)
        };
        let raw = raw.trim_ascii();
        if !raw.is_empty() {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(raw);
        }
    });
    out.push(b']');
    out
}

fn join(json: &[u8], preserve: bool) -> Vec<u8> {
    let document = token::document(json);
    if !document.is_array() {
        return json.to_vec();
    }
    let mut parts = Vec::new();
    // Keys in order of their first value, each with its last one.
    let mut places: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut members: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    token::for_each(&document.raw, |_, object| {
        if !object.is_object() {
            return;
        }
        if preserve {
            parts.push(inside(&object.raw).to_vec());
            return;
        }
        token::for_each(&object.raw, |key, value| {
            let place = *places.entry(key.text.to_vec()).or_insert(members.len());
            match members.get_mut(place) {
                Some((_, old)) => *old = value.raw.to_vec(),
                None => members.push((key.raw.to_vec(), value.raw.to_vec())),
            }
        });
    });
    parts.extend(members.iter().map(|(key, value)| member(key, value)));
    list(b'{', &parts, b'}')
}

fn keys(json: &[u8]) -> Vec<u8> {
    let document = token::document(json);
    let is_object = document.is_object();
    let mut keys = Vec::new();
    if document.kind == Kind::Nested {
        token::for_each(&document.raw, |key, _| {
            keys.push(if is_object { key.raw.to_vec() } else { b"null".to_vec() });
        });
    } else if document.exists() {
        keys.push(b"null".to_vec());
    }
    list(b'[', &keys, b']')
}

fn values(json: &[u8]) -> Vec<u8> {
    let document = token::document(json);
    if document.is_array() {
        return json.to_vec();
    }
    if document.kind == Kind::Nested {
        return list(b'[', &items(&document.raw, false), b']');
    }
    if document.exists() { list(b'[', &[document.raw.to_vec()], b']') } else { b"[]".to_vec() }
}

fn group(json: &[u8]) -> Vec<u8> {
    let document = token::document(json);
    if !document.is_object() {
        return Vec::new();
    }
    let mut rows: Vec<Vec<Vec<u8>>> = Vec::new();
    token::for_each(&document.raw, |key, value| {
        if !value.is_array() {
            return;
        }
        let mut row = 0;
        token::for_each(&value.raw, |_, value| {
            let cell = member(&key.raw, &value.raw);
            match rows.get_mut(row) {
                Some(cells) => cells.push(cell),
                None => rows.push(vec![cell]),
            }
            row += 1;
        });
    });
    let rows: Vec<Vec<u8>> = rows.iter().map(|cells| list(b'{', cells, b'}')).collect();
    list(b'[', &rows, b']')
}

/// The values of a path in the document and in all values inside of it, outer ones first.
fn dig(json: &[u8], path: &[u8], depth: usize) -> Vec<u8> {
    let mut found = Vec::new();
    let document = token::document(json);
    let mut todo = vec![(document.raw.as_ref(), document.kind, 0)];
    while let Some((raw, kind, level)) = todo.pop() {
        let hit = walk::get(raw, path, depth + 1);
        if hit.exists() {
            found.push(hit.raw.into_owned());
        }
        if kind == Kind::Nested && level < MAX_DEPTH {
            let behind = todo.len();
            token::for_each(raw, |_, inner| {
                // What is found in a borrowed text is borrowed from it.
                if let Cow::Borrowed(raw) = inner.raw {
                    todo.push((raw, inner.kind, level + 1));
                }
            });
            if let Some(inner) = todo.get_mut(behind..) {
                inner.reverse();
            }
        }
    }
    list(b'[', &found, b']')
}
