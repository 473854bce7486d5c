//! Heads on their way out.

use crate::{Header, Request, status};
use bytes::Bytes;
use std::io::Write;

/// What a request head says apart from its header fields.
pub struct RequestHead<'a> {
    /// Method; empty means `GET`.
    pub method: &'a [u8],
    /// Target as it goes on the wire.
    pub target: &'a [u8],
    /// Value of `Host`.
    pub host: &'a [u8],
    /// How the body is framed on the wire.
    pub framing: OutFraming,
    /// Names of trailer fields that are announced, where the body is in chunks.
    pub trailers: &'a [u8],
}

/// How an outgoing body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutFraming {
    /// No field at all: there is no body.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Writes the head of a request as lifecycle 7.1 has it: `Host`, framing, then the fields sorted by name.
/// Fields for which `keep` is false are left out.
pub fn request_head(
    out: &mut Vec<u8>,
    head: &RequestHead<'_>,
    header: &Header,
    keep: impl Fn(&Header, &[u8]) -> bool,
) {
    out.extend_from_slice(if head.method.is_empty() { b"GET" } else { head.method });
    out.push(b' ');
    out.extend_from_slice(head.target);
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    push_clean(out, head.host);
    match head.framing {
        OutFraming::None => out.extend_from_slice(b"\r\n"),
        OutFraming::Length(n) => {
            out.extend_from_slice(b"\r\nContent-Length: ");
            push_number(out, n);
            out.extend_from_slice(b"\r\n");
        }
        OutFraming::Chunked => {
            out.extend_from_slice(b"\r\nTransfer-Encoding: chunked\r\n");
            if !head.trailers.is_empty() {
                field(out, b"Trailer", head.trailers);
            }
        }
    }
    header.for_each_line(|name, value, line| {
        let framing: [&[u8]; 4] = [b"Host", b"Content-Length", b"Transfer-Encoding", b"Trailer"];
        if !framing.contains(&name) && keep(header, name) {
            field_or_line(out, name, value, line);
        }
    });
    out.extend_from_slice(b"\r\n");
}

/// The target of a request towards a backend (lifecycle 7.1): the client's own bytes where no module changed
/// it, else path and query encoded anew.
#[must_use]
pub fn target(req: &Request) -> Bytes {
    if req.request_uri.starts_with(b"/") && req.is_target_unchanged() {
        return req.request_uri.clone();
    }
    if req.method.as_ref() == b"CONNECT" && req.url.path.is_empty() {
        return if req.url.host.is_empty() { req.host.clone() } else { req.url.host.clone() };
    }
    req.url.request_uri()
}

/// Writes the status line of a response, with BFE's own reason.
pub fn status_line(out: &mut Vec<u8>, http_11: bool, code: u16) {
    if http_11 && code == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(if http_11 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    // Writing to memory cannot fail.
    let _ = write!(out, "{code} {}\r\n", status::status_text(code));
}

/// Writes one field, by its line where that came as it has to go.
pub(super) fn field_or_line(out: &mut Vec<u8>, name: &[u8], value: &[u8], line: Option<&[u8]>) {
    match line {
        Some(line) => out.extend_from_slice(line),
        None => field(out, name, value),
    }
}

/// Writes one field. What could end the line early becomes a blank.
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let value = value.trim_ascii();
    let start = out.len();
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    clean(out, start);
    out.extend_from_slice(b"\r\n");
}

/// Appends a decimal number.
pub fn push_number(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Appends the line that starts a chunk of that size.
pub fn push_chunk_size(out: &mut Vec<u8>, size: usize) {
    let _ = write!(out, "{size:x}\r\n");
}

fn push_clean(out: &mut Vec<u8>, text: &[u8]) {
    let start = out.len();
    out.extend_from_slice(text);
    clean(out, start);
}

/// Makes blanks of what could end a line, from `start` on.
fn clean(out: &mut [u8], start: usize) {
    let text = out.get_mut(start..).unwrap_or_default();
    // One look at all bytes at once; hardly any text has control characters at all.
    if text.iter().fold(false, |any, b| any | (*b < b' ')) {
        for b in text {
            if matches!(b, b'\r' | b'\n' | 0) {
                *b = b' ';
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_47_order_of_fields_and_clean_values() {
        let mut header = Header::new();
        header.add("X-B", "2");
        header.add("Accept", "*/*");
        header.add("X-A", "a\r\nX-Evil: 1");
        header.add("Connection", "close");
        let mut out = Vec::new();
        let head = RequestHead {
            method: b"",
            target: b"/x?y",
            host: b"Ex.org:80",
            framing: OutFraming::Length(3),
            trailers: b"",
        };
        request_head(&mut out, &head, &header, |_, name| name != b"Connection");
        let want = "GET /x?y HTTP/1.1\r\nHost: Ex.org:80\r\nContent-Length: 3\r\n\
                    Accept: */*\r\nX-A: a  X-Evil: 1\r\nX-B: 2\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn life_69_reasons_are_our_own() {
        for (code, want) in [
            (200, "HTTP/1.1 200 OK\r\n"),
            (308, "HTTP/1.1 308 status code 308\r\n"),
            (20, "HTTP/1.1 20 status code 20\r\n"),
        ] {
            let mut out = Vec::new();
            status_line(&mut out, true, code);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
}
