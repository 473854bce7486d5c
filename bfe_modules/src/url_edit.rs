//! URLs as configuration and header fields have them.

use bfe_http::Url;
use bytes::Bytes;

/// The URL with another scheme; `None` where it is not absolute.
pub(crate) fn set_scheme(url: &[u8], scheme: &str) -> Option<Vec<u8>> {
    let rest = url.strip_prefix(b"http://").or_else(|| url.strip_prefix(b"https://"))?;
    Some([scheme.as_bytes(), b"://", rest].concat())
}

/// The URL with a pair behind its query; `None` where it cannot be parsed. The pair is not escaped; the path
/// is, where it was not.
pub(crate) fn add_query(url: &[u8], pair: &str) -> Option<Vec<u8>> {
    if url.iter().any(|b| *b < 0x20 || *b == 0x7f) {
        return None;
    }
    let (rest, fragment) = cut(url, b'#');
    bfe_http::url::unescape(fragment.unwrap_or_default(), false)?;
    let (rest, query) = cut(rest, b'?');
    let (scheme, rest) = split_scheme(rest)?;
    let mut out = Vec::with_capacity(url.len() + pair.len() + 2);
    if !scheme.is_empty() {
        out.extend(scheme.iter().map(u8::to_ascii_lowercase));
        out.push(b':');
    }
    let path = match rest.strip_prefix(b"//").filter(|_| !scheme.is_empty() || !rest.starts_with(b"///")) {
        Some(after) => {
            let end = memchr::memchr(b'/', after).unwrap_or(after.len());
            let (authority, path) = after.split_at_checked(end)?;
            // Checked only: it stays as it is written.
            Url::parse_request_uri(&Bytes::from([b"http://", authority].concat())).ok()?;
            out.extend_from_slice(b"//");
            out.extend_from_slice(authority);
            path
        }
        None => rest,
    };
    if scheme.is_empty() || path.starts_with(b"/") || path.is_empty() {
        out.extend_from_slice(&escaped(path)?);
    } else {
        out.extend_from_slice(path);
    }
    out.push(b'?');
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        out.extend_from_slice(query);
        out.push(b'&');
    }
    out.extend_from_slice(pair.as_bytes());
    if let Some(fragment) = fragment.filter(|fragment| !fragment.is_empty()) {
        out.push(b'#');
        out.extend_from_slice(fragment);
    }
    Some(out)
}

/// Whether text is a URL, absolute or not.
pub(crate) fn is_url(text: &str) -> bool {
    add_query(text.as_bytes(), "").is_some()
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(i) => (text.get(..i).unwrap_or_default(), text.get(i + 1..)),
        None => (text, None),
    }
}

/// Scheme, and what follows its colon; `None` where there is a colon that cannot be.
fn split_scheme(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))
        .unwrap_or(text.len());
    let (scheme, rest) = text.split_at_checked(end)?;
    let starts_well = scheme.first().is_some_and(u8::is_ascii_alphabetic);
    match rest.strip_prefix(b":") {
        Some(rest) if starts_well => Some((scheme, rest)),
        Some(_) if scheme.is_empty() => None,
        // A first element with a colon would be read as a scheme.
        _ if text.split(|b| *b == b'/').next().unwrap_or_default().contains(&b':') => None,
        _ => Some((b"", text)),
    }
}

/// A path as it goes into a URL.
fn escaped(path: &[u8]) -> Option<Vec<u8>> {
    let rooted = path.starts_with(b"/");
    let text = if rooted { path.to_vec() } else { [b"/", path].concat() };
    let url = Url::parse_request_uri(&Bytes::from(text)).ok()?;
    let escaped = url.escaped_path();
    Some(if rooted { escaped.into_owned() } else { escaped.get(1..).unwrap_or_default().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_12_queries() {
        for (url, want) in [
            ("http://r.org/a?b=1", Some("http://r.org/a?b=1&k=v w")),
            ("HTTP://u:p@r.org:80", Some("http://u:p@r.org:80?k=v w")),
            ("/a b/%2f?#f", Some("/a%20b//?k=v w#f")),
            ("a/b", Some("a/b?k=v w")),
            ("//h/x", Some("//h/x?k=v w")),
            ("mailto:x", Some("mailto:x?k=v w")),
            ("", Some("?k=v w")),
            ("/%zz", None),
            ("http://h:x/", None),
            ("1a:b", None),
            (":x", None),
            ("/a\u{1}", None),
        ] {
            let got = add_query(url.as_bytes(), "k=v w").map(|u| String::from_utf8(u).unwrap());
            assert_eq!(got.as_deref(), want, "{url}");
        }
    }

    #[test]
    fn header_11_schemes() {
        assert_eq!(set_scheme(b"http://h/x", "https").unwrap(), b"https://h/x");
        assert_eq!(set_scheme(b"https://h", "http").unwrap(), b"http://h");
        assert_eq!(set_scheme(b"ftp://h", "http"), None);
        assert_eq!(set_scheme(b"/x", "http"), None);
    }
}
