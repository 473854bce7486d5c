//! Cookies of responses: read from `Set-Cookie`, and written (modules-traffic 0.7).

use crate::http_time;
use bfe_http::{Header, is_token};
use bytes::Bytes;

/// Name of the field.
pub(crate) const SET_COOKIE: &str = "Set-Cookie";

/// A cookie that a response sets. Attributes that are not here are lost when it is written again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetCookie {
    /// Name: a token.
    pub(crate) name: Bytes,
    /// Value, verbatim.
    pub(crate) value: Bytes,
    /// `Path`; absent where empty. Control characters and `;` are not written.
    pub(crate) path: Bytes,
    /// `Domain`; absent where empty, not written where it is no host name. A leading dot is not written.
    pub(crate) domain: Bytes,
    /// `Expires`, in seconds since 1970.
    pub(crate) expires: Option<i64>,
    /// `Max-Age` in seconds; 0 is none, what is below 0 is written as 0.
    pub(crate) max_age: i64,
    /// `HttpOnly`.
    pub(crate) http_only: bool,
    /// `Secure`.
    pub(crate) secure: bool,
    /// `SameSite` with its value; an empty one for a value that is not known.
    pub(crate) same_site: Option<&'static str>,
}

impl SetCookie {
    /// All cookies that a response sets, without lines that are none.
    #[must_use]
    pub(crate) fn read_all(header: &Header) -> Vec<Self> {
        header.get_all(SET_COOKIE).filter_map(Self::parse).collect()
    }

    /// Reads the value of one field.
    #[must_use]
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let mut parts = line.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let first = parts.next()?;
        let equals = memchr::memchr(b'=', first)?;
        let name = first.get(..equals).filter(|name| is_token(name))?;
        let value = first.get(equals + 1..).unwrap_or_default();
        let mut cookie = Self {
            name: Bytes::copy_from_slice(name),
            value: Bytes::copy_from_slice(value),
            ..Self::default()
        };
        for part in parts {
            cookie.attribute(part);
        }
        Some(cookie)
    }

    fn attribute(&mut self, part: &[u8]) {
        let equals = memchr::memchr(b'=', part);
        let name = part.get(..equals.unwrap_or(part.len())).unwrap_or_default().to_ascii_lowercase();
        let value = equals.and_then(|at| part.get(at + 1..)).unwrap_or_default();
        let text = std::str::from_utf8(value).unwrap_or_default();
        match name.as_slice() {
            b"path" => self.path = Bytes::copy_from_slice(value),
            b"domain" => self.domain = Bytes::copy_from_slice(value),
            b"secure" => self.secure = true,
            b"httponly" => self.http_only = true,
            b"expires" => {
                if let Some(time) = http_time::parse_expires(text) {
                    self.expires = Some(time);
                }
            }
            b"max-age" => {
                if let Ok(seconds) = text.parse::<i64>()
                    && (seconds == 0 || !text.starts_with('0'))
                {
                    self.max_age = if seconds <= 0 { -1 } else { seconds };
                }
            }
            b"samesite" => {
                self.same_site = Some(match value.to_ascii_lowercase().as_slice() {
                    b"lax" => "Lax",
                    b"strict" => "Strict",
                    b"none" => "None",
                    _ => "",
                });
            }
            _ => {}
        }
    }

    /// The value of a `Set-Cookie` field.
    #[must_use]
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.name.len() + self.value.len() + 96);
        out.extend_from_slice(&self.name);
        out.push(b'=');
        out.extend_from_slice(&self.value);
        if !self.path.is_empty() {
            out.extend_from_slice(b"; Path=");
            out.extend(self.path.iter().filter(|b| (0x20..0x7f).contains(*b) && **b != b';'));
        }
        if is_cookie_domain(&self.domain) {
            out.extend_from_slice(b"; Domain=");
            out.extend_from_slice(self.domain.strip_prefix(b".").unwrap_or(&self.domain));
        }
        if let Some(expires) = self.expires.and_then(http_time::format) {
            out.extend_from_slice(b"; Expires=");
            out.extend_from_slice(expires.as_bytes());
        }
        if self.max_age != 0 {
            out.extend_from_slice(b"; Max-Age=");
            out.extend_from_slice(itoa::Buffer::new().format(self.max_age.max(0)).as_bytes());
        }
        if self.http_only {
            out.extend_from_slice(b"; HttpOnly");
        }
        if self.secure {
            out.extend_from_slice(b"; Secure");
        }
        if let Some(same_site) = self.same_site {
            out.extend_from_slice(b"; SameSite");
            if !same_site.is_empty() {
                out.push(b'=');
                out.extend_from_slice(same_site.as_bytes());
            }
        }
        Bytes::from(out)
    }

    /// Adds the cookie to those that a response sets.
    pub(crate) fn add_to(&self, header: &mut Header) {
        header.add(SET_COOKIE, self.to_bytes());
    }
}

/// Whether text can be the domain of a cookie: an IPv4 address, or labels of letters, digits and hyphens.
fn is_cookie_domain(domain: &[u8]) -> bool {
    if domain.is_empty() || domain.len() > 255 {
        return false;
    }
    if std::str::from_utf8(domain).is_ok_and(|d| d.parse::<std::net::Ipv4Addr>().is_ok()) {
        return true;
    }
    let labels = domain.strip_prefix(b".").unwrap_or(domain);
    let good = labels.split(|b| *b == b'.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
    });
    good && labels.iter().any(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written_again() {
        for (line, want) in [
            ("a=1", Some("a=1")),
            (
                "a=1; Max-Age=100;path=/x; Secure; domain=.Ex.org; SameSite=lax; HttpOnly; Priority=High",
                Some("a=1; Path=/x; Domain=Ex.org; Max-Age=100; HttpOnly; Secure; SameSite=Lax"),
            ),
            (
                "a=\"q,\"; expires=Tue, 10-Nov-2009 23:00:00 GMT; max-age=0",
                Some("a=\"q,\"; Expires=Tue, 10 Nov 2009 23:00:00 GMT; Max-Age=0"),
            ),
            ("a=; Max-Age=07; Expires=never; SameSite", Some("a=; SameSite")),
            ("a=1; Domain=ex_.org; Path=/a\u{7f}b", Some("a=1; Path=/ab")),
            ("a=1; Domain=10.0.0.1", Some("a=1; Domain=10.0.0.1")),
            ("a", None),
            ("=1", None),
            ("a b=1", None),
        ] {
            let cookie = SetCookie::parse(line.as_bytes()).map(|c| c.to_bytes());
            let cookie = cookie.as_deref().map(|c| std::str::from_utf8(c).unwrap());
            assert_eq!(cookie, want, "{line}");
        }
    }

    #[test]
    fn domains() {
        for (domain, want) in [
            ("example.org", true),
            (".example.org", true),
            ("a-b.c", true),
            ("10.0.0.1", true),
            ("10.0.0", false),
            ("a..b", false),
            ("-a.b", false),
            ("a.b.", false),
            ("::1", false),
            ("", false),
        ] {
            assert_eq!(is_cookie_domain(domain.as_bytes()), want, "{domain}");
        }
    }
}
