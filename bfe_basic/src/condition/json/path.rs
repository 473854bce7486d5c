//! Components of a path.

use super::modifier;
use super::string::unescape;
use super::token::balanced;
use super::{part, tail, trim};
use std::borrow::Cow;

/// A component that names members of an object.
#[derive(Debug, Default)]
pub(super) struct Member<'p> {
    /// Name, or pattern.
    pub(super) name: Cow<'p, [u8]>,
    pub(super) is_pattern: bool,
    pub(super) next: Next<'p>,
}

/// What follows a component.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Next<'p> {
    /// Nothing.
    #[default]
    End,
    /// More components.
    More(&'p [u8]),
    /// A path to be applied to the result.
    Pipe(&'p [u8]),
}

/// A component that picks elements of an array.
#[derive(Debug, Default)]
pub(super) struct Element<'p> {
    pub(super) name: &'p [u8],
    /// Whether there is a `#` in it.
    pub(super) has_hash: bool,
    /// The path to apply to each element, for `#.path`.
    pub(super) each: Option<&'p [u8]>,
    pub(super) query: Option<Query<'p>>,
    pub(super) next: Next<'p>,
}

/// A test on the elements of an array.
#[derive(Debug, Default)]
pub(super) struct Query<'p> {
    /// Whether all elements are wanted that pass, not the first alone.
    pub(super) all: bool,
    pub(super) path: &'p [u8],
    pub(super) op: &'p [u8],
    pub(super) value: Cow<'p, [u8]>,
}

/// What follows the dot at `at`: a bracket or a modifier behind a dot is piped.
fn after_dot(path: &[u8], at: usize, may_pipe: bool) -> Next<'_> {
    let rest = tail(path, at + 1);
    let pipes = match rest.first() {
        Some(b'[' | b'{') => true,
        Some(b'@') => modifier::is_known(part(rest, 1, modifier::name_end(rest))),
        _ => false,
    };
    if may_pipe && pipes { Next::Pipe(rest) } else { Next::More(rest) }
}

/// Takes the first component off a path into an object.
pub(super) fn member(path: &[u8]) -> Member<'_> {
    let mut name = Cow::Borrowed(path);
    let mut is_pattern = false;
    let mut next = Next::End;
    let mut escaped: Option<Vec<u8>> = None;
    let mut i = 0;
    while let Some(b) = path.get(i) {
        match b {
            b'|' | b'.' => {
                name = Cow::Borrowed(part(path, 0, i));
                next = if *b == b'|' { Next::Pipe(tail(path, i + 1)) } else { after_dot(path, i, true) };
                break;
            }
            b'\\' => {
                let text = escaped.get_or_insert_with(|| part(path, 0, i).to_vec());
                i += 1;
                text.extend(path.get(i));
            }
            b => {
                is_pattern |= matches!(b, b'*' | b'?');
                if let Some(text) = &mut escaped {
                    text.push(*b);
                }
            }
        }
        i += 1;
    }
    if let Some(text) = escaped {
        name = Cow::Owned(text);
    }
    Member { name, is_pattern, next }
}

/// Takes the first component off a path into an array.
pub(super) fn element(path: &[u8]) -> Element<'_> {
    let mut element = Element { name: path, ..Element::default() };
    let mut i = 0;
    while let Some(b) = path.get(i) {
        match b {
            b'|' => {
                element.name = part(path, 0, i);
                element.next = Next::Pipe(tail(path, i + 1));
                return element;
            }
            b'.' => {
                element.name = part(path, 0, i);
                element.next = after_dot(path, i, !element.has_hash);
                return element;
            }
            b'#' => {
                element.has_hash = true;
                match path.get(1) {
                    Some(b'.') if i == 0 => element.each = Some(tail(path, 2)),
                    Some(b'[' | b'(') if i == 0 => {
                        let Some((mut query, end)) = query(path) else {
                            // Not closed: no query, and none of the rest counts.
                            element.query = Some(Query::default());
                            return element;
                        };
                        query.all = path.get(end) == Some(&b'#');
                        element.query = Some(query);
                        i = end - 1;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        i += 1;
    }
    element
}

/// The query that a path begins with, and where it ends.
fn query(path: &[u8]) -> Option<(Query<'_>, usize)> {
    let mut i = 2;
    // Where operator and value begin; 0 while there is none.
    let mut right = 0;
    let mut depth = 1;
    let mut escaped = false;
    loop {
        match path.get(i)? {
            b'!' | b'=' | b'<' | b'>' | b'%' if depth == 1 && right == 0 => right = i,
            b'\\' => i += 1,
            b'[' | b'(' => depth += 1,
            b']' | b')' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            b'"' => {
                i += 1;
                while let Some(b) = path.get(i).filter(|b| **b != b'"') {
                    if *b == b'\\' {
                        escaped = true;
                        i += 1;
                    }
                    i += 1;
                }
            }
            _ => {}
        }
        i += 1;
    }
    let mut query = Query::default();
    if right == 0 {
        query.path = trim(part(path, 2, i));
        return Some((query, i + 1));
    }
    query.path = trim(part(path, 2, right));
    let mut text = trim(part(path, right, i));
    let width = match text {
        [b'!', b'=' | b'%', ..] | [b'<' | b'>', b'=', ..] => 2,
        [b'=', b'=', ..] => {
            text = tail(text, 1);
            1
        }
        // A lone `!` is no operator, but the value of an existence test.
        [b'!', _, ..] => 0,
        _ => 1,
    };
    query.op = part(text, 0, width);
    let mut value = trim(tail(text, width));
    if let [b'"', inside @ .., b'"'] = value {
        value = inside;
        if escaped {
            query.value = Cow::Owned(unescape(value));
            return Some((query, i + 1));
        }
    }
    query.value = Cow::Borrowed(value);
    Some((query, i + 1))
}

/// Splits a path at its first pipe outside of queries; `None` without one.
pub(super) fn split_pipe(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.first() == Some(&b'{') {
        let end = balanced(path).len();
        return (path.get(end) == Some(&b'|')).then(|| (part(path, 0, end), tail(path, end + 1)));
    }
    let mut i = 0;
    while let Some(b) = path.get(i) {
        match b {
            b'\\' => i += 1,
            b'|' => return Some((part(path, 0, i), tail(path, i + 1))),
            b'.' if path.get(i + 1) == Some(&b'#') => {
                i += 2;
                match path.get(i)? {
                    b'[' => i = bracket_end(path, i, b'[', b']'),
                    b'(' => i = bracket_end(path, i, b'(', b')'),
                    _ => {}
                }
            }
            _ => {}
        }
        i += 1;
    }
    None
}

/// The place of the bracket that closes the one at `at`, or the end.
fn bracket_end(path: &[u8], at: usize, open: u8, close: u8) -> usize {
    let mut depth = 1;
    let mut i = at + 1;
    while let Some(b) = path.get(i) {
        match *b {
            b'\\' => i += 1,
            b if b == open => depth += 1,
            b if b == close => {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
            b'"' => {
                i += 1;
                while let Some(b) = path.get(i).filter(|b| **b != b'"') {
                    i += if *b == b'\\' { 2 } else { 1 };
                }
            }
            _ => {}
        }
        i += 1;
    }
    i
}

/// One of the paths in `[a,b]` or `{"n":a,b}`.
#[derive(Debug)]
pub(super) struct Selector<'p> {
    /// Name as written, with quotes; empty where there is none.
    pub(super) name: &'p [u8],
    pub(super) path: &'p [u8],
}

/// The selectors of a path that begins with a bracket, and the rest of it; `None` where the bracket does not
/// close.
pub(super) fn selectors(path: &[u8]) -> Option<(Vec<Selector<'_>>, &[u8])> {
    let mut found = Vec::new();
    let (mut start, mut colon) = (1, None);
    let mut in_modifier = false;
    let mut depth = 1;
    let mut i = 1;
    while let Some(b) = path.get(i) {
        let mut ends = false;
        match b {
            b'\\' => i += 1,
            b'@' if matches!(path.get(i - 1), Some(b'.' | b'|')) => in_modifier = true,
            b':' if !in_modifier && colon.is_none() && depth == 1 => colon = Some(i),
            b',' if depth == 1 => ends = true,
            b'"' => {
                i += 1;
                while let Some(b) = path.get(i).filter(|b| **b != b'"') {
                    i += if *b == b'\\' { 2 } else { 1 };
                }
            }
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => {
                depth -= 1;
                ends = depth == 0;
            }
            _ => {}
        }
        if ends {
            found.push(match colon.take() {
                Some(colon) => Selector { name: part(path, start, colon), path: part(path, colon + 1, i) },
                None => Selector { name: b"", path: part(path, start, i) },
            });
            if depth == 0 {
                return Some((found, tail(path, i + 1)));
            }
            in_modifier = false;
            start = i + 1;
        }
        i += 1;
    }
    None
}

/// The last component of a path.
pub(super) fn last_name(path: &[u8]) -> &[u8] {
    let mut end = path.len();
    while let Some(at) = part(path, 0, end).iter().rposition(|b| matches!(b, b'|' | b'.')) {
        if at == 0 || path.get(at - 1) != Some(&b'\\') {
            return tail(path, at + 1);
        }
        end = at;
    }
    path
}
