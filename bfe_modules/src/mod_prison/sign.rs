//! What makes two requests the same client.

use super::cells::Sign;
use aws_lc_rs::digest;
use bfe_basic::Request;
use bfe_basic::condition::Pattern;
use bytes::Bytes;
use std::io::Write as _;

/// Which features of a request count.
#[derive(Default)]
pub(super) struct Signer {
    /// The text of the rule's condition: another condition counts anew.
    pub(super) label: Box<str>,
    pub(super) client_ip: bool,
    pub(super) url: bool,
    pub(super) host: bool,
    pub(super) path: bool,
    pub(super) url_pattern: Option<Pattern>,
    /// Names as written, and as they are looked up.
    pub(super) headers: Vec<(Box<str>, Bytes)>,
    pub(super) cookies: Vec<Box<str>>,
    /// Names as written: keys with bars between them.
    pub(super) queries: Vec<Box<str>>,
    pub(super) all_headers: bool,
}

impl Signer {
    /// The digest of the features; `None` where the request lacks one.
    pub(super) fn sign(&self, req: &Request) -> Option<Sign> {
        let data = self.features(req)?;
        // Of a strong hash, so that nobody can find features that lock out somebody else.
        digest::digest(&digest::SHA256, &data).as_ref().first_chunk().copied()
    }

    /// The features as `&name=value`, in a fixed order.
    fn features(&self, req: &Request) -> Option<Vec<u8>> {
        let http = &req.http;
        let mut data = Vec::with_capacity(128 + self.label.len());
        put(&mut data, b"label", self.label.as_bytes());
        if self.client_ip {
            let ip = req.client_addr?.ip().to_canonical();
            // Writing to memory cannot fail.
            let _ = write!(data, "&clientIP={ip}");
        }
        for (wanted, name, value) in [
            (self.url, "url", &http.request_uri),
            (self.host, "host", &http.host),
            (self.path, "path", &http.url.path),
        ] {
            if wanted {
                put(&mut data, name.as_bytes(), value);
            }
        }
        if let Some(pattern) = &self.url_pattern {
            data.extend_from_slice(b"&urlpattern=");
            let mut first = true;
            let matched = pattern.for_each_group(&http.request_uri, |group| {
                if !std::mem::take(&mut first) {
                    data.push(b',');
                }
                data.extend_from_slice(group);
            });
            if !matched {
                return None;
            }
        }
        for (name, canonical) in &self.headers {
            let value = str::from_utf8(canonical).ok().and_then(|name| http.header.get(name));
            put(&mut data, name.as_bytes(), value.filter(|value| !value.is_empty())?);
        }
        for name in &self.cookies {
            put(&mut data, name.as_bytes(), req.cookies().get(name.as_bytes())?);
        }
        for keys in &self.queries {
            put(&mut data, keys.as_bytes(), b"");
            let before = data.len();
            for key in keys.split('|') {
                data.extend_from_slice(req.query().get(key.as_bytes()).unwrap_or_default());
            }
            if data.len() == before {
                return None;
            }
        }
        if self.all_headers && !req.session.proto.get().is_multiplexed() {
            put(&mut data, b"Host", &http.host);
            for (name, _) in http.header.iter() {
                let value = str::from_utf8(name).ok().and_then(|name| http.header.get(name));
                put(&mut data, name, value.unwrap_or_default());
            }
        }
        Some(data)
    }
}

fn put(data: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    data.push(b'&');
    data.extend_from_slice(name);
    data.push(b'=');
    data.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use bfe_basic::Proto;
    use bfe_basic::Session;

    fn features(signer: &Signer, req: &Request) -> Option<String> {
        signer.features(req).map(|data| String::from_utf8(data).unwrap())
    }

    fn request(target: &str, fields: &[(&'static str, &'static str)]) -> Request {
        let session = Session { remote_addr: Some("10.0.0.1:1".parse().unwrap()), ..Session::default() };
        let mut req = testing::request_on(session, "GET", target);
        for (name, value) in fields {
            req.http.header.add(*name, *value);
        }
        req
    }

    fn names(names: &[&str]) -> Vec<Box<str>> {
        names.iter().map(|name| Box::from(*name)).collect()
    }

    #[test]
    fn prison_7_features_in_their_order() {
        let signer = Signer {
            label: "c".into(),
            client_ip: true,
            url: true,
            host: true,
            path: true,
            url_pattern: Some(Pattern::with_groups("^/([^/]+)/([0-9]*)").unwrap()),
            headers: vec![("x-key".into(), Bytes::from_static(b"X-Key"))],
            cookies: names(&["UID"]),
            queries: names(&["a|b"]),
            all_headers: false,
        };
        let fields = [("X-Key", "k"), ("Cookie", "UID="), ("X-Key", "second")];
        assert_eq!(
            features(&signer, &request("/%61/2?b=1", &fields)).unwrap(),
            "&label=c&clientIP=10.0.0.1&url=/%61/2?b=1&host=example.org&path=/a/2&urlpattern=%61,2&x-key=k&UID=&a|b=1"
        );
        let mut mapped = request("/a/2?b=1", &fields);
        mapped.client_addr = Some("[::ffff:10.0.0.1]:1".parse().unwrap());
        assert!(features(&signer, &mapped).unwrap().contains("&clientIP=10.0.0.1&"));
        assert_ne!(signer.sign(&mapped), None);
        mapped.client_addr = None;
        assert_eq!(signer.sign(&mapped), None);
        let by_query = Signer { queries: names(&["a|b"]), ..Signer::default() };
        let signs = ["/?a=1", "/?b=1", "/?a=1&b="].map(|target| by_query.sign(&request(target, &[])));
        assert!(signs[0].is_some() && signs[0] == signs[1] && signs[1] == signs[2]);
    }

    #[test]
    fn prison_6_what_is_missing() {
        let header = |name: &'static str| Signer {
            headers: vec![(name.into(), Bytes::from_static(name.as_bytes()))],
            ..Signer::default()
        };
        for (id, signer, target, fields, signed) in [
            ("header", header("X-Key"), "/", &[("X-Key", "k")][..], true),
            ("no header", header("X-Key"), "/", &[], false),
            ("empty header", header("X-Key"), "/", &[("X-Key", "")], false),
            ("host", header("Host"), "/", &[], false),
            (
                "cookie",
                Signer { cookies: names(&["a"]), ..Signer::default() },
                "/",
                &[("Cookie", "a=")],
                true,
            ),
            (
                "no cookie",
                Signer { cookies: names(&["a"]), ..Signer::default() },
                "/",
                &[("Cookie", "b=1")],
                false,
            ),
            ("query", Signer { queries: names(&["a"]), ..Signer::default() }, "/?a=1", &[], true),
            ("empty query", Signer { queries: names(&["a"]), ..Signer::default() }, "/?a=", &[], false),
            ("a bar", Signer { queries: names(&["|"]), ..Signer::default() }, "/?=", &[], false),
            (
                "no match",
                Signer { url_pattern: Some(Pattern::with_groups("(x)").unwrap()), ..Signer::default() },
                "/y",
                &[],
                false,
            ),
        ] {
            assert_eq!(signer.sign(&request(target, fields)).is_some(), signed, "{id}");
        }
    }

    #[test]
    fn prison_8_all_headers_in_their_order() {
        let signer = Signer { all_headers: true, ..Signer::default() };
        let sign = |fields: &[(&'static str, &'static str)], proto| {
            let req = request("/", fields);
            req.session.proto.set(proto);
            features(&signer, &req).unwrap()
        };
        assert_eq!(
            sign(&[("B", "1"), ("A", "2"), ("B", "3")], Proto::Http),
            "&label=&Host=example.org&B=1&A=2&B=1"
        );
        assert_eq!(sign(&[("B", "1"), ("A", "2")], Proto::H2), "&label=");
    }
}
