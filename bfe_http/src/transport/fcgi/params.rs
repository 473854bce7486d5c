//! The variables that a script gets (lifecycle 20).

use super::{Asked, FcgiConf, record};
use crate::{Header, Request};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The content type of a request that names none.
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// All variables of a request, encoded. Fields for which `keep` is false make none.
pub(super) fn encode(req: &Request, asked: &Asked<'_>, keep: impl Fn(&Header, &[u8]) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let host = asked.host.unwrap_or(&req.host);
    for (name, value) in variables(req, host, asked.remote, asked.conf, keep) {
        record::push_pair(&mut out, &name, &value);
    }
    out
}

type Variables = BTreeMap<Vec<u8>, Vec<u8>>;

fn variables(
    req: &Request,
    host: &[u8],
    remote: Option<SocketAddr>,
    conf: &FcgiConf,
    keep: impl Fn(&Header, &[u8]) -> bool,
) -> Variables {
    let root = conf.root.as_bytes();
    let (ip, port) = remote.map_or_else(Default::default, |a| (a.ip().to_string(), a.port().to_string()));
    let (server_name, server_port) = host_and_port(host);
    let uri: Bytes = req.url.request_uri();
    let mut all = Variables::new();
    let fixed: [(&str, &[u8]); 20] = [
        ("GATEWAY_INTERFACE", b"CGI/1.1"),
        ("SERVER_SOFTWARE", b"BFE"),
        ("AUTH_TYPE", b""),
        // Always an empty value and the root (balance 10.3); `EnvVars` can say otherwise.
        ("PATH_INFO", &[b",", clean(root).as_slice()].concat()),
        ("QUERY_STRING", &req.url.raw_query),
        ("REMOTE_ADDR", ip.as_bytes()),
        ("REMOTE_HOST", ip.as_bytes()),
        ("REMOTE_PORT", port.as_bytes()),
        ("REMOTE_IDENT", b""),
        ("REMOTE_USER", b""),
        ("REQUEST_SCHEME", b"http"),
        ("SERVER_NAME", server_name),
        ("SERVER_PORT", server_port),
        ("SERVER_PROTOCOL", b"HTTP/1.1"),
        ("DOCUMENT_ROOT", root),
        ("DOCUMENT_URI", &req.url.path),
        ("HTTP_HOST", host),
        ("REQUEST_URI", &uri),
        ("SCRIPT_FILENAME", &join(root, &req.url.path)),
        ("SCRIPT_NAME", &req.url.path),
    ];
    for (name, value) in fixed {
        all.insert(name.as_bytes().to_vec(), value.to_vec());
    }
    for (name, value) in &conf.env_vars {
        all.insert(name.to_uppercase().into_bytes(), value.clone().into_bytes());
    }
    for (name, value) in req.header.iter().filter(|(name, _)| keep(&req.header, name)) {
        // `HTTP_PROXY` is a setting to many HTTP libraries: no client may choose it.
        if name == b"Proxy" {
            continue;
        }
        add_field(&mut all, name, value);
    }
    let method: &[u8] = if req.method.is_empty() { b"GET" } else { &req.method };
    let content_type = req.header.get("Content-Type").filter(|t| !t.is_empty()).unwrap_or(FORM);
    all.insert(b"REQUEST_METHOD".to_vec(), method.to_vec());
    all.insert(b"CONTENT_LENGTH".to_vec(), req.content_length.to_string().into_bytes());
    all.insert(b"CONTENT_TYPE".to_vec(), content_type.to_vec());
    all
}

/// Adds a field as `HTTP_NAME`; repeated ones are joined.
fn add_field(all: &mut Variables, name: &[u8], value: &[u8]) {
    let upper = |b: &u8| if *b == b'-' { b'_' } else { b.to_ascii_uppercase() };
    let variable: Vec<u8> = b"HTTP_".iter().copied().chain(name.iter().map(upper)).collect();
    match all.get_mut(&variable) {
        None => {
            all.insert(variable, value.to_vec());
        }
        Some(known) => {
            known.extend_from_slice(b", ");
            known.extend_from_slice(value);
        }
    }
}

/// Host and port of a `Host` field; no port where there is none, or where it cannot be told apart.
fn host_and_port(host: &[u8]) -> (&[u8], &[u8]) {
    let whole = (host, &b""[..]);
    let Some(colon) = host.iter().rposition(|b| *b == b':') else { return whole };
    let (name, port) = (host.get(..colon).unwrap_or_default(), host.get(colon + 1..).unwrap_or_default());
    match name.strip_prefix(b"[").and_then(|n| n.strip_suffix(b"]")) {
        Some(inner) => (inner, port),
        None if name.contains(&b':') => whole,
        None => (name, port),
    }
}

/// The file of `path` under `root`. Whatever dots a client sends, it is never one above the root.
fn join(root: &[u8], path: &[u8]) -> Vec<u8> {
    let inside = clean(&[b"/", path].concat());
    if root.is_empty() { inside } else { clean(&[root, inside.as_slice()].concat()) }
}

/// The shortest form of a path; empty stays empty.
fn clean(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return Vec::new();
    }
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => {
                parts.pop();
            }
            // Nothing is above the root.
            b".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(req: &Request, conf: &FcgiConf) -> BTreeMap<String, String> {
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        variables(req, &req.host, "1.2.3.4:567".parse().ok(), conf, |_, name| name != b"Connection")
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn bal_94_variables() {
        let mut req = Request::new("POST", "/a/../b%20c.php?x=%20", "Ex.org:81").unwrap();
        for (name, value) in [
            ("X-A", "1"),
            ("X-A", "2"),
            ("Connection", "close"),
            ("Proxy", "http://evil"),
            ("Content-Type", "text/plain"),
            ("Content-Length", "3"),
        ] {
            req.header.add(name, value);
        }
        req.content_length = 3;
        let conf = FcgiConf {
            root: "/srv/www/".into(),
            env_vars: [("app_env".to_owned(), "prod".to_owned()), ("AUTH_TYPE".into(), "x".into())].into(),
        };
        let got = of(&req, &conf);
        for (name, want) in [
            ("GATEWAY_INTERFACE", Some("CGI/1.1")),
            ("SERVER_SOFTWARE", Some("BFE")),
            ("AUTH_TYPE", Some("x")),
            ("APP_ENV", Some("prod")),
            ("CONTENT_LENGTH", Some("3")),
            ("CONTENT_TYPE", Some("text/plain")),
            ("PATH_INFO", Some(",/srv/www")),
            ("QUERY_STRING", Some("x=%20")),
            ("REMOTE_ADDR", Some("1.2.3.4")),
            ("REMOTE_HOST", Some("1.2.3.4")),
            ("REMOTE_PORT", Some("567")),
            ("REQUEST_METHOD", Some("POST")),
            ("REQUEST_SCHEME", Some("http")),
            ("SERVER_NAME", Some("Ex.org")),
            ("SERVER_PORT", Some("81")),
            ("SERVER_PROTOCOL", Some("HTTP/1.1")),
            ("DOCUMENT_ROOT", Some("/srv/www/")),
            ("DOCUMENT_URI", Some("/a/../b c.php")),
            ("SCRIPT_NAME", Some("/a/../b c.php")),
            ("SCRIPT_FILENAME", Some("/srv/www/b c.php")),
            ("REQUEST_URI", Some("/a/../b%20c.php?x=%20")),
            ("HTTP_HOST", Some("Ex.org:81")),
            ("HTTP_X_A", Some("1, 2")),
            ("HTTP_CONTENT_LENGTH", Some("3")),
            ("HTTP_CONNECTION", None),
            ("HTTP_PROXY", None),
        ] {
            assert_eq!(got.get(name).map(String::as_str), want, "{name}");
        }
    }

    #[test]
    fn bal_94_defaults() {
        let got = of(&Request::new("", "/", "[::1]").unwrap(), &FcgiConf::default());
        for (name, want) in [
            ("PATH_INFO", ","),
            ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
            ("CONTENT_LENGTH", "0"),
            ("SERVER_NAME", "[::1]"),
            ("SERVER_PORT", ""),
            ("SCRIPT_FILENAME", "/"),
            ("REQUEST_METHOD", "GET"),
        ] {
            assert_eq!(got.get(name).map(String::as_str), Some(want), "{name}");
        }
    }

    #[test]
    fn no_script_is_above_the_root() {
        for (root, path, want) in [
            ("/srv", "/../../etc/passwd", "/srv/etc/passwd"),
            ("/srv", "..", "/srv"),
            ("/srv", "/a/./b//c", "/srv/a/b/c"),
            ("srv", "/../../x", "srv/x"),
            ("../srv/", "/x", "../srv/x"),
            ("", "/../x", "/x"),
            ("/srv", "", "/srv"),
        ] {
            assert_eq!(join(root.as_bytes(), path.as_bytes()), want.as_bytes(), "{root} {path}");
        }
    }
}
