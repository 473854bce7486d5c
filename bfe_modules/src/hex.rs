//! Identifiers as text.

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits() {
        assert_eq!(super::encode(b"\x00\x9a\xff1_2"), "009aff315f32");
    }
}
