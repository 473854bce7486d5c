//! The request as the backend sees it (lifecycle 7).

use bfe_basic::Request;
use bfe_http::Header;
use bfe_http::h1::client::Outgoing;
use bfe_http::h1::encode::{self, OutFraming, RequestHead};
use std::sync::Arc;

/// Encodes the request for a backend into `buffer`, and takes its body.
pub(super) fn encode(
    req: &mut Request,
    addr: &Arc<str>,
    disable_host: bool,
    mut buffer: Vec<u8>,
) -> Outgoing {
    let http = &mut req.http;
    let bodyless_method = matches!(http.method.as_ref(), b"" | b"GET" | b"HEAD");
    let framing = match http.content_length {
        n if n < 0 => OutFraming::Chunked,
        0 if !http.has_content_length || bodyless_method => OutFraming::None,
        n => OutFraming::Length(n.unsigned_abs()),
    };
    buffer.clear();
    let target = encode::target(http);
    let head = RequestHead {
        method: &http.method,
        target: &target,
        // Without a host of the client's the backend sees its own address.
        host: if disable_host || http.host.is_empty() { addr.as_bytes() } else { &http.host },
        framing,
        trailers: &http.state.declared_trailers,
    };
    encode::request_head(&mut buffer, &head, &http.header, is_forwarded);
    Outgoing {
        head: buffer,
        body: std::mem::take(&mut http.body),
        chunked: framing == OutFraming::Chunked,
        is_head: http.method.as_ref() == b"HEAD",
    }
}

/// Whether a backend gets the fields of a name: not where they are between the client and us alone. Their first value
/// decides; an empty one passes (Q50), as does what `Connection` names.
pub(super) fn is_forwarded(header: &Header, name: &[u8]) -> bool {
    let hop = match name {
        b"Connection" => "Connection",
        b"Keep-Alive" => "Keep-Alive",
        b"Proxy-Authenticate" => "Proxy-Authenticate",
        b"Proxy-Authorization" => "Proxy-Authorization",
        b"Te" => "Te",
        b"Trailers" => "Trailers",
        b"Transfer-Encoding" => "Transfer-Encoding",
        b"Upgrade" => "Upgrade",
        _ => return true,
    };
    header.get(hop).is_none_or(|first| first.is_empty() || hop == "Te" && first == b"trailers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn head(
        method: &str,
        target: &str,
        fields: &[(&'static str, &'static str)],
        length: Option<i64>,
    ) -> String {
        let mut http = bfe_http::Request::new(method, target, "Ex.org:81").unwrap();
        for (name, value) in fields {
            http.header.add(*name, *value);
        }
        http.has_content_length = length.is_some_and(|n| n >= 0);
        http.content_length = length.unwrap_or(0);
        let mut req = Request::new(Rc::default(), http);
        String::from_utf8(encode(&mut req, &"1.2.3.4:80".into(), false, Vec::new()).head).unwrap()
    }

    #[test]
    fn life_46_to_51_wire_form() {
        for (id, got, want) in [
            (
                "LIFE-46",
                head("GET", "/%2f?a=%zz", &[], None),
                "GET /%2f?a=%zz HTTP/1.1\r\nHost: Ex.org:81\r\n\r\n",
            ),
            ("Q20", head("GET", "http://ok/x?y", &[], None), "GET /x?y HTTP/1.1\r\nHost: Ex.org:81\r\n\r\n"),
            ("OPTIONS *", head("OPTIONS", "*", &[], None), "OPTIONS * HTTP/1.1\r\nHost: Ex.org:81\r\n\r\n"),
            ("LIFE-33", head("", "/", &[], None), "GET / HTTP/1.1\r\nHost: Ex.org:81\r\n\r\n"),
            (
                "LIFE-49",
                head(
                    "GET",
                    "/",
                    &[
                        ("Connection", "close, X-Z"),
                        ("X-Z", "1"),
                        ("Keep-Alive", ""),
                        ("Te", "trailers"),
                        ("Upgrade", "h2c"),
                        ("Proxy-Connection", "x"),
                    ],
                    None,
                ),
                "GET / HTTP/1.1\r\nHost: Ex.org:81\r\nKeep-Alive: \r\nProxy-Connection: x\r\nTe: trailers\r\nX-Z: 1\r\n\r\n",
            ),
            (
                "LIFE-49 repeated",
                head(
                    "GET",
                    "/",
                    &[
                        ("Connection", ""),
                        ("Connection", "close"),
                        ("Keep-Alive", "x"),
                        ("Keep-Alive", ""),
                        ("Te", "trailers"),
                        ("Te", "x"),
                    ],
                    None,
                ),
                "GET / HTTP/1.1\r\nHost: Ex.org:81\r\nConnection: \r\nConnection: close\r\nTe: trailers\r\nTe: x\r\n\r\n",
            ),
            (
                "LIFE-51",
                head("POST", "/", &[], Some(0)),
                "POST / HTTP/1.1\r\nHost: Ex.org:81\r\nContent-Length: 0\r\n\r\n",
            ),
            ("LIFE-51 get", head("GET", "/", &[], Some(0)), "GET / HTTP/1.1\r\nHost: Ex.org:81\r\n\r\n"),
            (
                "get with body",
                head("GET", "/", &[], Some(3)),
                "GET / HTTP/1.1\r\nHost: Ex.org:81\r\nContent-Length: 3\r\n\r\n",
            ),
            (
                "chunked",
                head("PUT", "/", &[], Some(-1)),
                "PUT / HTTP/1.1\r\nHost: Ex.org:81\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
        ] {
            assert_eq!(got, want, "{id}");
        }
    }
}
