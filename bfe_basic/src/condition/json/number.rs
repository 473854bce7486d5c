//! Numbers, read as leniently as the contract does.

/// The value of a number; 0 where it cannot be read, infinite where it is too large.
pub(super) fn parse(raw: &[u8]) -> f64 {
    let Ok(text) = std::str::from_utf8(raw) else { return 0.0 };
    let (sign, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, text.get(1..).unwrap_or_default()),
        Some(b'+') => (1.0, text.get(1..).unwrap_or_default()),
        _ => (1.0, text),
    };
    if unsigned.eq_ignore_ascii_case("nan") {
        // Only without a sign.
        return if unsigned.len() == text.len() { f64::NAN } else { 0.0 };
    }
    if unsigned.starts_with(['+', '-']) {
        return 0.0;
    }
    let digits = match unsigned.contains('_') {
        true if underscores_separate(unsigned) => unsigned.replace('_', ""),
        true => return 0.0,
        false => unsigned.to_owned(),
    };
    if digits.starts_with("0x") || digits.starts_with("0X") {
        return sign * parse_hex(digits.get(2..).unwrap_or_default()).unwrap_or(0.0);
    }
    digits.parse().map_or(0.0, |value: f64| sign * value)
}

/// Whether each underscore has a digit (or the prefix of a base) before it and a digit after it.
fn underscores_separate(text: &str) -> bool {
    let hex = text.starts_with("0x") || text.starts_with("0X");
    let body = if hex { text.get(2..).unwrap_or_default() } else { text };
    let is_digit = |b: u8| b.is_ascii_digit() || hex && b.is_ascii_hexdigit();
    let mut before = if hex { b'0' } else { b'.' };
    for b in body.bytes() {
        if b == b'_' && !is_digit(before) || before == b'_' && !is_digit(b) {
            return false;
        }
        before = b;
    }
    before != b'_'
}

/// A hexadecimal number with its binary exponent, `1.8p3`; `None` without an exponent.
fn parse_hex(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for c in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let shift = exponent.saturating_sub(i32::try_from(fraction.len()).ok()?.saturating_mul(4));
    Some(value * 2f64.powi(shift))
}

/// The shortest decimal text that reads as the same number, without an exponent.
pub(super) fn print(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_numbers() {
        for (raw, want) in [
            ("1.5e3", "1500"),
            ("1.", "1"),
            ("+1", "1"),
            ("--1", "0"),
            ("+-1", "0"),
            ("1e", "0"),
            ("1_0.5", "10.5"),
            ("1__0", "0"),
            ("_1", "0"),
            ("1_", "0"),
            ("0x10", "0"),
            ("0x1p4", "16"),
            ("-0x_1.8p1", "-3"),
            ("Infinity", "+Inf"),
            ("-inf", "-Inf"),
            ("nan", "NaN"),
            ("-nan", "0"),
            ("1e999", "+Inf"),
            ("1e-999", "0"),
        ] {
            assert_eq!(print(parse(raw.as_bytes())), want, "{raw}");
        }
    }
}
