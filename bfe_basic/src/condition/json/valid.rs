//! Validation of a whole document, without recursion.

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// A value, or the end of an array that has just begun.
    FirstItem,
    /// A key, or the end of an object that has just begun.
    FirstKey,
    Key,
    Colon,
    /// A comma or the end of what encloses the value that has just ended.
    AfterValue,
}

/// Whether the document is one valid JSON value. Brackets are counted on the heap, a byte for each.
pub(super) fn is_valid(json: &[u8]) -> bool {
    let mut open: Vec<u8> = Vec::new();
    let mut expect = Expect::Value;
    let mut i = 0;
    while let Some(b) = json.get(i) {
        i += 1;
        if matches!(b, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        }
        expect = match (expect, b) {
            (Expect::FirstItem, b']') | (Expect::FirstKey, b'}') => {
                open.pop();
                Expect::AfterValue
            }
            (Expect::Value | Expect::FirstItem, b'{' | b'[') => {
                open.push(*b);
                if *b == b'{' { Expect::FirstKey } else { Expect::FirstItem }
            }
            (Expect::Value | Expect::FirstItem, _) => {
                let Some(end) = scalar_end(json, i - 1) else { return false };
                i = end;
                Expect::AfterValue
            }
            (Expect::FirstKey | Expect::Key, b'"') => {
                let Some(end) = string_end(json, i - 1) else { return false };
                i = end;
                Expect::Colon
            }
            (Expect::Colon, b':') => Expect::Value,
            (Expect::AfterValue, b',') => match open.last() {
                Some(b'{') => Expect::Key,
                Some(_) => Expect::Value,
                None => return false,
            },
            (Expect::AfterValue, b'}') if open.last() == Some(&b'{') => {
                open.pop();
                Expect::AfterValue
            }
            (Expect::AfterValue, b']') if open.last() == Some(&b'[') => {
                open.pop();
                Expect::AfterValue
            }
            _ => return false,
        };
    }
    open.is_empty() && expect == Expect::AfterValue
}

fn scalar_end(json: &[u8], at: usize) -> Option<usize> {
    let rest = json.get(at..)?;
    match rest.first()? {
        b'"' => string_end(json, at),
        b'-' | b'0'..=b'9' => number_len(rest).map(|len| at + len),
        _ => [&b"true"[..], b"false", b"null"]
            .iter()
            .find(|word| rest.starts_with(word))
            .map(|word| at + word.len()),
    }
}

fn string_end(json: &[u8], at: usize) -> Option<usize> {
    let mut i = at + 1;
    loop {
        match json.get(i)? {
            b'"' => return Some(i + 1),
            0..b' ' => return None,
            b'\\' => {
                i += 1;
                match json.get(i)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        if !json.get(i + 1..i + 5)?.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        i += 4;
                    }
                    _ => return None,
                }
            }
            _ => {}
        }
        i += 1;
    }
}

fn number_len(text: &[u8]) -> Option<usize> {
    let digits =
        |from: usize| text.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let mut len = usize::from(text.starts_with(b"-"));
    len += match text.get(len)? {
        b'0' => 1,
        b'1'..=b'9' => digits(len),
        _ => return None,
    };
    if text.get(len) == Some(&b'.') {
        let fraction = digits(len + 1);
        if fraction == 0 {
            return None;
        }
        len += 1 + fraction;
    }
    if matches!(text.get(len), Some(b'e' | b'E')) {
        len += 1 + usize::from(matches!(text.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len);
        if exponent == 0 {
            return None;
        }
        len += exponent;
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_strict_parser() {
        for text in [
            "",
            " ",
            "1",
            " -0.5e+3 ",
            "01",
            "-",
            "1.",
            "1e",
            "true",
            "tru",
            "nul",
            "\"a\\u00e9\"",
            "\"a\\u00e\"",
            "\"a",
            "\"\\q\"",
            "\"\n\"",
            "[]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{}",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{1:2}",
            "[1]]",
            "[{\"a\":[{}]}]",
            "[1}",
            "1 2",
            "nan",
            "{\"a\":}",
            "[[]",
            "]",
        ] {
            let strict = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(is_valid(text.as_bytes()), strict, "{text}");
        }
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert!(is_valid(&deep) && !is_valid(&deep[1..]));
    }
}
