//! Conditions on status codes: of health checks, and of responses that count as failures.

/// Why a status code is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("response statusCode[{got}], while expect[{expect}]")]
pub struct StatusMismatch {
    got: u16,
    expect: String,
}

/// The status that a good health check answers with (`StatusCode`): a code, or a mask of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusExpect(u16);

impl StatusExpect {
    /// Any status.
    pub const ANY: Self = Self(0);

    /// 100-599: that code. 1-31: a mask, bit 0 for 1xx up to bit 4 for 5xx. 0: any code.
    #[must_use]
    pub fn new(code: i64) -> Option<Self> {
        match code {
            0..=31 | 100..=599 => u16::try_from(code).ok().map(Self),
            _ => None,
        }
    }

    /// Whether `status` is good.
    ///
    /// # Errors
    /// When it is not, with both in words.
    pub fn matches(self, status: u16) -> Result<(), StatusMismatch> {
        let good = match self.0 {
            0 => true,
            mask @ 1..=31 => {
                let class = status / 100;
                (1..=5).contains(&class) && mask >> (class - 1) & 1 == 1
            }
            code => code == status,
        };
        if good { Ok(()) } else { Err(StatusMismatch { got: status, expect: self.to_string() }) }
    }
}

impl std::fmt::Display for StatusExpect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.write_str("ANY"),
            mask @ 1..=31 => {
                (0..5).filter(|bit| mask >> bit & 1 == 1).try_for_each(|bit| write!(f, "{}XX ", bit + 1))
            }
            code => write!(f, "{code}"),
        }
    }
}

/// Alternatives of three characters each (`StatusCodeRange`), where `x` is any digit.
///
/// An upper case `X` may be written but matches nothing, as in Go BFE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRange(Vec<[u8; 3]>);

impl StatusRange {
    /// Reads `404|5xx`, blanks allowed anywhere. `None` where the form is wrong.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.replace(' ', "");
        text.split('|')
            .map(|part| {
                let part: [u8; 3] = part.as_bytes().try_into().ok()?;
                part.iter().all(|b| b.is_ascii_digit() || matches!(b, b'x' | b'X')).then_some(part)
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether `status` is one of them.
    #[must_use]
    pub fn matches(&self, status: u16) -> bool {
        let digits = [status / 100, status / 10 % 10, status % 10];
        let digit = |(pattern, digit): (&u8, u16)| {
            *pattern == b'x' || pattern.is_ascii_digit() && u16::from(*pattern - b'0') == digit
        };
        status < 1000 && self.0.iter().any(|part| part.iter().zip(digits).all(digit))
    }
}

/// Responses that count as failures of the backend (`OutlierDetectionHttpCode`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutlierCodes {
    /// 3xx, 4xx, 5xx.
    classes: [bool; 3],
    codes: Vec<u16>,
}

impl OutlierCodes {
    /// Reads `5xx|403`. The classes 3xx, 4xx and 5xx and whole numbers count; anything else, also with
    /// blanks, is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut this = Self::default();
        for part in text.to_lowercase().split('|') {
            match part {
                "3xx" => this.classes[0] = true,
                "4xx" => this.classes[1] = true,
                "5xx" => this.classes[2] = true,
                // A negative or huge number is no status.
                code => this.codes.extend(code.parse::<u16>()),
            }
        }
        this
    }

    /// Whether a response with `status` is a failure.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        let class = match status / 100 {
            3 => self.classes[0],
            4 => self.classes[1],
            5 => self.classes[2],
            _ => false,
        };
        class || self.codes.contains(&status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bal_10_and_73_status_code() {
        for (expect, status, good) in [
            (2, 204, true),
            (6, 302, true),
            (6, 404, false),
            (16, 503, true),
            (31, 600, false),
            (31, 99, false),
            (0, 600, true),
            (404, 404, true),
            (404, 405, false),
        ] {
            assert_eq!(StatusExpect::new(expect).unwrap().matches(status).is_ok(), good, "{expect} {status}");
        }
        let error = StatusExpect::new(6).unwrap().matches(404).unwrap_err();
        assert_eq!(error.to_string(), "response statusCode[404], while expect[2XX 3XX ]");
        for bad in [-1, 32, 99, 600, 1000] {
            assert_eq!(StatusExpect::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn bal_10_and_75_status_code_range() {
        for (range, good) in [
            ("4x0", true),
            ("400", true),
            ("40x", true),
            ("4xx", true),
            ("x00", true),
            ("x0x", true),
            ("200|40x|3xx", true),
            ("2 00 | 4 0x", true),
            ("43x", false),
            ("2xx", false),
            ("404|30x|2xx", false),
            ("4XX", false),
        ] {
            assert_eq!(StatusRange::parse(range).unwrap().matches(400), good, "{range}");
        }
        for bad in ["4000", "[200-300]", "|400", "400|", "4", ""] {
            assert_eq!(StatusRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn cfg_91_outlier_codes() {
        let codes = OutlierCodes::parse("5XX|403|2xx| 404|x");
        for (status, want) in
            [(500, true), (599, true), (403, true), (404, false), (200, false), (301, false)]
        {
            assert_eq!(codes.contains(status), want, "{status}");
        }
        assert_eq!(OutlierCodes::parse(""), OutlierCodes::default());
    }
}
