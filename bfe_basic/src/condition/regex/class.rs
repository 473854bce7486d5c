//! Bracket classes, properties and escapes of single characters.

use super::names::{self, Items};
use super::syntax::refuse;

const BAD_RANGE: &str = "invalid character class range";

/// A set of characters for the engine.
pub(super) struct Class {
    /// Items of a bracket class; none for the empty set.
    pub(super) items: String,
    pub(super) negated: bool,
}

/// Reads a bracket class at the start of `text`; gives its length too.
///
/// There are no nested classes and no operators in it: `[`, `&&`, `--` and `~~` are characters.
pub(super) fn bracket(text: &str) -> Result<(Class, usize), String> {
    let mut rest = text.get(1..).unwrap_or_default();
    let negated = rest.starts_with('^');
    if negated {
        rest = rest.get(1..).unwrap_or_default();
    }
    let mut items = String::new();
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        let (set, len) = if let Some(found) = posix(rest)? {
            found
        } else if rest.starts_with(r"\p") || rest.starts_with(r"\P") {
            property(rest)?
        } else if let Some(perl) =
            rest.strip_prefix('\\').and_then(|r| r.chars().next()).and_then(names::perl)
        {
            (perl, 2)
        } else {
            let (low, mut len) = character(rest, text)?;
            let mut high = low;
            let behind = rest.get(len..).unwrap_or_default();
            if behind.len() >= 2 && behind.starts_with('-') && !behind.starts_with("-]") {
                let (end, end_len) = character(behind.get(1..).unwrap_or_default(), text)?;
                len += 1 + end_len;
                high = end;
                if high < low {
                    return refuse(BAD_RANGE, rest.get(..len).unwrap_or_default());
                }
            }
            push_range(&mut items, low, high);
            rest = rest.get(len..).unwrap_or_default();
            continue;
        };
        items.push_str(&set.text);
        rest = rest.get(len..).unwrap_or_default();
    }
    Ok((Class { items, negated }, text.len() - rest.len() + 1))
}

/// Adds a range without the surrogates in it, which no text has.
fn push_range(items: &mut String, low: u32, high: u32) {
    for (low, high) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
        if low <= high {
            items.push_str(&format!(r"\x{{{low:X}}}-\x{{{high:X}}}"));
        }
    }
}

/// A character or its escape, in a class that begins at `class`.
fn character(text: &str, class: &str) -> Result<(u32, usize), String> {
    match text.chars().next() {
        None => refuse("missing closing ]", class),
        Some('\\') => escape(text),
        Some(c) => Ok((u32::from(c), c.len_utf8())),
    }
}

/// `[:name:]` at the start of `text`; `None` where there is none.
fn posix(text: &str) -> Result<Option<(Items, usize)>, String> {
    let Some((name, _)) = text.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
        return Ok(None);
    };
    let len = name.len() + 4;
    match names::posix(name) {
        Some(items) => Ok(Some((items, len))),
        None => refuse(BAD_RANGE, text.get(..len).unwrap_or_default()),
    }
}

/// `\p` or `\P` and a name at the start of `text`.
pub(super) fn property(text: &str) -> Result<(Items, usize), String> {
    let mut negated = text.starts_with(r"\P");
    let behind = text.get(2..).unwrap_or_default();
    let (mut name, len) = if behind.starts_with('{') {
        match behind.find('}') {
            Some(end) => (behind.get(1..end).unwrap_or_default(), end + 3),
            None => return refuse(BAD_RANGE, text),
        }
    } else {
        let width = behind.chars().next().map_or(0, char::len_utf8);
        (behind.get(..width).unwrap_or_default(), width + 2)
    };
    if let Some(positive) = name.strip_prefix('^') {
        negated = !negated;
        name = positive;
    }
    match names::property(name, negated) {
        Some(items) => Ok((items, len)),
        None => refuse(BAD_RANGE, text.get(..len).unwrap_or_default()),
    }
}

/// An escape that stands for one character, which may be a surrogate; gives its length too.
pub(super) fn escape(text: &str) -> Result<(u32, usize), String> {
    let mut chars = text.char_indices().skip(1);
    let Some((at, c)) = chars.next() else {
        return refuse("trailing backslash at end of expression", "");
    };
    let behind = at + c.len_utf8();
    let rest = text.get(behind..).unwrap_or_default();
    let fail = |read: usize| refuse("invalid escape sequence", text.get(..read).unwrap_or(text));
    match c {
        '0'..='7' => {
            let more = rest.bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
            if c != '0' && more == 0 {
                return fail(behind);
            }
            let digits = text.get(at..behind + more).unwrap_or_default();
            Ok((u32::from_str_radix(digits, 8).unwrap_or_default(), behind + more))
        }
        'x' => hexadecimal(text, behind),
        'a' => Ok((0x07, behind)),
        'f' => Ok((0x0c, behind)),
        'n' => Ok((0x0a, behind)),
        'r' => Ok((0x0d, behind)),
        't' => Ok((0x09, behind)),
        'v' => Ok((0x0b, behind)),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok((u32::from(c), behind)),
        _ => fail(behind),
    }
}

/// What follows `\x`: two digits, or any number in braces.
fn hexadecimal(text: &str, start: usize) -> Result<(u32, usize), String> {
    let rest = text.get(start..).unwrap_or_default();
    let fail = |read: usize| refuse("invalid escape sequence", text.get(..start + read).unwrap_or(text));
    if let Some(inside) = rest.strip_prefix('{') {
        let mut code = 0u32;
        for (at, c) in inside.char_indices() {
            let read = 1 + at + c.len_utf8();
            match c.to_digit(16) {
                Some(digit) => code = code * 16 + digit,
                None if c == '}' && at > 0 => return Ok((code, start + read)),
                None => return fail(read),
            }
            if code > 0x10_ffff {
                return fail(read);
            }
        }
        return fail(rest.len());
    }
    let mut code = 0;
    let mut read = 0;
    let mut valid = true;
    for i in 0..2 {
        match rest.get(read..).and_then(|r| r.chars().next()) {
            Some(c) => {
                read += c.len_utf8();
                match c.to_digit(16) {
                    Some(digit) => code = code * 16 + digit,
                    None => valid = false,
                }
            }
            None => return fail(read.max(i.min(read))),
        }
    }
    if valid { Ok((code, start + read)) } else { fail(read) }
}
