//! Redirects that modules ask for (lifecycle 11.3).

use bfe_basic::Request;
use bfe_http::{Body, Response, status};
use bytes::Bytes;

/// The answer that redirects a client.
pub(super) fn response(req: &Request) -> Response {
    let location = location(&req.redirect.url, &req.http.url.path);
    let mut response = Response::new(req.redirect.code);
    for (name, value) in req.redirect.header.iter() {
        response.header.add(Bytes::copy_from_slice(name), Bytes::copy_from_slice(value));
    }
    response.header.set("Location", location.clone());
    response.header.set("Server", "bfe");
    if req.http.method.as_ref() == b"GET" {
        let mut body = b"<a href=\"".to_vec();
        escape_html(&location, &mut body);
        body.extend_from_slice(b"\">");
        body.extend_from_slice(status::reason(req.redirect.code).unwrap_or_default().as_bytes());
        body.extend_from_slice(b"</a>.\n\n");
        response.body = Body::Full(body.into());
    }
    response
}

/// The target as it is sent: one without a scheme is resolved against the request and cleaned.
fn location(target: &[u8], request_path: &[u8]) -> Vec<u8> {
    if !is_relative(target) {
        return target.to_vec();
    }
    let (path, query) = match memchr(target, b'?') {
        Some(at) => target.split_at(at),
        None => (target, &b""[..]),
    };
    let mut whole = Vec::new();
    if !path.starts_with(b"/") {
        // A request for `http://host` has no path at all.
        let request_path = if request_path.is_empty() { b"/" } else { request_path };
        let directory = request_path.iter().rposition(|b| *b == b'/').map_or(0, |i| i + 1);
        whole.extend_from_slice(request_path.get(..directory).unwrap_or_default());
    }
    whole.extend_from_slice(path);
    // What looks like another host is none: the path is cleaned like any other (Q33).
    let whole = match whole.strip_prefix(b"//") {
        Some(rest) => [b"/", rest].concat(),
        None => whole,
    };
    let trailing = whole.ends_with(b"/");
    let mut clean = clean_path(&whole);
    if trailing && !clean.ends_with(b"/") {
        clean.push(b'/');
    }
    clean.extend_from_slice(query);
    clean
}

/// Whether a target is well-formed and has no scheme.
fn is_relative(target: &[u8]) -> bool {
    let path_end = target.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(target.len());
    let path = target.get(..path_end).unwrap_or_default();
    if bfe_http::url::unescape(path, false).is_none() || target.iter().any(u8::is_ascii_control) {
        return false;
    }
    let first = path.split(|b| *b == b'/').next().unwrap_or_default();
    !first.contains(&b':')
}

/// Removes `.`, `..` and empty elements.
fn clean_path(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for element in path.split(|b| *b == b'/') {
        match element {
            b"" | b"." => {}
            b".." => match kept.last() {
                Some(&last) if last != b".." => {
                    kept.pop();
                }
                _ if !rooted => kept.push(element),
                _ => {}
            },
            _ => kept.push(element),
        }
    }
    let mut clean = if rooted { b"/".to_vec() } else { Vec::new() };
    clean.extend_from_slice(&kept.join(&b'/'));
    if clean.is_empty() { b".".to_vec() } else { clean }
}

fn escape_html(text: &[u8], out: &mut Vec<u8>) {
    for b in text {
        match b {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b => out.push(*b),
        }
    }
}

fn memchr(text: &[u8], byte: u8) -> Option<usize> {
    text.iter().position(|b| *b == byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn life_81_locations() {
        for (target, want) in [
            ("//host/p", "/host/p"),
            ("/a/../b/?q=//", "/b/?q=//"),
            ("rel", "/dir/sub/rel"),
            ("../up/", "/dir/up/"),
            ("", "/dir/sub/"),
            ("?q=1", "/dir/sub/?q=1"),
            ("/a//b", "/a/b"),
            ("http://h/a/../b", "http://h/a/../b"),
            ("%zz", "%zz"),
        ] {
            let got = location(target.as_bytes(), b"/dir/sub/page");
            assert_eq!(String::from_utf8(got).unwrap(), want, "{target}");
        }
    }

    #[test]
    fn life_81_a_request_without_a_path_is_for_the_root() {
        for (target, want) in [("", "/"), ("x", "/x"), ("?q", "/?q"), ("../x/", "/x/")] {
            assert_eq!(String::from_utf8(location(target.as_bytes(), b"")).unwrap(), want, "{target}");
        }
    }

    #[test]
    fn life_81_bodies_for_get_only() {
        let mut req = Request::new(Rc::default(), bfe_http::Request::new("GET", "/", "a").unwrap());
        req.redirect.code = 302;
        req.redirect.url = b"/new?a=1&b=<x>".to_vec();
        let Body::Full(body) = response(&req).body else { panic!("no body") };
        assert_eq!(body.as_ref(), b"<a href=\"/new?a=1&amp;b=&lt;x&gt;\">Found</a>.\n\n");
        req.http.method = Bytes::from_static(b"POST");
        assert!(response(&req).body.is_empty());
    }
}
