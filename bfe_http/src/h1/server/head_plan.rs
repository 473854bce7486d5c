//! What the head of a response says, and how its body is framed: the decisions of lifecycle 10.2, in their
//! order.

use super::super::encode;
use super::super::framing::has_token;
use super::RequestFacts;
use crate::{Header, http_date, sniff};

/// What is known when the head has to go out.
pub(super) struct Known<'a> {
    /// First bytes of the body; empty where the head goes before them.
    pub(super) first: &'a [u8],
    /// `first` is the whole body.
    pub(super) complete: bool,
    /// `KeepAliveEnabled`.
    pub(super) keep_alive_enabled: bool,
    /// The process is shutting down.
    pub(super) draining: bool,
    /// What is left of the request body makes the connection unusable.
    pub(super) body_left: bool,
}

/// How the body of a response goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseFraming {
    /// Body bytes are swallowed: `HEAD`, 304.
    Swallow,
    /// As it comes: its length is told, or ends with the connection, or the status has none.
    Plain,
    /// In chunks.
    Chunked,
}

/// What was decided.
pub(super) struct Plan {
    pub(super) framing: ResponseFraming,
    /// Length that the head announces.
    pub(super) declared: Option<u64>,
    /// The connection ends after this response.
    pub(super) close: bool,
}

/// Decides, and writes the head to `out`.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    facts: RequestFacts,
    status: u16,
    header: &mut Header,
    known: &Known<'_>,
) -> Plan {
    let is_11 = facts.version.is_11();
    let mut close = false;
    let mut computed_length = None;
    let mut extra_connection: Option<&'static str> = None;

    if known.draining && facts.plain_11 {
        header.set("Connection", "close");
    }
    let mut declared = header.get("Content-Length").and_then(parse_length);
    let has_length = header.contains("Content-Length");
    if known.complete && status != 304 && !has_length && (!facts.is_head || !known.first.is_empty()) {
        computed_length = Some(known.first.len() as u64);
        declared = computed_length;
    }
    let knows_length = has_length || computed_length.is_some();
    if !is_11 && facts.wants_keep_alive && (facts.is_head || knows_length) {
        if !header.contains("Connection") {
            extra_connection = Some("keep-alive");
        }
    } else if !is_11 || facts.wants_close {
        close = true;
    }
    let connection = header.get("Connection").unwrap_or_default();
    if connection == b"close" || !known.keep_alive_enabled || known.body_left {
        close = true;
    }

    let mut sniffed = None;
    if status == 304 {
        header.del("Content-Type");
        header.del("Content-Length");
        header.del("Transfer-Encoding");
        declared = None;
    } else if !header.contains("Content-Type") {
        sniffed = Some(sniff::content_type(known.first));
    }
    let date = (!header.contains("Date")).then(http_date);

    if let Some(encoding) = header.get("Transfer-Encoding")
        && encoding != b"identity"
        && declared.is_some()
    {
        header.del("Content-Length");
        computed_length = None;
        declared = None;
    }
    let mut chunked = false;
    if facts.is_head || status == 304 {
        // The header stays as it is.
    } else if status == 204 || declared.is_some() {
        header.del("Transfer-Encoding");
    } else if is_11 {
        chunked = true;
        header.del("Transfer-Encoding");
        header.del("Content-Length");
    } else {
        close = true;
        header.del("Transfer-Encoding");
    }
    if close && !has_token(header.get("Connection").unwrap_or_default(), b"close") {
        header.del("Connection");
        extra_connection =
            if is_11 { Some("close") } else { extra_connection.filter(|_| !known.keep_alive_enabled) };
    }

    // A client of HTTP/0.9 gets the body alone.
    if facts.version >= crate::Version::HTTP_10 {
        encode::status_line(out, is_11, status);
        header.for_each_sorted(|name, value| encode::field(out, name, value));
        if let Some(date) = date {
            encode::field(out, b"Date", &date);
        }
        if let Some(n) = computed_length {
            out.extend_from_slice(b"Content-Length: ");
            encode::push_number(out, n);
            out.extend_from_slice(b"\r\n");
        }
        if let Some(kind) = sniffed {
            encode::field(out, b"Content-Type", kind.as_bytes());
        }
        if let Some(connection) = extra_connection {
            encode::field(out, b"Connection", connection.as_bytes());
        }
        if chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
    let framing = if facts.is_head || status == 304 {
        ResponseFraming::Swallow
    } else if chunked && facts.version >= crate::Version::HTTP_10 {
        ResponseFraming::Chunked
    } else {
        ResponseFraming::Plain
    };
    Plan { framing, declared, close }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    fn plan(
        facts: RequestFacts,
        status: u16,
        fields: &[(&'static str, &'static str)],
        known: &Known<'_>,
    ) -> (Plan, String) {
        let mut header = Header::new();
        header.add("Date", "D");
        for (name, value) in fields {
            header.add(*name, *value);
        }
        let mut out = Vec::new();
        let plan = write_head(&mut out, facts, status, &mut header, known);
        (plan, String::from_utf8(out).unwrap())
    }

    const EARLY: Known<'_> =
        Known { first: b"", complete: false, keep_alive_enabled: true, draining: false, body_left: false };
    const EMPTY: Known<'_> = Known { complete: true, ..EARLY };

    #[test]
    fn life_66_to_78_heads() {
        let get = RequestFacts::default();
        let old = RequestFacts { version: Version::HTTP_10, plain_11: false, ..get };
        let old_keep = RequestFacts { wants_keep_alive: true, ..old };
        let head = RequestFacts { is_head: true, ..get };
        let closing = RequestFacts { wants_close: true, ..get };
        let text = "Content-Type: text/plain; charset=utf-8\r\n";
        let len5 = &[("Content-Length", "5"), ("Content-Type", "t")][..];
        for (id, facts, status, fields, known, want, close) in [
            ("LIFE-66", get, 200, &[][..], EARLY, format!("HTTP/1.1 200 OK\r\nDate: D\r\n{text}Transfer-Encoding: chunked\r\n\r\n"), false),
            ("LIFE-64 empty", get, 500, &[("Server", "bfe")][..], EMPTY, format!("HTTP/1.1 500 Internal Server Error\r\nDate: D\r\nServer: bfe\r\nContent-Length: 0\r\n{text}\r\n"), false),
            ("LIFE-70 304", get, 304, len5, EARLY, "HTTP/1.1 304 Not Modified\r\nDate: D\r\n\r\n".into(), false),
            ("LIFE-70 204", get, 204, &[][..], EARLY, format!("HTTP/1.1 204 No Content\r\nDate: D\r\n{text}\r\n"), false),
            ("LIFE-71", head, 200, len5, EARLY, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: t\r\nDate: D\r\n\r\n".into(), false),
            ("LIFE-71 unknown", head, 200, &[][..], EARLY, format!("HTTP/1.1 200 OK\r\nDate: D\r\n{text}\r\n"), false),
            ("LIFE-76", old_keep, 200, len5, EARLY, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nContent-Type: t\r\nDate: D\r\nConnection: keep-alive\r\n\r\n".into(), false),
            ("LIFE-76 unknown", old_keep, 200, &[][..], EARLY, format!("HTTP/1.0 200 OK\r\nDate: D\r\n{text}\r\n"), true),
            ("LIFE-77", closing, 200, len5, EARLY, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: t\r\nDate: D\r\nConnection: close\r\n\r\n".into(), true),
            ("LIFE-78", old_keep, 200, len5, Known { keep_alive_enabled: false, ..EARLY }, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nContent-Type: t\r\nDate: D\r\nConnection: keep-alive\r\n\r\n".into(), true),
        ] {
            let (plan, got) = plan(facts, status, fields, &known);
            assert_eq!(got, want, "{id}");
            assert_eq!(plan.close, close, "{id}");
        }
    }
}
