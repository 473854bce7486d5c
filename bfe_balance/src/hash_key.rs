//! What a request is hashed by (balance 4).

use crate::conf::cluster_conf::{HashConf, HashHeader, HashStrategy};
use crate::murmur3::hash64;
use bfe_basic::Request;
use std::net::IpAddr;

/// The hash of a request's key. A request without a key gets a random one, new at each call.
pub(crate) fn hash_of(req: &Request, conf: &HashConf) -> u64 {
    let id = || conf.header.as_ref().and_then(|header| client_id(req, header));
    let key = match conf.strategy {
        HashStrategy::ClientIdOnly => id().map(hash_if_any),
        HashStrategy::ClientIpOnly => client_ip(req),
        HashStrategy::ClientIdPreferred => id().map_or_else(|| client_ip(req), |id| Some(hash_if_any(id))),
        HashStrategy::RequestUri => Some(hash_if_any(&req.http.request_uri)),
    };
    key.unwrap_or_else(random)
}

/// A key that is there but empty is as good as random.
fn hash_if_any(key: &[u8]) -> u64 {
    if key.is_empty() { random() } else { hash64(key) }
}

fn random() -> u64 {
    hash64(&fastrand::u64(..).to_be_bytes())
}

/// Header value or cookie that tells the client; a cookie may be there and empty.
fn client_id<'r>(req: &'r Request, header: &HashHeader) -> Option<&'r [u8]> {
    match req.http.header.get(&header.name) {
        Some(value) if !value.is_empty() => Some(value),
        _ => cookie(req, header.cookie.as_deref()?.as_bytes()),
    }
}

fn client_ip(req: &Request) -> Option<u64> {
    Some(match req.client_addr?.ip() {
        IpAddr::V4(ip) if req.client_ip_mapped => hash64(&ip.to_ipv6_mapped().octets()),
        IpAddr::V4(ip) => hash64(&ip.octets()),
        IpAddr::V6(ip) => hash64(&ip.octets()),
    })
}

/// The first cookie of that name, its value as sent, quotes and all.
fn cookie<'r>(req: &'r Request, name: &[u8]) -> Option<&'r [u8]> {
    req.http.header.get_all("Cookie").find_map(|line| cookie_of_line(line, name))
}

fn cookie_of_line<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let mut line = line.trim_ascii();
    while !line.is_empty() {
        // A `;` where a pair should begin ends the list: the rest is taken for one pair, with a bad name.
        let part = match line.iter().position(|b| *b == b';') {
            Some(at) if at > 0 => {
                let (part, rest) = line.split_at(at);
                line = rest.get(1..).unwrap_or_default();
                part
            }
            _ => std::mem::take(&mut line),
        };
        let part = part.trim_ascii();
        let (key, value) = match part.iter().position(|b| *b == b'=') {
            Some(at) => (part.get(..at).unwrap_or_default(), part.get(at + 1..).unwrap_or_default()),
            None => (part, &[][..]),
        };
        if key == name && bfe_http::is_token(key) {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use bfe_basic::Session;
    use std::rc::Rc;

    fn request(fields: &[(&'static str, &'static str)], client: Option<&str>) -> Request {
        let mut http = bfe_http::Request::new("GET", "/a?b=1", "h").unwrap();
        for (name, value) in fields {
            http.header.add(*name, *value);
        }
        let mut req = Request::new(Rc::new(Session::default()), http);
        req.client_addr = client.map(|c| c.parse().unwrap());
        req
    }

    fn conf(strategy: HashStrategy, header: &str) -> HashConf {
        HashConf { strategy, header: HashHeader::parse(header), session_sticky: false }
    }

    fn assert_random(req: &Request, conf: &HashConf) {
        assert_ne!(hash_of(req, conf), hash_of(req, conf));
    }

    #[test]
    fn bal_21_header_and_cookie() {
        use HashStrategy::ClientIdOnly;
        let cookie = "a=1; UID=alice; UID=bob";
        for (rule, fields, want) in [
            ("Cookie:UID", vec![("Cookie", cookie)], &b"alice"[..]),
            ("Foo: UID", vec![("Cookie", cookie)], b"alice"),
            ("x-client-id", vec![("X-Client-Id", "bob"), ("X-Client-Id", "no")], b"bob"),
            ("Cookie:UID", vec![("Cookie", "x=1"), ("Cookie", "UID=\"q\"")], b"\"q\""),
            ("Cookie:UID", vec![("Cookie", "b a=1; ; UID=x=y ; c")], b"x=y"),
        ] {
            let req = request(&fields, Some("1.2.3.4:5"));
            assert_eq!(hash_of(&req, &conf(ClientIdOnly, rule)), hash64(want), "{rule} {fields:?}");
        }
        for cookie in ["a=1;; UID=alice", "uid=alice", ";UID=alice"] {
            assert_random(&request(&[("Cookie", cookie)], None), &conf(ClientIdOnly, "Cookie:UID"));
        }
    }

    #[test]
    fn bal_22_and_23_absent_id_is_the_address_empty_id_is_random() {
        use HashStrategy::{ClientIdOnly, ClientIdPreferred, ClientIpOnly};
        let absent = request(&[], Some("127.0.0.1:5"));
        let mapped = hash64(&"::ffff:127.0.0.1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        assert_eq!(hash_of(&absent, &conf(ClientIdPreferred, "Cookie:UID")), mapped);
        assert_random(&absent, &conf(ClientIdOnly, "Cookie:UID"));
        let empty = request(&[("Cookie", "UID=")], Some("127.0.0.1:5"));
        assert_random(&empty, &conf(ClientIdPreferred, "Cookie:UID"));
        assert_random(&request(&[], None), &conf(ClientIpOnly, ""));
    }

    #[test]
    fn bal_19_and_24_client_ip_and_uri() {
        let ip = conf(HashStrategy::ClientIpOnly, "");
        let mut req = request(&[], Some("1.2.3.4:5"));
        assert_eq!(hash_of(&req, &ip), 0xc4c5_e93d_22cc_1c5a);
        req.client_ip_mapped = false;
        assert_eq!(hash_of(&req, &ip), 0x0a00_90a9_da04_0fe3);
        assert_eq!(hash_of(&request(&[], Some("[2001:db8::1]:5")), &ip), 0x6aba_aee0_764b_f3c5);
        assert_eq!(hash_of(&req, &conf(HashStrategy::RequestUri, "")), 0x7a2a_0f68_9b39_20d9);
    }
}
