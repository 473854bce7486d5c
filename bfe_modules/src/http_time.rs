//! Points in time as cookies and header fields write them; in seconds since 1970, UTC.

use jiff::Timestamp;
use jiff::civil::Date;

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// First second of the year 1601: what is earlier is no time for a cookie.
const YEAR_1601: i64 = -11_644_473_600;

/// The form of RFC 1123, such as `Tue, 10 Nov 2009 23:00:00 GMT`; `None` outside the years 1601 to 9999.
#[must_use]
pub(crate) fn format(seconds: i64) -> Option<String> {
    if seconds < YEAR_1601 {
        return None;
    }
    let time = Timestamp::from_second(seconds).ok()?;
    Some(time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// Reads the form of RFC 1123: day of two digits, a zone by name. A zone that is not `GMT` with an offset
/// counts as UTC.
#[must_use]
pub(crate) fn parse_rfc1123(text: &str) -> Option<i64> {
    parse(text, ' ', 4, false)
}

/// Reads the forms that `Expires` of a cookie comes in: RFC 1123, and two older ones with `-` in the date.
#[must_use]
pub(crate) fn parse_expires(text: &str) -> Option<i64> {
    parse_rfc1123(text).or_else(|| parse(text, '-', 2, true)).or_else(|| parse(text, '-', 4, false))
}

fn parse(text: &str, separator: char, year_digits: usize, gmt_only: bool) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    let known = |names: &[&str], name: &str| names.iter().position(|n| n.eq_ignore_ascii_case(name));
    known(&DAYS, weekday)?;
    let (day, rest) = rest.split_once(separator)?;
    let (month, rest) = rest.split_once(separator)?;
    let (year, rest) = rest.split_once(' ')?;
    let (clock, zone) = rest.split_once(' ')?;
    let mut clock = clock.split(':');
    let (hour, minute, second) = (clock.next()?, clock.next()?, clock.next()?);
    if clock.next().is_some() || gmt_only && zone != "GMT" {
        return None;
    }
    let month = i8::try_from(known(&MONTHS, month)? + 1).ok()?;
    let mut year = i16::try_from(number(year, year_digits, year_digits)?).ok()?;
    if year_digits == 2 {
        year += if year >= 69 { 1900 } else { 2000 };
    }
    let day = i8::try_from(number(day, 2, 2)?).ok()?;
    let (hour, minute, second) = (number(hour, 1, 2)?, number(minute, 2, 2)?, number(second, 2, 2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = Date::new(year, month, day).ok()?;
    let midnight = days.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    let offset = zone_offset(zone)?;
    Some(midnight + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second) - offset)
}

fn number(text: &str, least: usize, most: usize) -> Option<u16> {
    let plain = text.len() >= least && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Seconds east of UTC, for what has the form of a zone.
fn zone_offset(zone: &str) -> Option<i64> {
    if let Some(offset) = zone.strip_prefix("GMT") {
        if offset.is_empty() {
            return Some(0);
        }
        let hours: i64 = offset.parse().ok().filter(|h| (-23..24).contains(h))?;
        return offset.starts_with(['+', '-']).then_some(hours * 3600);
    }
    let upper = zone.bytes().all(|b| b.is_ascii_uppercase());
    let named = match zone.len() {
        3 => upper,
        4 => upper && (zone.ends_with('T') || zone == "WITA") || zone == "ChST" || zone == "MeST",
        5 => upper && zone.ends_with('T'),
        _ => false,
    };
    named.then_some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expires_in_all_forms() {
        const WANT: Option<i64> = Some(1_257_894_000);
        for (text, want) in [
            ("Tue, 10 Nov 2009 23:00:00 GMT", WANT),
            ("tue, 10 nov 2009 23:00:00 UTC", WANT),
            ("Tue, 10 Nov 2009 23:00:00 CST", WANT),
            ("Wed, 11 Nov 2009 02:00:00 GMT+3", WANT),
            ("Tue, 10-Nov-09 23:00:00 GMT", WANT),
            ("Tue, 10-Nov-2009 23:00:00 GMT", WANT),
            ("Tue, 10-Nov-09 23:00:00 UTC", None),
            ("Tue, 1 Nov 2009 23:00:00 GMT", None),
            ("Tue, 31 Feb 2009 23:00:00 GMT", None),
            ("Tue, 10 Nov 2009 24:00:00 GMT", None),
            ("Tue, 10 Nov 2009 23:00:00", None),
            ("Tue, 10 Nov 2009 23:00:00 utc", None),
            ("10 Nov 2009 23:00:00 GMT", None),
            ("", None),
        ] {
            assert_eq!(parse_expires(text), want, "{text}");
        }
        assert_eq!(format(1_257_894_000).as_deref(), Some("Tue, 10 Nov 2009 23:00:00 GMT"));
        assert_eq!(format(i64::MAX), None);
        assert_eq!(format(YEAR_1601 - 1), None);
    }
}
