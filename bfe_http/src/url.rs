//! Request targets: taken apart, decoded and put together again by the rules of the reference.

use bytes::Bytes;
use std::borrow::Cow;

/// Why a request target was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no target.
    #[error("empty url")]
    Empty,
    /// It has control characters.
    #[error("net/url: invalid control character in URL")]
    Control,
    /// It is neither a path, nor `*`, nor an absolute URL.
    #[error("invalid URI for request")]
    Form,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("invalid URL escape \"{0}\"")]
    Escape(String),
    /// The scheme of an absolute URL is malformed.
    #[error("missing protocol scheme")]
    Scheme,
    /// Host or port of an absolute URL is malformed.
    #[error("invalid host in URL")]
    Host,
}

/// A request target, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// Scheme in lower case; empty for a target that is a path. Once forwarded: that of the backend.
    pub scheme: Bytes,
    /// Host and port of an absolute target. Once forwarded: address of the backend.
    pub host: Bytes,
    /// Path, percent-decoded.
    pub path: Bytes,
    /// The path as it was written, where encoding `path` anew would give another text; else empty.
    pub raw_path: Bytes,
    /// Query as it was written, without `?`.
    pub raw_query: Bytes,
    /// Whether the target ended in a `?` without a query.
    pub force_query: bool,
    /// What follows the scheme of a URL without a path (`mailto:x`).
    pub opaque: Bytes,
}

impl Url {
    /// Takes a request target apart: `*`, a path with an optional query, or an absolute URL. A fragment is
    /// part of the path (lifecycle 5.1).
    ///
    /// # Errors
    /// When it has none of these forms, control characters, or a bad escape in the path.
    pub fn parse_request_uri(target: &Bytes) -> Result<Self, UrlError> {
        if target.is_empty() {
            return Err(UrlError::Empty);
        }
        if target.iter().any(|b| *b < 0x20 || *b == 0x7f) {
            return Err(UrlError::Control);
        }
        if target.as_ref() == b"*" {
            return Ok(Self { path: target.clone(), ..Self::default() });
        }
        let mut url = Self::default();
        let mut rest = target.clone();
        if !target.starts_with(b"/") {
            let Some(colon) = scheme_end(target)? else { return Err(UrlError::Form) };
            url.scheme = Bytes::from(target.slice(..colon).to_ascii_lowercase());
            rest = target.slice(colon + 1..);
        }
        if let Some(at) = memchr::memchr(b'?', &rest) {
            url.raw_query = rest.slice(at + 1..);
            url.force_query = url.raw_query.is_empty();
            rest.truncate(at);
        }
        if !rest.starts_with(b"/") {
            url.opaque = rest;
            return Ok(url);
        }
        if !url.scheme.is_empty() && rest.starts_with(b"//") {
            let authority = rest.slice(2..);
            let end = memchr::memchr(b'/', &authority).unwrap_or(authority.len());
            url.host = parse_authority(&authority.slice(..end))?;
            rest = authority.slice(end..);
        }
        url.set_path(rest)?;
        Ok(url)
    }

    /// Takes the target of a `CONNECT` apart, which is host and port alone.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn parse_authority_form(target: &Bytes) -> Result<Self, UrlError> {
        let mut whole = Vec::with_capacity(target.len() + 7);
        whole.extend_from_slice(b"http://");
        whole.extend_from_slice(target);
        let mut url = Self::parse_request_uri(&Bytes::from(whole))?;
        url.scheme = Bytes::new();
        Ok(url)
    }

    fn set_path(&mut self, raw: Bytes) -> Result<(), UrlError> {
        match unescape(&raw, false).ok_or_else(|| bad_escape(&raw))? {
            Cow::Borrowed(_) => {
                // Without escapes the text can still differ from its encoding, by characters that should
                // have been escaped; it is forwarded as it came all the same.
                self.path = raw.clone();
                self.raw_path =
                    if raw.iter().any(|b| should_escape_in_path(*b)) { raw } else { Bytes::new() };
            }
            Cow::Owned(path) => {
                let path = Bytes::from(path);
                self.raw_path = if escape_path(&path).as_ref() == raw.as_ref() { Bytes::new() } else { raw };
                self.path = path;
            }
        }
        Ok(())
    }

    /// The path as it goes on the wire: as it was written where that still says the same, else encoded anew.
    #[must_use]
    pub fn escaped_path(&self) -> Cow<'_, [u8]> {
        if !self.raw_path.is_empty()
            && valid_encoded_path(&self.raw_path)
            && unescape(&self.raw_path, false).is_some_and(|p| p.as_ref() == self.path.as_ref())
        {
            return Cow::Borrowed(&self.raw_path);
        }
        if self.path.as_ref() == b"*" {
            return Cow::Borrowed(b"*");
        }
        escape_path(&self.path)
    }

    /// Path and query as a request target.
    #[must_use]
    pub fn request_uri(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.path.len() + self.raw_query.len() + 2);
        if self.opaque.is_empty() {
            out.extend_from_slice(&self.escaped_path());
            if out.is_empty() {
                out.push(b'/');
            }
        } else {
            if self.opaque.starts_with(b"//") {
                out.extend_from_slice(&self.scheme);
                out.push(b':');
            }
            out.extend_from_slice(&self.opaque);
        }
        if self.force_query || !self.raw_query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.raw_query);
        }
        Bytes::from(out)
    }
}

/// Where the scheme of an absolute URL ends, `None` where there is none.
fn scheme_end(target: &[u8]) -> Result<Option<usize>, UrlError> {
    for (i, b) in target.iter().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i > 0 => return Ok(Some(i)),
            b':' => return Err(UrlError::Scheme),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The host of an authority, without user information.
fn parse_authority(authority: &Bytes) -> Result<Bytes, UrlError> {
    let host = match memchr::memrchr(b'@', authority) {
        Some(at) => {
            let user = authority.slice(..at);
            let valid = user.iter().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b));
            if !valid || unescape(&user, false).is_none() {
                return Err(UrlError::Host);
            }
            authority.slice(at + 1..)
        }
        None => authority.clone(),
    };
    if host.starts_with(b"[") {
        let close = memchr::memrchr(b']', &host).ok_or(UrlError::Host)?;
        if !valid_optional_port(&host.slice(close + 1..)) {
            return Err(UrlError::Host);
        }
    } else if let Some(colon) = memchr::memrchr(b':', &host)
        && !valid_optional_port(&host.slice(colon..))
    {
        return Err(UrlError::Host);
    }
    if !host.iter().all(|b| *b >= 0x80 || *b == b'%' || is_plain_in_host(*b)) {
        return Err(UrlError::Host);
    }
    match unescape(&host, false).ok_or(UrlError::Host)? {
        Cow::Borrowed(_) => Ok(host),
        Cow::Owned(decoded) if escapes_fit_host(&host) => Ok(Bytes::from(decoded)),
        Cow::Owned(_) => Err(UrlError::Host),
    }
}

/// Whether nothing is escaped in a host but what may be: bytes beyond ASCII, and `%` itself; in the zone of an IPv6
/// address instead a blank and what needs no escape.
fn escapes_fit_host(host: &[u8]) -> bool {
    let end = if host.starts_with(b"[") { memchr::memrchr(b']', host).unwrap_or(0) } else { 0 };
    let zone = host.get(..end).and_then(|address| memchr::memmem::find(address, b"%25")).unwrap_or(end);
    memchr::memchr_iter(b'%', host).all(|at| {
        match unescape(host.get(at..at + 3).unwrap_or_default(), false) {
            Some(byte) => match *byte {
                [b'%'] => true,
                [b] if (zone..end).contains(&at) => b == b' ' || is_plain_in_host(b),
                [b] => b >= 0x80,
                _ => false,
            },
            None => false,
        }
    })
}

/// Whether a byte stands for itself in a host.
fn is_plain_in_host(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&b)
}

fn valid_optional_port(port: &[u8]) -> bool {
    match port.split_first() {
        None => true,
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

/// The first escape that is none, up to three bytes of it.
fn bad_escape(text: &[u8]) -> UrlError {
    let is_escape = |at: usize| matches!(text.get(at + 1..at + 3), Some([a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    let at = memchr::memchr_iter(b'%', text).find(|at| !is_escape(*at)).unwrap_or(text.len());
    let escape = text.get(at..text.len().min(at + 3)).unwrap_or_default();
    UrlError::Escape(String::from_utf8_lossy(escape).into_owned())
}

/// Decodes percent escapes, and `+` as a blank where `query`; `None` where an escape is malformed.
#[must_use]
pub fn unescape(text: &[u8], query: bool) -> Option<Cow<'_, [u8]>> {
    if !text.iter().any(|b| *b == b'%' || query && *b == b'+') {
        return Some(Cow::Borrowed(text));
    }
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while let Some(b) = text.get(i) {
        match b {
            b'%' => {
                out.push(hex(text.get(i + 1))? << 4 | hex(text.get(i + 2))?);
                i += 2;
            }
            b'+' if query => out.push(b' '),
            b => out.push(*b),
        }
        i += 1;
    }
    Some(Cow::Owned(out))
}

/// Percent-encodes a path for use in a request target.
#[must_use]
pub fn escape_path(path: &[u8]) -> Cow<'_, [u8]> {
    escape(path, should_escape_in_path)
}

/// Percent-encodes a key or value of a query; a blank becomes `+`.
#[must_use]
pub fn escape_query(text: &[u8]) -> Cow<'_, [u8]> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    if text.iter().all(|b| unreserved(*b)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = escape(text, |b| b != b' ' && !unreserved(b)).into_owned();
    for b in &mut escaped {
        if *b == b' ' {
            *b = b'+';
        }
    }
    Cow::Owned(escaped)
}

fn escape(text: &[u8], must: impl Fn(u8) -> bool) -> Cow<'_, [u8]> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if !text.iter().any(|b| must(*b)) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 16);
    for b in text {
        if must(*b) {
            out.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
        } else {
            out.push(*b);
        }
    }
    Cow::Owned(out)
}

const fn should_escape_in_path(b: u8) -> bool {
    !(b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'@'
        ))
}

/// Whether a path that came from the wire may go out as it is.
fn valid_encoded_path(raw: &[u8]) -> bool {
    raw.iter().all(|b| {
        matches!(b, b'!' | b'\'' | b'(' | b')' | b'*' | b'[' | b']' | b'%') || !should_escape_in_path(*b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(target: &'static str) -> Result<Url, UrlError> {
        Url::parse_request_uri(&Bytes::from_static(target.as_bytes()))
    }

    #[test]
    fn targets_as_lifecycle_5_1() {
        let url = parse("/a%20b?x=%zz#f").unwrap();
        assert_eq!((url.path.as_ref(), url.raw_query.as_ref()), (&b"/a b"[..], &b"x=%zz#f"[..]));
        let url = parse("http://user:pw@ok:80/x?y").unwrap();
        assert_eq!((url.host.as_ref(), url.path.as_ref()), (&b"ok:80"[..], &b"/x"[..]));
        assert_eq!(parse("*").unwrap().path.as_ref(), b"*");
        for (bad, why) in [
            ("", UrlError::Empty),
            ("foo", UrlError::Form),
            ("/%zz", UrlError::Escape("%zz".into())),
            ("/a\x01", UrlError::Control),
            ("http://h:x/", UrlError::Host),
        ] {
            assert_eq!(parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn life_33_escapes_in_hosts() {
        for (host, want) in [
            ("a%25b", Some(&b"a%b"[..])),
            ("%c3%a9.org", Some(b"\xc3\xa9.org")),
            ("[fe80::1%25en0]:80", Some(b"[fe80::1%en0]:80")),
            ("[fe80::1%25e%20n%2d]", Some(b"[fe80::1%e n-]")),
            ("a%41b", None),
            ("a%20b", None),
            ("[fe80::1%2541%c3]", None),
            ("[fe80::1%2d]", None),
        ] {
            let url = Url::parse_request_uri(&Bytes::from(format!("http://{host}/")));
            assert_eq!(url.as_ref().ok().map(|url| url.host.as_ref()), want, "{host}");
        }
    }

    #[test]
    fn a_target_that_nobody_changed_goes_out_as_it_came() {
        for target in ["/", "/a%2Fb", "/a!b'(c)*", "/x?y=%zz", "/x?", "//a//b", "/%e4%bd%a0"] {
            assert_eq!(parse(target).unwrap().request_uri().as_ref(), target.as_bytes());
        }
        let mut url = parse("/a%2Fb?q").unwrap();
        url.path = Bytes::from_static(b"/new path");
        assert_eq!(url.request_uri().as_ref(), b"/new%20path?q");
    }

    #[test]
    fn query_escape_round_trip() {
        assert_eq!(escape_query(b"a b&c/~").as_ref(), b"a+b%26c%2F~");
        assert_eq!(unescape(b"a+b%26c", true).unwrap().as_ref(), b"a b&c");
    }
}
