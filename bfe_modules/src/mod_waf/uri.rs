//! A request target taken apart as a URL, which it need not be.

use bfe_http::Url;
use bfe_http::url::unescape;
use bytes::Bytes;

/// The parts of a target.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uri {
    pub(super) url: Url,
    /// Whether there is a user before the host.
    pub(super) has_user: bool,
    /// Whether there is a scheme, and a path without a host.
    pub(super) omits_host: bool,
    /// What follows `#`, decoded.
    pub(super) fragment: Vec<u8>,
    /// The same as it was written, where encoding it anew would give another text; else empty.
    pub(super) raw_fragment: Bytes,
}

impl Uri {
    /// `None` where the target is no URL: one whose fragment has a bad escape, for example.
    pub(super) fn parse(target: &Bytes) -> Option<Self> {
        let hash = memchr::memchr(b'#', target);
        let raw_fragment = hash.map(|at| target.slice(at + 1..)).unwrap_or_default();
        let target = target.slice(..hash.unwrap_or(target.len()));
        // A target that begins with two slashes is a path to a proxy, and a host to a URL.
        let is_relative = target.starts_with(b"//") && !target.starts_with(b"///");
        let absolute = if is_relative { Bytes::from([b"http:", &target[..]].concat()) } else { target };
        let mut url =
            if absolute.is_empty() { Url::default() } else { Url::parse_request_uri(&absolute).ok()? };
        let rest = if url.scheme.is_empty() { None } else { absolute.get(url.scheme.len() + 1..) };
        let authority = rest.and_then(|rest| rest.strip_prefix(b"//"));
        let has_user = authority.is_some_and(|authority| {
            authority.iter().take_while(|byte| !matches!(byte, b'/' | b'?')).any(|byte| *byte == b'@')
        });
        let omits_host = authority.is_none() && rest.is_some_and(|rest| rest.starts_with(b"/"));
        if is_relative {
            url.scheme = Bytes::new();
        }
        let fragment = unescape(&raw_fragment, false)?.into_owned();
        let raw_fragment = if escaped(&fragment) == raw_fragment { Bytes::new() } else { raw_fragment };
        Some(Self { url, has_user, omits_host, fragment, raw_fragment })
    }
}

/// A fragment as it is encoded.
fn escaped(fragment: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(fragment.len());
    for byte in fragment {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=?@!()*".contains(byte) {
            out.push(*byte);
        } else {
            out.push(b'%');
            out.extend(crate::hex::encode(&[*byte]).to_ascii_uppercase().bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waf_10_parts() {
        let parse = |text: &'static str| Uri::parse(&Bytes::from_static(text.as_bytes()));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        for (target, scheme, host, path, query, fragment) in [
            ("/a?b=c", "", "", "/a", "b=c", ""),
            ("/%41/b%2fc", "", "", "/A/b/c", "", ""),
            ("/a?x#fr%61g", "", "", "/a", "x", "frag"),
            ("http://h:1/p?q", "http", "h:1", "/p", "q", ""),
            ("//h/p", "", "h", "/p", "", ""),
            ("///p", "", "", "///p", "", ""),
            ("*", "", "", "*", "", ""),
        ] {
            let uri = parse(target).unwrap();
            let found =
                [&uri.url.scheme[..], &uri.url.host, &uri.url.path, &uri.url.raw_query, &uri.fragment]
                    .map(text);
            assert_eq!(found, [scheme, host, path, query, fragment], "{target}");
        }
        assert_eq!(parse("/a?x#%zz"), None);
        assert_eq!(parse("name:443").unwrap().url.opaque, "443");
        assert_eq!(parse("/a?x#a%61").unwrap().raw_fragment, "a%61");
        assert_eq!(parse("/a?x#a b").unwrap().raw_fragment, "a b");
        assert_eq!(parse("/a?x#a%20b").unwrap().raw_fragment, "");
        let flags = |target| parse(target).map(|uri: Uri| (uri.has_user, uri.omits_host));
        assert_eq!(flags("http://u:p@h/@"), Some((true, false)));
        assert_eq!(flags("http://h/@"), Some((false, false)));
        assert_eq!(flags("http:/p"), Some((false, true)));
        assert_eq!(flags("/p@"), Some((false, false)));
    }
}
