//! Names and values of header fields: what may be in them, and the canonical form of names.

use crate::bytes_of_word as bytes;
use std::borrow::Cow;

/// Whether all of `name` are token characters (RFC 9110), and there is at least one.
#[must_use]
pub fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| CLASS[usize::from(*b)] & TOKEN != 0)
}

/// What is seen of a name, byte by byte.
pub(crate) struct NameSeen {
    /// Classes that all bytes have.
    all: u8,
    /// Classes that any byte has.
    any: u8,
    /// Letters in the wrong case.
    wrong: u8,
    /// Which letters would be in the wrong case here.
    wrong_here: u8,
}

impl NameSeen {
    const NOTHING: Self = Self { all: TOKEN, any: 0, wrong: 0, wrong_here: LOWER };

    fn add(&mut self, b: u8) {
        let class = CLASS[usize::from(b)];
        self.all &= class;
        self.any |= class;
        self.wrong |= class & self.wrong_here;
        self.wrong_here = if b == b'-' { LOWER } else { UPPER };
    }

    /// Whether canonical form would change it; names that are no tokens stay as they are.
    pub(crate) fn changes(&self) -> bool {
        self.all & TOKEN != 0 && self.wrong != 0
    }

    /// Whether there are blanks or control characters in it.
    pub(crate) fn has_blank(&self) -> bool {
        self.any & BLANK != 0
    }
}

/// Looks at a field line up to its colon: how long the name is, and what it is like. `None` where there is no colon.
#[inline]
pub(crate) fn scan_name(line: &[u8]) -> Option<(usize, NameSeen)> {
    if let Some(len) = canonical_len(line) {
        return Some((len, NameSeen::NOTHING));
    }
    let mut seen = NameSeen::NOTHING;
    for (len, b) in line.iter().enumerate() {
        if *b == b':' {
            return Some((len, seen));
        }
        seen.add(*b);
    }
    None
}

/// The length of a name of letters and hyphens that is in canonical form already, as nearly all are: eight bytes at a
/// time. `None` for all others.
fn canonical_len(line: &[u8]) -> Option<usize> {
    // The high bits of bytes where a letter has to be upper case: here the first one.
    let mut upper_next = 0x80;
    for (word, start) in line.as_chunks::<8>().0.iter().zip((0..).step_by(8)) {
        let word = u64::from_le_bytes(*word);
        let (colon, hyphen) = (bytes::equal(word, b':'), bytes::equal(word, b'-'));
        // The bytes before the colon, by their high bits.
        let name = (colon & colon.wrapping_neg()).wrapping_sub(1) & bytes::HIGH;
        // What tells lower case from upper case is one bit of a letter.
        let letter = bytes::within(word | bytes::LOWER_CASE, b'a', b'z');
        let right = letter & ((word << 2) ^ (hyphen << 8 | upper_next));
        if name & !(right | hyphen) != 0 {
            return None;
        }
        if colon != 0 {
            return Some(start + colon.trailing_zeros() as usize / 8);
        }
        upper_next = hyphen >> 56;
    }
    None
}

/// Whether a field value is of characters that HTTP allows: no control bytes but tabs.
pub(crate) fn is_value(value: &[u8]) -> bool {
    // Looks at all bytes without a way out: most values are short, and sound.
    !value.iter().fold(false, |bad, b| bad | ((*b < b' ') & (*b != b'\t')) | (*b == 0x7f))
}

/// Token characters.
const TOKEN: u8 = 1;
/// Lower case letters.
const LOWER: u8 = 2;
/// Upper case letters.
const UPPER: u8 = 4;
/// Blanks and control characters.
const BLANK: u8 = 8;

/// The classes of each byte.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        // The loop ends below 256.
        #[allow(clippy::cast_possible_truncation)]
        let byte = b as u8;
        table[b] = match byte {
            b'a'..=b'z' => TOKEN | LOWER,
            b'A'..=b'Z' => TOKEN | UPPER,
            b'0'..=b'9'
            | b'!'
            | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~' => TOKEN,
            0..=b' ' | 0x7f => BLANK,
            _ => 0,
        };
        b += 1;
    }
    table
};

/// The canonical form of a field name: the first letter and each letter after `-` upper case, the rest
/// lower case. A name that is not a token stays as it is (lifecycle 5.2).
#[must_use]
pub fn canonical(name: &[u8]) -> Cow<'_, [u8]> {
    let mut seen = NameSeen::NOTHING;
    name.iter().for_each(|b| seen.add(*b));
    // Most names are canonical already, and are not copied.
    if !seen.changes() {
        return Cow::Borrowed(name);
    }
    let mut owned = name.to_vec();
    canonicalize(&mut owned);
    Cow::Owned(owned)
}

/// Brings a token into canonical form in place.
pub(crate) fn canonicalize(name: &mut [u8]) {
    let mut upper = true;
    for b in name {
        *b = if upper { b.to_ascii_uppercase() } else { b.to_ascii_lowercase() };
        upper = *b == b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_names_as_lifecycle_5_2() {
        for (raw, want) in [
            ("x-foo-BAR", "X-Foo-Bar"),
            ("x_b", "X_b"),
            ("x.c", "X.c"),
            ("X-A ", "X-A "),
            ("fo(o", "fo(o"),
            ("te", "Te"),
            ("ETag", "Etag"),
            ("X-Foo-Bar", "X-Foo-Bar"),
            ("x--a", "X--A"),
        ] {
            assert_eq!(canonical(raw.as_bytes()), want.as_bytes(), "{raw}");
            assert_eq!(matches!(canonical(raw.as_bytes()), Cow::Borrowed(_)), raw == want, "{raw}");
        }
    }

    #[test]
    fn words_tell_what_bytes_tell() {
        const PIECES: [&str; 6] = ["a", "B", "-", "1", " ", "\u{e9}"];
        // Up to four pieces, at each place of a word and across its end.
        for lead in 0..9 {
            for code in 0..PIECES.len().pow(4) {
                let mut name = "Abcdefghi"[..lead].to_owned();
                let mut rest = code;
                while rest > 0 {
                    name.push_str(PIECES[rest % PIECES.len()]);
                    rest /= PIECES.len();
                }
                let simple = name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
                let mut wanted = name.clone().into_bytes();
                canonicalize(&mut wanted);
                let is_canonical = simple && wanted == name.as_bytes();
                let line = format!("{name}: some value");
                assert_eq!(canonical_len(line.as_bytes()), is_canonical.then_some(name.len()), "{line}");
                // However it is looked at, the name is as long, and brought into the same form.
                let (len, seen) = scan_name(line.as_bytes()).unwrap();
                assert_eq!((len, seen.has_blank()), (name.len(), name.contains(' ')), "{line}");
                assert_eq!(seen.changes(), canonical(name.as_bytes()) != name.as_bytes(), "{line}");
            }
        }
    }
}
