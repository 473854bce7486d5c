//! Values of typed keys (config 2).

/// An integer: optional sign, decimal digits with any leading zeros, or `0x` and hexadecimal digits.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if let Some(hex) = digits.strip_prefix("0x") {
        return hexadecimal(hex, text.starts_with('-'));
    }
    // `from_str` takes exactly a sign and digits, leading zeros included.
    text.parse().ok()
}

/// Hexadecimal digits, single `_` allowed before and between them.
fn hexadecimal(digits: &str, negative: bool) -> Option<i64> {
    let grouped = digits.strip_prefix('_').unwrap_or(digits);
    if grouped.split('_').any(str::is_empty) || grouped.contains(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(&grouped.replace('_', ""), 16).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// A truth value: one of the eight words, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["true", "yes", "on", "1"].iter().any(is) {
        Some(true)
    } else if ["false", "no", "off", "0"].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_31_integers() {
        for (text, want) in [
            ("80", Some(80)),
            ("010", Some(10)),
            ("0x50", Some(80)),
            ("0xAf", Some(175)),
            ("-0x10", Some(-16)),
            ("0x_5_0", Some(80)),
            ("+5", Some(5)),
            ("-5", Some(-5)),
            (" 7 ", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-0x8000000000000000", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("0x8000000000000000", None),
            ("0xffffffffffffffffffffffffffffffffffffffff", None),
            ("0X50", None),
            ("+0x50", None),
            ("0x", None),
            ("0x-5", None),
            ("0x5__0", None),
            ("0x50_", None),
            ("1_000", None),
            ("80.0", None),
            ("8e1", None),
            ("8 0", None),
            ("80x", None),
            ("- 5", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(integer(text), want, "{text:?}");
        }
    }

    #[test]
    fn cfg_32_booleans() {
        for (text, want) in [
            ("true", Some(true)),
            ("YES", Some(true)),
            ("On", Some(true)),
            ("1", Some(true)),
            ("FALSE", Some(false)),
            ("no", Some(false)),
            ("oFF", Some(false)),
            ("0", Some(false)),
            ("t", None),
            (" true", None),
            ("2", None),
            ("", None),
        ] {
            assert_eq!(boolean(text), want, "{text:?}");
        }
    }
}
