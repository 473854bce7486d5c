//! Where an answer sends the one who asks.

use bytes::Bytes;

/// A place on an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// For `Host`: that of the client's request, until a redirect names another one.
    pub(super) host: Bytes,
    /// The host of its URL.
    pub(super) authority: String,
    /// Path and query.
    pub(super) target: String,
}

impl Location {
    /// The place that `Location: value` names, seen from this one; `None` where it is none to go to. Whatever host
    /// it names, the connection is to the same instance.
    pub(super) fn follow(&self, value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?;
        let value = value.split('#').next().unwrap_or_default();
        if value.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
            return None;
        }
        let rest = match value.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
                scheme.eq_ignore_ascii_case("http").then_some(Some(rest))?
            }
            _ => value.strip_prefix("//"),
        };
        if let Some(rest) = rest {
            let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            let authority = host.to_owned();
            return Some(Self { host: Bytes::from(authority.clone()), authority, target: rooted(target) });
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let target = if value.starts_with('/') {
            value.to_owned()
        } else if value.is_empty() || value.starts_with('?') {
            format!("{path}{value}")
        } else {
            format!("{}/{value}", path.rsplit_once('/').map_or("", |(folder, _)| folder))
        };
        Some(Self { target: rooted(&target), ..self.clone() })
    }
}

fn rooted(target: &str) -> String {
    if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_locations_lead() {
        let here = Location { host: "h".into(), authority: "a".into(), target: "/detect?a".into() };
        for (value, want) in [
            ("/x?y#z", Some(("h", "/x?y"))),
            ("x", Some(("h", "/x"))),
            ("?b", Some(("h", "/detect?b"))),
            ("", Some(("h", "/detect"))),
            ("http://o:1/p", Some(("o:1", "/p"))),
            ("HTTP://u@o?q", Some(("o", "/?q"))),
            ("//o", Some(("o", "/"))),
            ("/a://b", Some(("h", "/a://b"))),
            ("https://o/", None),
            ("/a b", None),
        ] {
            let got = here.follow(value.as_bytes());
            let got = got.as_ref().map(|l| (std::str::from_utf8(&l.host).unwrap(), l.target.as_str()));
            assert_eq!(got, want, "{value}");
        }
    }
}
