//! Eight bytes looked at in one word. What is true of a byte is told by its high bit; the first byte is the lowest.

/// The lowest bit of each byte.
const EACH: u64 = u64::from_ne_bytes([1; 8]);
/// The high bit of each byte.
pub(crate) const HIGH: u64 = EACH << 7;

/// The bit of each byte that is set in lower case letters, and not in upper case ones.
pub(crate) const LOWER_CASE: u64 = EACH * 0x20;

/// How many of the first bytes are visible ASCII characters or blanks.
#[inline]
pub(crate) const fn visible_before(word: u64) -> usize {
    // What a byte borrows or carries changes only bytes after it.
    let others = (word.wrapping_sub(EACH * 0x20) | word.wrapping_add(EACH) | word) & HIGH;
    others.trailing_zeros() as usize / 8
}

/// The bytes that are `byte`, which is below 0x80.
#[inline]
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ (EACH * byte as u64);
    !(((differs & !HIGH) + !HIGH) | differs) & HIGH
}

/// The bytes from `low` to `high`, both below 0x80.
#[inline]
pub(crate) const fn within(word: u64, low: u8, high: u8) -> u64 {
    let seven = word & !HIGH;
    let at_least = seven + EACH * (0x80 - low as u64);
    let above = seven + EACH * (0x7f - high as u64);
    at_least & !above & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_told_by_itself() {
        for b in 0..=255u8 {
            for place in 0..8 {
                for others in [0u8, 0x1f, b'a', 0x7f, 0x80, 0xff] {
                    let mut bytes = [others; 8];
                    bytes[place] = b;
                    let word = u64::from_le_bytes(bytes);
                    let visible = bytes.iter().position(|b| !matches!(b, b' '..=b'~')).unwrap_or(8);
                    assert_eq!(visible_before(word), visible, "{b} among {others}");
                    let told = |mask: u64| mask & (0x80 << (8 * place)) != 0;
                    assert_eq!(told(equal(word, b'\n')), b == b'\n', "{b} among {others}");
                    assert_eq!(told(within(word, b'a', b'z')), b.is_ascii_lowercase(), "{b} among {others}");
                    assert_eq!(told(within(word, 0, 0x1f)), b < 0x20, "{b} among {others}");
                    assert_eq!(told(within(word, 0x7f, 0x7f)), b == 0x7f, "{b} among {others}");
                }
            }
        }
    }
}
