//! Text in the names of certificates.

use x509_parser::x509::AttributeTypeAndValue;

/// T61String, which everybody takes for Latin-1.
const T61: u32 = 0x14;
/// BMPString: two bytes a character.
const BMP: u32 = 0x1e;

/// The text of a part of a name; nothing where it is none.
pub(crate) fn text(part: &AttributeTypeAndValue<'_>) -> String {
    let value = part.attr_value();
    match value.tag().0 {
        T61 => value.data.iter().copied().map(char::from).collect(),
        BMP => two_bytes_each(value.data).unwrap_or_default(),
        _ => part.as_str().unwrap_or_default().to_owned(),
    }
}

/// May end in a zero, which is none of the text.
fn two_bytes_each(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_suffix(&[0, 0]).filter(|rest| rest.len() % 2 == 0).unwrap_or(bytes);
    let (pairs, rest) = bytes.as_chunks();
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    rest.is_empty().then(|| char::decode_utf16(units).collect::<Result<_, _>>().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_21_63_kinds_of_text() {
        use x509_parser::prelude::FromDer as _;
        for (tag, bytes, want) in [
            (0x0c, "é".as_bytes(), "é"),
            (0x13, b"a", "a"),
            (0x14, b"\xe9", "é"),
            (0x1e, b"\0a\0b", "ab"),
            (0x1e, b"\0a\0\0", "a"),
            (0x1e, b"a\0", "愀"),
            (0x1e, b"\0ab", ""),
            (0x1e, b"\xd8\0", ""),
            (0x1e, b"", ""),
        ] {
            let len = u8::try_from(bytes.len()).unwrap();
            let der = [&[0x30, 7 + len, 6, 3, 0x55, 4, 3, tag, len][..], bytes].concat();
            let (_, part) = AttributeTypeAndValue::from_der(&der).unwrap();
            assert_eq!(text(&part), want, "{tag:x} {bytes:?}");
        }
    }
}
