//! Patterns with `*` (any run) and `?` (one character); `\` takes the special meaning from what follows.

/// Whether the whole text matches. Costs at most the product of both lengths.
pub(super) fn matches(text: &[u8], pattern: &[u8]) -> bool {
    let (mut t, mut p) = (0, 0);
    // Where to go on when what follows the last star did not fit: one character further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fits = match pattern.get(p) {
            None => t == text.len(),
            Some(b'*') => {
                p += 1;
                retry = Some((t, p));
                continue;
            }
            Some(special) => {
                let mut at = p;
                if *special == b'\\' {
                    at += 1;
                }
                match (decode(pattern, at), decode(text, t)) {
                    (Some((want, len)), Some((got, width))) if *special == b'?' || want == got => {
                        p = at + len;
                        t += width;
                        continue;
                    }
                    _ => false,
                }
            }
        };
        if fits {
            return true;
        }
        let Some((from, behind)) = retry else { return false };
        let Some((_, width)) = decode(text, from) else { return false };
        (t, p) = (from + width, behind);
        retry = Some((t, p));
    }
}

/// The character at `at` and its length; a byte that is not UTF-8 is U+FFFD.
fn decode(text: &[u8], at: usize) -> Option<(char, usize)> {
    let rest = text.get(at..)?;
    let first = *rest.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    let window = rest.get(..4).unwrap_or(rest);
    let chunk = window.utf8_chunks().next()?;
    Some(match chunk.valid().chars().next() {
        Some(c) => (c, c.len_utf8()),
        None => (char::REPLACEMENT_CHARACTER, 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (text, pattern, want) in [
            ("", "", true),
            ("", "*", true),
            ("", "?", false),
            ("model", "m*l", true),
            ("model", "m?del", true),
            ("model", "m*d", false),
            ("aXbXc", "a*X*c", true),
            ("aaab", "*ab", true),
            ("é", "?", true),
            ("a*c", r"a\*c", true),
            ("abc", r"a\*c", false),
            ("a", r"a\", false),
            ("ab", "**b*", true),
        ] {
            assert_eq!(matches(text.as_bytes(), pattern.as_bytes()), want, "{text} {pattern}");
        }
        assert!(matches(b"\xff", b"?") && !matches(b"\xe4\xb8", b"?"));
        // Many stars cost no more than the product of the lengths.
        assert!(!matches(&[b'a'; 2000], format!("{}b", "*a".repeat(300)).as_bytes()));
    }
}
