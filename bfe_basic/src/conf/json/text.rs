//! The text of a string node.

use super::scan::{Kind, Node};
use std::borrow::Cow;

/// The text of a string node, escapes undone.
pub(super) fn string_text(text: &str, node: Node) -> Cow<'_, str> {
    let raw = raw_text(text, node);
    match node.kind {
        Kind::String { escaped: true } => Cow::Owned(unescape(raw)),
        _ => Cow::Borrowed(raw),
    }
}

/// The text of a node as it stands in the file.
pub(super) fn raw_text(text: &str, node: Node) -> &str {
    text.get(node.start as usize..node.end as usize).unwrap_or_default()
}

/// Undoes the escapes of a string that the scanner has accepted. Surrogates that make no pair become U+FFFD.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                rest = unicode(escape.get(1..).unwrap_or_default(), &mut out);
                continue;
            }
            Some(itself) => out.push(itself),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

/// Undoes one `\u` escape, two if they are a pair; returns what comes after.
fn unicode<'r>(rest: &'r str, out: &mut String) -> &'r str {
    let unit = |text: &str| text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let first = unit(rest).unwrap_or(0xfffd);
    let after = rest.get(4..).unwrap_or_default();
    let second = after.strip_prefix("\\u").and_then(unit);
    if let Some(second) = second
        && let Some(Ok(pair)) = char::decode_utf16([first, second]).next()
        && pair > '\u{ffff}'
    {
        out.push(pair);
        return after.get(6..).unwrap_or_default();
    }
    // Where two escapes make no pair, Go BFE's reader takes both at once: the second is not tried as the
    // first half of another pair.
    out.push(char::from_u32(first.into()).unwrap_or('\u{fffd}'));
    match second {
        Some(second) if is_surrogate(first) => {
            out.push(char::from_u32(second.into()).unwrap_or('\u{fffd}'));
            after.get(6..).unwrap_or_default()
        }
        _ => after,
    }
}

fn is_surrogate(unit: u16) -> bool {
    (0xd800..0xe000).contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_60_escapes_are_undone() {
        for (raw, want) in [
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u0041b", "Ab"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}\u{fffd}\u{fffd}"),
            (r"\ude00", "\u{fffd}"),
            (r"\u00e9\u00e8", "éè"),
        ] {
            assert_eq!(unescape(raw), want, "{raw}");
        }
    }
}
