//! What the head of a response says, and how its body is framed: the decisions of lifecycle 10.2, in their
//! order.

use super::super::encode;
use super::super::framing::{decimal, has_token};
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
    /// Body bytes are swallowed: `HEAD`, 304, and 204, whose clients would take them for the next response.
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

/// Fields of the response that are not written.
#[derive(Clone, Copy, Default)]
struct LeftOut {
    connection: bool,
    content_type: bool,
    content_length: bool,
    transfer_encoding: bool,
}

impl LeftOut {
    fn covers(self, name: &[u8]) -> bool {
        match name {
            b"Connection" => self.connection,
            b"Content-Type" => self.content_type,
            b"Content-Length" => self.content_length,
            b"Transfer-Encoding" => self.transfer_encoding,
            _ => false,
        }
    }
}

/// Decides, and writes the head to `out`.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    facts: RequestFacts,
    status: u16,
    header: &Header,
    known: &Known<'_>,
) -> Plan {
    let is_11 = facts.version.is_11();
    let mut left_out = LeftOut::default();
    let mut extra_connection: Option<&'static str> = None;

    let mut connection = header.get("Connection").unwrap_or_default();
    if known.draining && facts.plain_11 {
        left_out.connection = true;
        extra_connection = Some("close");
        connection = b"close";
    }

    let given_length = header.get("Content-Length");
    let mut computed_length = None;
    if known.complete
        && status != 304
        && given_length.is_none()
        && (!facts.is_head || !known.first.is_empty())
    {
        computed_length = Some(if status == 204 { 0 } else { known.first.len() as u64 });
    }
    let mut declared = given_length.and_then(parse_length).or(computed_length);
    let knows_length = given_length.is_some() || computed_length.is_some();

    let mut close = known.body_left || !known.keep_alive_enabled || connection == b"close";
    if facts.version == crate::Version::HTTP_10 && facts.wants_keep_alive && (facts.is_head || knows_length) {
        if !header.contains("Connection") && !known.draining {
            extra_connection = Some("keep-alive");
        }
    } else if !is_11 || facts.wants_close {
        close = true;
    }

    let mut sniffed = None;
    if status == 304 {
        left_out.content_type = true;
        left_out.content_length = true;
        left_out.transfer_encoding = true;
        declared = None;
    } else if !header.contains("Content-Type") {
        sniffed = Some(sniff::content_type(known.first));
    }

    let encoding = header.get("Transfer-Encoding").filter(|e| *e != b"identity");
    if encoding.is_some() && declared.is_some() {
        left_out.content_length = true;
        computed_length = None;
        declared = None;
    }
    let mut chunked = false;
    if facts.is_head || status == 304 {
        // The framing fields stay as the backend sent them.
    } else if status == 204 || declared.is_some() {
        left_out.transfer_encoding = true;
    } else {
        left_out.transfer_encoding = true;
        if is_11 {
            chunked = true;
            left_out.content_length = true;
        } else {
            close = true;
        }
    }
    if close && !has_token(connection, b"close") {
        left_out.connection = true;
        // A 1.0 client that asked for keep-alive is told so even where the connection ends (Q27).
        extra_connection = if is_11 { Some("close") } else { extra_connection };
    }

    // A client of HTTP/0.9 gets the body alone.
    let has_head = facts.version >= crate::Version::HTTP_10;
    if has_head {
        encode::status_line(out, is_11, status);
        header.for_each_line(|name, value, line| {
            if !left_out.covers(name) {
                encode::field_or_line(out, name, value, line);
            }
        });
        if !header.contains("Date") {
            encode::field(out, b"Date", &http_date());
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
    let framing = if facts.is_head || matches!(status, 204 | 304) {
        ResponseFraming::Swallow
    } else if chunked && has_head {
        ResponseFraming::Chunked
    } else {
        ResponseFraming::Plain
    };
    Plan { framing, declared, close }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    decimal(value).or_else(|| std::str::from_utf8(value).ok()?.trim().parse().ok())
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
        let plan = write_head(&mut out, facts, status, &header, known);
        (plan, String::from_utf8(out).unwrap())
    }

    const EARLY: Known<'_> =
        Known { first: b"", complete: false, keep_alive_enabled: true, draining: false, body_left: false };
    const EMPTY: Known<'_> = Known { complete: true, ..EARLY };

    #[test]
    fn life_32_before_1_0_nothing_is_kept() {
        for (version, close) in [(Version { major: 0, minor: 9 }, true), (Version::HTTP_10, false)] {
            let facts =
                RequestFacts { version, plain_11: false, wants_keep_alive: true, ..RequestFacts::default() };
            let (plan, _) = plan(facts, 200, &[("Content-Length", "5")], &EARLY);
            assert_eq!(plan.close, close, "{version:?}");
        }
    }

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
            ("LIFE-70 204 with a body", get, 204, &[][..], Known { first: b"hello", ..EMPTY }, format!("HTTP/1.1 204 No Content\r\nDate: D\r\nContent-Length: 0\r\n{text}\r\n"), false),
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
