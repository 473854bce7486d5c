//! Time texts (condition 5.6): `20190204200000H` for an instant, `200000H` for a time of day.

use super::fold;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Offset of a zone letter in seconds, east of Greenwich.
fn zone_offset(zone: &str) -> Result<i64, String> {
    let folded = String::from_utf8_lossy(&fold::upper(zone.as_bytes())).into_owned();
    let letter = match folded.as_bytes() {
        [one] => *one,
        _ => 0,
    };
    let hours = match letter {
        b'A'..=b'I' => i64::from(letter - b'A') + 1,
        b'K'..=b'M' => i64::from(letter - b'K') + 10,
        b'N'..=b'Y' => -(i64::from(letter - b'N') + 1),
        b'Z' => 0,
        _ => return Err(format!("invalid zone:{zone}")),
    };
    Ok(hours * 3600)
}

/// The first `width` characters that are not blank, and the word after them; the error is the scanner's.
fn two_words(text: &str, width: usize) -> Result<(&str, &str), &'static str> {
    let (first, rest) = word(text, width)?;
    let (second, _) = word(rest, usize::MAX)?;
    Ok((first, second))
}

fn word(text: &str, width: usize) -> Result<(&str, &str), &'static str> {
    let mut start = text.len();
    for (at, c) in text.char_indices() {
        if c == '\n' {
            return Err("unexpected newline");
        }
        if !is_space(c) {
            start = at;
            break;
        }
    }
    let rest = text.get(start..).unwrap_or_default();
    if rest.is_empty() {
        return Err("EOF");
    }
    let end = rest
        .char_indices()
        .enumerate()
        .find(|(count, (_, c))| *count >= width || is_space(*c))
        .map_or(rest.len(), |(_, (at, _))| at);
    rest.split_at_checked(end).ok_or("EOF")
}

/// White space of the reference's scanner.
const fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
        | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Parses an instant; the result is in seconds since 1970, UTC.
///
/// # Errors
/// The contract's text for a bad shape, zone or calendar date.
pub fn parse_time(text: &str) -> Result<i64, String> {
    let invalid = |why: &str| format!("invalid time string:{text}, err:{why}");
    let (digits, zone) = two_words(text, 14).map_err(invalid)?;
    let wall = parse_fields(digits).map_err(|why| invalid(&why))?;
    Ok(wall - zone_offset(zone)?)
}

/// Fields of `YYYYMMDDhhmmss`, each by name, with their places and bounds, in the order they are checked.
fn parse_fields(digits: &str) -> Result<i64, String> {
    const LAYOUT: &str = "20060102150405";
    let fail = |rest: &str, element: &str| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(digits.as_bytes()),
            quote(LAYOUT.as_bytes()),
            quote(rest.as_bytes()),
            quote(element.as_bytes())
        )
    };
    let range = |what: &str| format!("parsing time {}: {what} out of range", quote(digits.as_bytes()));
    let mut values = [0i64; 6];
    let elements = ["2006", "01", "02", "15", "04", "05"];
    let mut at = 0;
    for (value, element) in values.iter_mut().zip(elements) {
        let rest = digits.get(at..).unwrap_or_default();
        let width = rest.bytes().take(element.len()).take_while(u8::is_ascii_digit).count();
        // An hour may have one digit, which only moves the place of the error.
        if width < element.len() && (element != "15" || width == 0) {
            return Err(fail(rest, element));
        }
        let number = rest.get(..width).unwrap_or_default();
        *value = number.parse().map_err(|_| fail(rest, element))?;
        at += width;
        // Day 0 and days beyond the month are found after all fields have been read.
        let bad = match element {
            "01" if !(1..=12).contains(value) => Some("month"),
            "15" if *value > 23 => Some("hour"),
            "04" if *value > 59 => Some("minute"),
            "05" if *value > 59 => Some("second"),
            _ => None,
        };
        if let Some(what) = bad {
            return Err(range(what));
        }
    }
    let [year, month, day, hour, minute, second] = values;
    if let Some(extra) = digits.get(at..).filter(|e| !e.is_empty()) {
        return Err(format!(
            "parsing time {}: extra text: {}",
            quote(digits.as_bytes()),
            quote(extra.as_bytes())
        ));
    }
    if day < 1 || day > days_in(year, month) {
        return Err(range("day"));
    }
    Ok(days_from_epoch(year, month, day) * DAY + hour * 3600 + minute * 60 + second)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1 January 1970 to a date of the Gregorian calendar, which is extended into the past.
const fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Parses a time of day; the result is in seconds of the day and the zone's offset in seconds.
///
/// # Errors
/// The contract's text for a bad shape, zone or time.
pub fn parse_time_of_day(text: &str) -> Result<(i64, i64), String> {
    let (_, zone) = two_words(text, 6).map_err(|why| format!("invalid time string:{text}, err:{why}"))?;
    // The digits are read from the start of the text, blanks or not, and bytes or characters.
    let Some([h1, h2, m1, m2, s1, s2, ..]) = text.as_bytes().get(..6) else {
        return Err(format!("invalid time string:{text}, err:EOF"));
    };
    let clock = [*h1, *h2, b':', *m1, *m2, b':', *s1, *s2];
    let invalid = |why: String| format!("time format invalid, err:parsing time {}{why}", quote(&clock));
    let mut values = [0i64; 3];
    let elements = [("15", "hour", 0, 23), ("04", "minute", 3, 59), ("05", "second", 6, 59)];
    for (value, (element, what, from, max)) in values.iter_mut().zip(elements) {
        let rest = clock.get(from..).unwrap_or_default();
        let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] = rest else {
            // An hour may have one digit, which only moves the place of the error.
            let (skip, wanted) = match rest {
                [b'0'..=b'9', b':', ..] if from == 0 => (2, "04"),
                [b'0'..=b'9', ..] if from == 0 => (1, ":"),
                _ => (0, element),
            };
            let rest = quote(rest.get(skip..).unwrap_or_default());
            return Err(invalid(format!(" as \"15:04:05\": cannot parse {rest} as \"{wanted}\"")));
        };
        *value = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        if *value > max {
            return Err(invalid(format!(": {what} out of range")));
        }
    }
    let [hour, minute, second] = values;
    Ok((hour * 3600 + minute * 60 + second, zone_offset(zone)?))
}

/// A text in double quotes, with escapes for all but printable ASCII, as errors on times show it.
fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for b in text {
        match b {
            b'"' | b'\\' => out.extend(['\\', char::from(*b)]),
            b' '..0x80 => out.push(char::from(*b)),
            _ => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out.push('"');
    out
}

/// Second of the day of an instant in a zone.
pub(crate) const fn second_of_day(utc: i64, offset: i64) -> i64 {
    (utc + offset).rem_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cond_41_calendar() {
        assert_eq!(parse_time("19700101000000Z"), Ok(0));
        assert_eq!(parse_time("20000229120000Z"), Ok(951_825_600));
        assert_eq!(parse_time("00000101000000Z"), Ok(-62_167_219_200));
        assert_eq!(parse_time("99991231235959Z"), Ok(253_402_300_799));
        assert!(parse_time("19000229000000Z").is_err());
    }

    #[test]
    fn blanks_and_newlines() {
        assert_eq!(parse_time("\u{3000}19700101000000 Z x"), Ok(0));
        assert_eq!(
            parse_time("\n19700101000000Z"),
            Err("invalid time string:\n19700101000000Z, err:unexpected newline".into())
        );
        for short in ["1 H", "12 Z", "", "é é"] {
            assert!(parse_time_of_day(short).is_err(), "{short}");
        }
    }

    #[test]
    fn cond_43_the_first_thing_wrong_is_reported() {
        let time = |text| parse_time(text).unwrap_err();
        // The date before the zone, and an hour of one digit is an hour.
        assert_eq!(
            time("20190230000000J"),
            "invalid time string:20190230000000J, err:parsing time \"20190230000000\": day out of range"
        );
        assert!(time("201910230 J").ends_with("cannot parse \"\" as \"04\""));
        let clock = |text| parse_time_of_day(text).unwrap_err();
        assert!(clock("250000J").ends_with("\"25:00:00\": hour out of range"));
        assert!(clock("1x0000J").ends_with("cannot parse \"x:00:00\" as \":\""));
        assert!(clock("\u{85}A2300H1").ends_with("cannot parse \"\\xc2\\x85:A2:30\" as \"15\""));
    }
}
