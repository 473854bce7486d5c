//! What a client says in `Authorization`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// A user and a password. It has no `Debug`, so that no log can show it.
pub(super) struct Credentials {
    text: Vec<u8>,
    /// Where the colon between them is.
    colon: usize,
}

impl Credentials {
    /// Reads the value of an `Authorization` field; `None` where it is of another scheme, or damaged.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let (scheme, encoded) = value.split_at_checked(b"Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let text = BASE64.decode(encoded).ok()?;
        let colon = memchr::memchr(b':', &text)?;
        Some(Self { text, colon })
    }

    pub(super) fn user(&self) -> &[u8] {
        self.text.get(..self.colon).unwrap_or_default()
    }

    pub(super) fn password(&self) -> &[u8] {
        self.text.get(self.colon + 1..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authbasic_11_what_can_be_read() {
        for (value, want) in [
            ("Basic dXNlcjE6MTIzNDU2", Some(("user1", "123456"))),
            ("bASIC dXNlcjE6MTIzNDU2", Some(("user1", "123456"))),
            ("Basic YTpiOmM=", Some(("a", "b:c"))),
            // The last letter has bits that mean nothing.
            ("Basic YTpiOmN=", Some(("a", "b:c"))),
            ("Basic Og==", Some(("", ""))),
            ("Basic YTpiOmM", None),
            ("Basic YQ==", None),
            ("Basic  dXNlcjE6MTIzNDU2", None),
            ("Basic !!!", None),
            ("Basic ", None),
            ("Basic", None),
            ("Bearer x", None),
            ("", None),
        ] {
            let read = Credentials::read(value.as_bytes());
            let read = read.as_ref().map(|c| (c.user(), c.password()));
            assert_eq!(read, want.map(|(user, password)| (user.as_bytes(), password.as_bytes())), "{value}");
        }
    }
}
