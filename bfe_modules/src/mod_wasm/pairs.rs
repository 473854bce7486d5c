//! Header fields as they cross the border to a plugin: a count, the lengths of all names and values, then each
//! name and value with a zero byte behind it. Numbers have four bytes, the lowest first.

/// Writes pairs.
pub(super) fn encode<'a>(pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let size: usize = pairs.clone().map(|(name, value)| name.len() + value.len() + 10).sum();
    let mut out = Vec::with_capacity(size + 4);
    out.extend_from_slice(&length(pairs.len()));
    for (name, value) in pairs.clone() {
        out.extend_from_slice(&length(name.len()));
        out.extend_from_slice(&length(value.len()));
    }
    for text in pairs.flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(text);
        out.push(0);
    }
    out
}

/// Reads pairs, up to the first that is not there whole.
pub(super) fn decode(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let number = |at: usize| -> Option<usize> {
        let number = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(number)).ok()
    };
    let count = number(0).unwrap_or(0);
    let mut at = count.checked_mul(8).and_then(|lengths| lengths.checked_add(4)).unwrap_or(usize::MAX);
    let mut text = move |length: usize| -> Option<&[u8]> {
        let text = bytes.get(at..at.checked_add(length)?)?;
        // The zero byte of the last value is not missed.
        at = at.saturating_add(length).saturating_add(1);
        Some(text)
    };
    (0..count).map_while(move |index| {
        let (name, value) = (number(4 + 8 * index)?, number(8 + 8 * index)?);
        Some((text(name)?, text(value)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(&'static [u8], &'static [u8])>;

    #[test]
    fn there_and_back() {
        let pairs: Pairs = vec![(b"X-W", b"p"), (b"", b""), (b"A", b"longer than its name")];
        let bytes = encode(pairs.iter().copied());
        assert_eq!(decode(&bytes).collect::<Vec<_>>(), pairs);
        assert_eq!(decode(&bytes[..bytes.len() - 1]).count(), 3);
        assert_eq!(decode(&bytes[..bytes.len() - 2]).count(), 2);
        assert_eq!(encode([(&b"a"[..], &b"bc"[..])].into_iter()), b"\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0");
    }

    #[test]
    fn damage_ends_the_list() {
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x01\0\0\0",
            b"\xff\xff\xff\xff",
            b"\xff\xff\xff\xff\x01\0\0\0\x01\0\0\0aabb",
        ] {
            assert_eq!(decode(bytes).count(), 0, "{bytes:?}");
        }
        assert_eq!(decode(b"\x01\0\0\0\xff\xff\xff\xff\x01\0\0\0a\0b\0").count(), 0);
    }
}
