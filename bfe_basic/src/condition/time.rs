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
    let offset = zone_offset(zone)?;
    let wall = parse_fields(digits).map_err(|why| invalid(&why))?;
    Ok(wall - offset)
}

/// Fields of `YYYYMMDDhhmmss`, each by name, with their places and bounds, in the order they are checked.
fn parse_fields(digits: &str) -> Result<i64, String> {
    const LAYOUT: &str = "20060102150405";
    let fail = |rest: &str, element: &str| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            super::print::quote(digits),
            super::print::quote(LAYOUT),
            super::print::quote(rest),
            super::print::quote(element)
        )
    };
    let range = |what: &str| format!("parsing time {}: {what} out of range", super::print::quote(digits));
    let mut values = [0i64; 6];
    let elements = ["2006", "01", "02", "15", "04", "05"];
    let mut at = 0;
    for (value, element) in values.iter_mut().zip(elements) {
        let rest = digits.get(at..).unwrap_or_default();
        let number = rest
            .get(..element.len())
            .filter(|n| n.bytes().all(|b| b.is_ascii_digit()))
            .ok_or_else(|| fail(rest, element))?;
        *value = number.parse().map_err(|_| fail(rest, element))?;
        at += element.len();
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
            super::print::quote(digits),
            super::print::quote(extra)
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
    let offset = zone_offset(zone)?;
    // The digits are read from the start of the text, blanks or not.
    let bytes = text.as_bytes();
    let pair = |at: usize| bytes.get(at..at + 2).map(String::from_utf8_lossy);
    let (Some(hour), Some(minute), Some(second)) = (pair(0), pair(2), pair(4)) else {
        return Err(format!("invalid time string:{text}, err:EOF"));
    };
    let clock = format!("{hour}:{minute}:{second}");
    let invalid = |why: String| format!("time format invalid, err:parsing time {}{why}", quote(&clock));
    let number = |part: &str, element: &str, from: usize| -> Result<i64, String> {
        let digits = if part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) { part } else { "" };
        digits.parse().map_err(|_| {
            let rest = clock.get(from..).unwrap_or_default();
            invalid(format!(" as \"15:04:05\": cannot parse {} as \"{element}\"", quote(rest)))
        })
    };
    let hour = number(&hour, "15", 0)?;
    if hour > 23 {
        return Err(invalid(": hour out of range".into()));
    }
    let minute = number(&minute, "04", 3)?;
    if minute > 59 {
        return Err(invalid(": minute out of range".into()));
    }
    let second = number(&second, "05", 6)?;
    if second > 59 {
        return Err(invalid(": second out of range".into()));
    }
    Ok((hour * 3600 + minute * 60 + second, offset))
}

fn quote(text: &str) -> String {
    super::print::quote(text)
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
}
