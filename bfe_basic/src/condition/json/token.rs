//! Single values of a document.

use super::string::unescape;
use super::{Kind, Value, part, tail};

/// Where the string that begins at `at` (its opening quote) ends, behind its closing quote, and whether it
/// has escapes; `None` where it is not closed.
pub(super) fn string_end(json: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut i = at + 1;
    let mut escaped = false;
    loop {
        match json.get(i)? {
            b'"' => return Some((i + 1, escaped)),
            b'\\' => {
                escaped = true;
                i += 2;
            }
            _ => i += 1,
        }
    }
}

/// The string at `at` and where it ends.
pub(super) fn string(json: &[u8], at: usize) -> Option<(Value<'_>, usize)> {
    let (end, escaped) = string_end(json, at)?;
    let inside = part(json, at + 1, end - 1);
    let mut value = Value::new(Kind::String, part(json, at, end));
    value.text = if escaped { unescape(inside).into() } else { inside.into() };
    Some((value, end))
}

/// Where the array or object that begins at `at` ends; brackets of all kinds count alike. One that is not
/// closed ends with the document, or behind it where that is because of a string: an array around it does
/// not count as closed then.
fn nested_end(json: &[u8], at: usize) -> usize {
    let mut depth = 1usize;
    let mut i = at + 1;
    while let Some(b) = json.get(i) {
        match b {
            b'"' => match string_end(json, i) {
                Some((end, _)) => i = end,
                None => return json.len() + 1,
            },
            b'{' | b'[' | b'(' => {
                depth += 1;
                i += 1;
            }
            b'}' | b']' | b')' => {
                depth -= 1;
                i += 1;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    json.len()
}

/// The array or object at `at` and where it ends.
pub(super) fn nested(json: &[u8], at: usize) -> (Value<'_>, usize) {
    let end = nested_end(json, at);
    (Value::new(Kind::Nested, part(json, at, end.min(json.len()))), end)
}

/// The part of `text` up to a bracket that closes more than is opened behind its first byte.
pub(super) fn until_closed(text: &[u8]) -> &[u8] {
    part(text, 0, nested_end(text, 0).min(text.len()))
}

/// The part of `text` up to the end of the bracket or string that it begins with.
pub(super) fn balanced(text: &[u8]) -> &[u8] {
    let end = match text.first() {
        Some(b'"') => string_end(text, 0).map_or(text.len(), |(end, _)| end),
        _ => nested_end(text, 0),
    };
    part(text, 0, end.min(text.len()))
}

/// The number, literal or null at `at` and where it ends; `None` where none of these begins there.
pub(super) fn scalar(json: &[u8], at: usize) -> Option<(Value<'_>, usize)> {
    let first = *json.get(at)?;
    let is_number = match first {
        b'+' | b'-' | b'0'..=b'9' | b'i' | b'I' | b'N' => true,
        b'n' => json.get(at + 1).is_some_and(|b| *b != b'u'),
        b't' | b'f' => false,
        _ => return None,
    };
    let rest = tail(json, at + 1);
    let ends = |b: &u8| match is_number {
        true => *b <= b' ' || matches!(b, b',' | b']' | b'}'),
        false => !b.is_ascii_lowercase(),
    };
    let end = at + 1 + rest.iter().position(ends).unwrap_or(rest.len());
    let kind = match first {
        _ if is_number => Kind::Number,
        b't' => Kind::True,
        b'f' => Kind::False,
        _ => Kind::Null,
    };
    Some((Value::new(kind, part(json, at, end)), end))
}

/// The next value at or behind `at`, whatever stands before it, and where it ends.
pub(super) fn any(json: &[u8], mut at: usize) -> Option<(Value<'_>, usize)> {
    loop {
        match json.get(at)? {
            b'{' | b'[' => return Some(nested(json, at)),
            b'"' => return string(json, at),
            _ => {
                if let Some(found) = scalar(json, at) {
                    return Some(found);
                }
            }
        }
        at += 1;
    }
}

/// A document as a value: the first thing in it, which for an array or object is all of the rest.
pub(super) fn document(json: &[u8]) -> Value<'_> {
    let Some(at) = json.iter().position(|b| *b > b' ') else { return Value::default() };
    match json.get(at) {
        Some(b'{' | b'[') => Value::new(Kind::Nested, tail(json, at)),
        Some(b'"') => match string(json, at) {
            Some((value, _)) => value,
            None => {
                // Not closed: what is there counts, without a last lone backslash.
                let inside = tail(json, at + 1);
                let mut value = Value::new(Kind::String, tail(json, at));
                value.text = if inside.contains(&b'\\') { unescape(inside).into() } else { inside.into() };
                value
            }
        },
        _ => scalar(json, at).map(|(value, _)| value).unwrap_or_default(),
    }
}

/// Calls `each` with key and value of the members of an object, or with the items of an array, whose key is
/// no value. It stops where the text is broken.
pub(super) fn for_each<'a>(nested: &'a [u8], mut each: impl FnMut(Value<'a>, Value<'a>)) {
    let Some(open) = nested.iter().position(|b| *b > b' ') else { return };
    let is_object = match nested.get(open) {
        Some(b'{') => true,
        Some(b'[') => false,
        _ => return,
    };
    let mut i = open + 1;
    while i < nested.len() {
        let mut key = Value::default();
        if is_object {
            let Some(quote) = tail(nested, i).iter().position(|b| *b == b'"') else { return };
            let Some((found, end)) = string(nested, i + quote) else { return };
            key = found;
            i = end;
        }
        let blank = |b: &u8| *b <= b' ' || matches!(b, b',' | b':');
        i += tail(nested, i).iter().take_while(|b| blank(b)).count();
        let Some((value, end)) = any(nested, i) else { return };
        each(key, value);
        // The byte behind a value is passed over: it is a comma or the end.
        i = end + 1;
    }
}
