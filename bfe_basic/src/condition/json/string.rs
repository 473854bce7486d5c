//! Strings: decoding and encoding.

/// Decodes the inside of a string. It stops silently where the text is broken (condition 7.3).
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while let Some(b) = text.get(i) {
        i += 1;
        match b {
            0..b' ' => return out,
            b'\\' => {
                let Some(escape) = text.get(i) else { return out };
                i += 1;
                match escape {
                    b'\\' | b'/' | b'"' => out.push(*escape),
                    b'b' => out.push(0x08),
                    b'f' => out.push(0x0c),
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'u' => {
                        let Some(high) = code_unit(text, i) else { return out };
                        i += 4;
                        let mut code = u32::from(high);
                        if (0xd800..0xe000).contains(&high)
                            && text.get(i..).is_some_and(|rest| rest.starts_with(b"\\u"))
                            && let Some(low) = code_unit(text, i + 2)
                        {
                            // Whether or not the two make a pair, both are used up.
                            i += 6;
                            code = match char::decode_utf16([high, low]).next() {
                                Some(Ok(c)) => u32::from(c),
                                _ => 0xfffd,
                            };
                        }
                        let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                    _ => return out,
                }
            }
            b => out.push(*b),
        }
    }
    out
}

/// Four hexadecimal digits; 0 where they are something else, `None` where the text ends before.
fn code_unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 4)?;
    let text = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    Some(text.and_then(|d| u16::from_str_radix(d, 16).ok()).unwrap_or(0))
}

/// Encodes a text as a string, with what is special in HTML escaped too.
pub(super) fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\x08' => out.extend_from_slice(b"\\b"),
                '\x0c' => out.extend_from_slice(b"\\f"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\\' => out.extend_from_slice(b"\\\\"),
                '"' => out.extend_from_slice(b"\\\""),
                '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_stops_where_text_is_broken() {
        for (text, want) in [
            (r"a\n\/\u4e2d", "a\n/中"),
            (r"a\q b", "a"),
            (r"a\u12", "a"),
            (r"\u12zz!", "\0!"),
            (r"\ud83d\ude00", "😀"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ud83d\u0041x", "\u{fffd}x"),
            (r"\ude00\ud83dx", "\u{fffd}x"),
            ("a\\tb\u{1}c", "a\tb"),
            ("a\\", "a"),
        ] {
            assert_eq!(unescape(text.as_bytes()), want.as_bytes(), "{text}");
        }
    }

    #[test]
    fn encoding() {
        let mut out = Vec::new();
        quote(b"a\"\\<\x01\xff\xe2\x80\xa8\xc3\xa9\n", &mut out);
        assert_eq!(out, "\"a\\\"\\\\\\u003c\\u0001\\ufffd\\u2028é\\n\"".as_bytes());
    }
}
