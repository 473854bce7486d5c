//! Heads, from our form into that of the library and back.

use crate::h1::encode;
use crate::{Header, Request, Response, canonical};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};

/// Fields that HTTP/2 does not have; the length is said anew.
const NOT_SENT: [&[u8]; 8] = [
    b"Host",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Connection",
    b"Keep-Alive",
    b"Proxy-Connection",
    b"Upgrade",
    b"Trailer",
];

/// The head of a request; the reason where HTTP/2 cannot say it.
pub(super) fn request(
    req: &Request,
    host: &[u8],
    keep: impl Fn(&Header, &[u8]) -> bool,
) -> Result<http::Request<()>, String> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::try_from(host).map_err(|e| format!("http2: host: {e}"))?);
    let target = encode::target(req);
    let path = PathAndQuery::try_from(target.as_ref()).map_err(|e| format!("http2: target: {e}"))?;
    parts.path_and_query = Some(path);
    let method: &[u8] = if req.method.is_empty() { b"GET" } else { &req.method };
    let mut head = http::Request::new(());
    *head.method_mut() = http::Method::from_bytes(method).map_err(|e| format!("http2: method: {e}"))?;
    *head.uri_mut() = http::Uri::from_parts(parts).map_err(|e| format!("http2: {e}"))?;
    *head.version_mut() = http::Version::HTTP_2;
    *head.headers_mut() = fields(&req.header, keep)?;
    if req.content_length > 0 || (req.content_length == 0 && req.has_content_length) {
        head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(req.content_length));
    }
    Ok(head)
}

fn fields(header: &Header, keep: impl Fn(&Header, &[u8]) -> bool) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::with_capacity(header.len());
    for (name, value) in header.iter() {
        if NOT_SENT.contains(&name) || !keep(header, name) {
            continue;
        }
        let bad = |what: &str| format!("http2: invalid {what} of {:?}", String::from_utf8_lossy(name));
        let name = HeaderName::from_bytes(name).map_err(|_| bad("name"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| bad("value"))?;
        map.try_append(name, value).map_err(|_| "http2: too many header fields".to_owned())?;
    }
    Ok(map)
}

/// The head of a response.
pub(super) fn response(head: &http::response::Parts) -> Response {
    let mut response = Response::new(head.status.as_u16());
    response.header = header(&head.headers);
    response.content_length =
        head.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok()).unwrap_or(-1);
    response
}

/// Fields in our form.
pub(super) fn header(map: &HeaderMap) -> Header {
    let mut header = Header::new();
    for (name, value) in map {
        let name = canonical(name.as_str().as_bytes()).into_owned();
        header.add(name, Bytes::copy_from_slice(value.as_bytes()));
    }
    header
}

/// Whether a message is one of gRPC.
#[must_use]
pub fn is_grpc(header: &Header) -> bool {
    header.get("Content-Type").is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_h2c_heads_go_out() {
        let mut req = Request::new("POST", "/a%20b?c=d", "Ex.org:81").unwrap();
        for (name, value) in [
            ("Te", "trailers"),
            ("X-A", "1"),
            ("Connection", "close"),
            ("X-A", "2"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Type", "application/grpc+proto"),
        ] {
            req.header.add(name, value);
        }
        req.content_length = -1;
        let head = request(&req, b"Ex.org:81", |_, _| true).unwrap();
        assert_eq!(head.uri(), "http://Ex.org:81/a%20b?c=d");
        let mut got: Vec<_> =
            head.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        got.sort();
        assert_eq!(got, ["content-type: application/grpc+proto", "te: trailers", "x-a: 1", "x-a: 2"]);
        assert!(is_grpc(&req.header));
    }

    #[test]
    fn life_h2c_what_cannot_be_said_is_refused() {
        for (method, target, host, name) in
            [("A B", "/", "ok", "X-A"), ("GET", "/", "o k", "X-A"), ("GET", "/", "ok", "X A")]
        {
            let mut req = Request::new("GET", target, host).unwrap();
            req.method = Bytes::copy_from_slice(method.as_bytes());
            req.header.add(name, "1");
            assert!(request(&req, host.as_bytes(), |_, _| true).is_err(), "{method} {target} {host} {name}");
        }
    }
}
