//! Text of peers and of the configuration in messages: in quotes and on one line.

/// Bytes of a peer that are shown at most.
const SHOWN: usize = 1024;

/// Text in double quotes, with escapes for what cannot be printed and for bytes that are no text, as the reference's
/// messages show it.
#[must_use]
pub fn quote(text: &[u8], is_printable: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\x07' => out.push_str("\\a"),
                '\x08' => out.push_str("\\b"),
                '\x0b' => out.push_str("\\v"),
                '\x0c' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if is_printable(c) => out.push(c),
                c => match u32::from(c) {
                    code @ ..0x80 => out.push_str(&format!("\\x{code:02x}")),
                    code @ ..0x10000 => out.push_str(&format!("\\u{code:04x}")),
                    code => out.push_str(&format!("\\U{code:08x}")),
                },
            }
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out.push('"');
    out
}

/// The beginning of a peer's text.
pub(crate) fn quoted(text: &[u8]) -> String {
    quote(text.get(..SHOWN).unwrap_or(text), |c| !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_that_can_be_read_back() {
        let text = b"a\"\\\n\r\t\x00\x7f\xffb\xc2\x85\xc3\xa9";
        assert_eq!(quoted(text), r#""a\"\\\n\r\t\x00\x7f\xffb\u0085\u00e9""#.replace("\\u00e9", "\u{e9}"));
        assert_eq!(quoted(&[b'a'; 5000]).len(), SHOWN + 2);
    }
}
