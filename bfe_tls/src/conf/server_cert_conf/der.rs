//! As much of DER as an OCSP response needs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is not DER.
pub(super) const MALFORMED: &str = "malformed";

/// A run of elements.
#[derive(Clone, Copy)]
pub(super) struct Der<'d>(&'d [u8]);

/// An element: its tag, its content, and all of its bytes.
#[derive(Clone, Copy)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) content: &'d [u8],
    pub(super) whole: &'d [u8],
}

impl<'d> Der<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tag of the next element.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element.
    pub(super) fn next(&mut self) -> Result<Element<'d>, &'static str> {
        let (&tag, rest) = self.0.split_first().ok_or(MALFORMED)?;
        let (&first, rest) = rest.split_first().ok_or(MALFORMED)?;
        let (len, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(MALFORMED)?;
            if digits.is_empty() || digits.len() > 4 {
                return Err(MALFORMED);
            }
            (digits.iter().fold(0usize, |n, d| n << 8 | usize::from(*d)), rest)
        };
        let (content, rest) = rest.split_at_checked(len).ok_or(MALFORMED)?;
        let whole = self.0.get(..self.0.len() - rest.len()).ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(Element { tag, content, whole })
    }

    /// The next element, which must have that tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Element<'d>, &'static str> {
        self.next().and_then(|e| if e.tag == tag { Ok(e) } else { Err(MALFORMED) })
    }
}

impl<'d> Element<'d> {
    pub(super) fn inside(&self) -> Der<'d> {
        Der(self.content)
    }

    /// GeneralizedTime, to the second and in UTC, as OCSP demands.
    pub(super) fn time(&self) -> Result<SystemTime, &'static str> {
        let text = self.content.strip_suffix(b"Z").filter(|t| t.len() == 14).ok_or(MALFORMED)?;
        let mut digits =
            text.iter().map(|b| if b.is_ascii_digit() { Ok(u64::from(b - b'0')) } else { Err(MALFORMED) });
        let mut number = |n: usize| -> Result<u64, &'static str> {
            let mut digits = digits.by_ref().take(n);
            digits.try_fold(0, |sum, digit| Ok(sum * 10 + digit?))
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let (hour, minute, second) = (number(2)?, number(2)?, number(2)?);
        if !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || hour > 23
            || minute > 59
            || second > 59
            || year < 1970
        {
            return Err(MALFORMED);
        }
        // Days by the calendar whose years begin in March, so that leap days come last.
        let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
        Ok(UNIX_EPOCH + Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, want) in [
            ("19700101000000Z", Some(0)),
            ("20240229235959Z", Some(1_709_251_199)),
            ("20261121140707Z", Some(1_795_270_027)),
            ("20241301000000Z", None),
            ("20240101000000", None),
            ("2024010100000xZ", None),
            ("00000101000000Z", None),
        ] {
            let element = Element { tag: 0x18, content: text.as_bytes(), whole: &[] };
            let got = element.time().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            assert_eq!(got.map(|d| d.as_secs()), want, "{text}");
        }
    }

    #[test]
    fn lengths() {
        for (bytes, want) in [
            (&[0x30, 0x01, 0xff][..], Some(1)),
            (&[0x30, 0x81, 0x01, 0xff], Some(1)),
            (&[0x30, 0x02, 0xff], None),
            (&[0x30, 0x80, 0xff], None),
            (&[0x30, 0x85, 0, 0, 0, 0, 1, 0xff], None),
            (&[0x30], None),
            (&[], None),
        ] {
            assert_eq!(Der::new(bytes).next().ok().map(|e| e.content.len()), want, "{bytes:?}");
        }
    }
}
