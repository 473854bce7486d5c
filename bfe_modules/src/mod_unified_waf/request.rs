//! The request that is looked at, as a firewall gets it.

use bfe_basic::{BodyPeek, Request};
use bfe_http::{Header, Version, is_token};
use bfe_module::delay::Delay;
use bytes::Bytes;
use std::io::Write as _;
use std::time::Instant;

/// Fields that are written by themselves, or not at all.
const WRITTEN: [&[u8]; 4] = [b"Host", b"Transfer-Encoding", b"Trailer", b"Content-Length"];

/// A request, with as much of its body as the firewall gets.
#[derive(Debug)]
pub(super) struct Inspected {
    method: Bytes,
    target: Bytes,
    version: Version,
    pub(super) host: Bytes,
    header: Header,
    chunked: bool,
    body: Bytes,
}

impl Inspected {
    /// Takes it from a request, of whose body it reads at most so many bytes ahead; `None` where the firewall could
    /// make no request of it. The request keeps all of its body.
    pub(super) async fn of(req: &mut Request, body_bytes: u64, peek_time: &Delay) -> Option<Self> {
        if !req.http.method.is_empty() && !is_token(&req.http.method) {
            return None;
        }
        let body = body(req, body_bytes, peek_time).await;
        let http = &req.http;
        let is_framed_by_http1 = !req.session.proto.get().is_multiplexed();
        Some(Self {
            method: http.method.clone(),
            target: http.request_uri.clone(),
            version: http.version,
            host: http.host.clone(),
            header: http.header.clone(),
            chunked: http.content_length < 0 && is_framed_by_http1,
            body,
        })
    }

    /// The request in the form of HTTP/1: its first line, `Host`, `Transfer-Encoding`, the fields sorted by name, and
    /// the body.
    pub(super) fn wire(&self) -> Bytes {
        let mut out = Vec::with_capacity(512 + self.body.len());
        out.extend_from_slice(if self.method.is_empty() { b"GET" } else { &self.method });
        out.push(b' ');
        out.extend_from_slice(&self.target);
        // Writing to memory cannot fail.
        let _ = write!(out, " HTTP/{}.{}\r\n", self.version.major, self.version.minor);
        let names_host = self.target.starts_with(b"http://") || self.target.starts_with(b"https://");
        if !names_host && !self.host.is_empty() {
            line(&mut out, b"Host", &self.host);
        }
        if self.chunked {
            line(&mut out, b"Transfer-Encoding", b"chunked");
        }
        let mut fields: Vec<_> = self.header.iter().filter(|(name, _)| !WRITTEN.contains(name)).collect();
        let length = self.body.len().to_string();
        fields.push((b"Content-Length", length.as_bytes()));
        fields.sort_by_key(|(name, _)| *name);
        for (name, value) in fields.into_iter().filter(|(name, _)| is_token(name)) {
            line(&mut out, name, value);
        }
        out.extend_from_slice(b"\r\n");
        if self.chunked {
            // What is in chunks is not read ahead.
            out.extend_from_slice(b"0\r\n\r\n");
        } else {
            out.extend_from_slice(&self.body);
        }
        out.into()
    }
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// The start of the body, of methods that have one and whose length is known.
async fn body(req: &mut Request, most: u64, peek_time: &Delay) -> Bytes {
    let Ok(length) = u64::try_from(req.http.content_length) else { return Bytes::new() };
    let wanted = usize::try_from(length.min(most)).unwrap_or(usize::MAX);
    if wanted == 0 || !matches!(req.http.method.as_ref(), b"POST" | b"PUT" | b"PATCH") {
        return Bytes::new();
    }
    let begin = Instant::now();
    let start = match &req.body_peek {
        BodyPeek::Read(start) => start.slice(..start.len().min(wanted)),
        BodyPeek::Failed => Bytes::new(),
        BodyPeek::Unread => req.http.body.peek(wanted).await.unwrap_or_else(|error| {
            log::info!("mod_unified_waf: body cannot be read: {error}");
            Bytes::new()
        }),
    };
    peek_time.add(begin.elapsed());
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use bfe_basic::Proto;
    use bfe_http::Body;

    async fn wire(req: &mut Request, most: u64) -> String {
        let delay = Delay::new("x", 20, 1, 20);
        let inspected = Inspected::of(req, most, &delay).await.unwrap();
        String::from_utf8(inspected.wire().to_vec()).unwrap()
    }

    fn post(body: &'static str) -> Request {
        let mut req = testing::request("POST", "/a?b=c");
        req.http.body = Body::Full(body.into());
        req.http.content_length = body.len().try_into().unwrap();
        req
    }

    #[tokio::test]
    async fn uwaf_2_the_form_of_a_request() {
        let mut req = testing::request("GET", "/a%20b?c=d");
        for (name, value) in
            [("X-B", "2"), ("Accept", "x"), ("X-B", "1"), ("Trailer", "t"), ("bad name", "z")]
        {
            req.http.header.add(name, value);
        }
        assert_eq!(
            wire(&mut req, 100).await,
            "GET /a%20b?c=d HTTP/1.1\r\nHost: example.org\r\nAccept: x\r\nContent-Length: 0\r\nX-B: 2\r\nX-B: 1\r\n\r\n"
        );
        req.http.content_length = -1;
        req.http.request_uri = "http://other/x".into();
        let text = wire(&mut req, 100).await;
        assert!(
            text.starts_with("GET http://other/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nAccept: x\r\n")
        );
        assert!(text.ends_with("\r\n\r\n0\r\n\r\n"), "{text}");
        req.session.proto.set(Proto::H2);
        assert!(!wire(&mut req, 100).await.contains("chunked"));
        req.http.method = "A B".into();
        assert!(Inspected::of(&mut req, 1, &Delay::new("x", 20, 1, 20)).await.is_none());
    }

    #[tokio::test]
    async fn uwaf_7_bodies_are_cut_and_stay() {
        let delay = Delay::new("x", 20, 1, 20);
        for (most, want) in [(0, ""), (3, "abc"), (100, "abcdef")] {
            let mut req = post("abcdef");
            assert_eq!(body(&mut req, most, &delay).await, want);
            assert_eq!(req.http.body.peek(100).await.unwrap(), "abcdef");
            assert!(
                wire(&mut req, most)
                    .await
                    .ends_with(&format!("Content-Length: {}\r\n\r\n{want}", want.len()))
            );
        }
        let mut seen = post("");
        seen.http.content_length = 6;
        seen.body_peek = BodyPeek::Read("abcdef".into());
        assert_eq!(body(&mut seen, 2, &delay).await, "ab");
        for method in ["GET", "DELETE", "post"] {
            let mut other = post("abcdef");
            other.http.method = method.into();
            assert_eq!(body(&mut other, 100, &delay).await, "", "{method}");
        }
        let mut chunked = post("abcdef");
        chunked.http.content_length = -1;
        assert_eq!(body(&mut chunked, 100, &delay).await, "");
    }
}
