//! Case folding as the contract has it (condition 5.3): one code point to one code point, no context rules,
//! and each byte that is not UTF-8 becomes U+FFFD.

use std::borrow::Cow;

/// Values up to this length are folded on the stack.
const ON_STACK: usize = 512;
/// Most are no longer than this, and a small buffer is cheaper to set up.
const SHORT: usize = 64;

/// The upper case of one code point; code points without a simple mapping stay as they are.
pub(crate) fn upper_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    if is_newer_pair(c) {
        return c;
    }
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        // The full mapping has several code points; the simple mapping differs, or there is none.
        _ => match u32::from(c) {
            code @ (0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7) => {
                char::from_u32(code + 8).unwrap_or(c)
            }
            code @ (0x1fb3 | 0x1fc3 | 0x1ff3) => char::from_u32(code + 9).unwrap_or(c),
            _ => c,
        },
    }
}

/// The lower case of one code point.
pub(crate) fn lower_char(c: char) -> char {
    match c {
        _ if c.is_ascii() => c.to_ascii_lowercase(),
        '\u{130}' => 'i',
        _ if is_newer_pair(c) => c,
        _ => {
            let mut mapped = c.to_lowercase();
            match (mapped.next(), mapped.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        }
    }
}

/// Pairs that entered Unicode after version 15.0, which the contract leaves alone.
const fn is_newer_pair(c: char) -> bool {
    matches!(c,
        '\u{19b}' | '\u{264}' | '\u{1c89}' | '\u{1c8a}' | '\u{a7cb}'..='\u{a7cf}' | '\u{a7d2}'..='\u{a7d5}'
        | '\u{a7da}'..='\u{a7dc}' | '\u{10d50}'..='\u{10d65}' | '\u{10d70}'..='\u{10d85}'
        | '\u{16ea0}'..='\u{16eb8}' | '\u{16ebb}'..='\u{16ed3}')
}

/// The text with each invalid byte replaced by U+FFFD, one for each byte; `None` where it is UTF-8 already.
pub(crate) fn replace_invalid(text: &[u8]) -> Option<String> {
    if std::str::from_utf8(text).is_ok() {
        return None;
    }
    Some(map_chars(text, |c| c))
}

fn map_chars(text: &[u8], map: impl Fn(char) -> char) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for chunk in text.utf8_chunks() {
        out.extend(chunk.valid().chars().map(&map));
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

/// Upper case of a text.
pub(crate) fn upper(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        if text.iter().any(u8::is_ascii_lowercase) {
            return Cow::Owned(text.to_ascii_uppercase());
        }
        return Cow::Borrowed(text);
    }
    Cow::Owned(map_chars(text, upper_char).into_bytes())
}

/// Lower case of a text.
pub(crate) fn lower(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        if text.iter().any(u8::is_ascii_uppercase) {
            return Cow::Owned(text.to_ascii_lowercase());
        }
        return Cow::Borrowed(text);
    }
    Cow::Owned(map_chars(text, lower_char).into_bytes())
}

/// Hands the upper case of `text` to `test`, without an allocation for short ASCII.
pub(crate) fn with_upper<R>(text: &[u8], test: impl FnOnce(&[u8]) -> R) -> R {
    fn copied<const N: usize, R>(text: &[u8], test: impl FnOnce(&[u8]) -> R) -> R {
        let mut buffer = [0; N];
        let folded = buffer.get_mut(..text.len()).unwrap_or_default();
        folded.copy_from_slice(text);
        folded.make_ascii_uppercase();
        test(folded)
    }

    if !text.is_ascii() {
        return test(&upper(text));
    }
    if !text.iter().any(u8::is_ascii_lowercase) {
        test(text)
    } else if text.len() <= SHORT {
        copied::<SHORT, R>(text, test)
    } else if text.len() <= ON_STACK {
        copied::<ON_STACK, R>(text, test)
    } else {
        test(&upper(text))
    }
}

/// Hands `text` with a `/` at its end to `test`, without an allocation for short text.
pub(crate) fn with_slash<R>(text: &[u8], test: impl FnOnce(&[u8]) -> R) -> R {
    fn copied<const N: usize, R>(text: &[u8], test: impl FnOnce(&[u8]) -> R) -> R {
        let mut buffer = [b'/'; N];
        if let Some(start) = buffer.get_mut(..text.len()) {
            start.copy_from_slice(text);
        }
        test(buffer.get(..=text.len()).unwrap_or_default())
    }

    if text.ends_with(b"/") {
        test(text)
    } else if text.len() < SHORT {
        copied::<SHORT, R>(text, test)
    } else if text.len() < ON_STACK {
        copied::<ON_STACK, R>(text, test)
    } else {
        test(&[text, b"/"].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cond_31_simple_mapping_only() {
        for (text, up) in [
            ("straße", "STRAßE"),
            ("ıſµ", "IS\u{39c}"),
            ("\u{1f80}\u{1fb3}\u{1fc3}\u{1ff3}", "\u{1f88}\u{1fbc}\u{1fcc}\u{1ffc}"),
            ("\u{1f88}\u{1fbc}\u{fb00}", "\u{1f88}\u{1fbc}\u{fb00}"),
            ("\u{19b}", "\u{19b}"),
        ] {
            assert_eq!(upper(text.as_bytes()), up.as_bytes(), "{text}");
            with_upper(text.as_bytes(), |folded| assert_eq!(folded, up.as_bytes()));
        }
        assert_eq!(lower("İKΣ\u{212a}".as_bytes()), "ikσk".as_bytes());
    }

    #[test]
    fn cond_32_each_invalid_byte_is_one_replacement() {
        assert_eq!(upper(b"a\xe4\xb8").as_ref(), "A\u{fffd}\u{fffd}".as_bytes());
        assert_eq!(upper(b"\xf0\x9f\x98z").as_ref(), "\u{fffd}\u{fffd}\u{fffd}Z".as_bytes());
        assert_eq!(replace_invalid(b"\xff"), Some("\u{fffd}".into()));
        assert_eq!(replace_invalid("é".as_bytes()), None);
    }

    #[test]
    fn slash_is_added_once() {
        for len in [0, 1, SHORT - 1, SHORT, SHORT + 1, ON_STACK - 1, ON_STACK, ON_STACK + 1] {
            let text = vec![b'a'; len];
            with_slash(&text, |t| assert_eq!(t, [text.as_slice(), b"/"].concat()));
            with_slash(&[text.as_slice(), b"/"].concat(), |t| assert_eq!(t.len(), len + 1));
            with_upper(&text, |t| assert_eq!(t, vec![b'A'; len]));
        }
    }
}
