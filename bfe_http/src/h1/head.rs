//! Message heads: start line and header fields, from bytes to types.
//!
//! A head is parsed once, when all of it is there. Names are brought into canonical form in place, so that
//! the fields can stay ranges of the buffer.

use super::framing::decimal;
use super::lines::{Lines, RawHead};
use crate::header::{Header, canonicalize, is_value, scan_name};
use crate::quote::quoted;
use crate::url::{Url, UrlError};
use crate::{Body, Request, RequestState, Response, Version};
use bytes::BytesMut;
use std::ops::Range;

/// Most header fields in one head. The size limit of a head allows far more only if they are hardly longer
/// than their colon; nothing but an attack looks like that.
pub const MAX_FIELDS: usize = 16_384;

/// Room for the fields of most heads, and for what modules add.
const USUAL_FIELDS: usize = 24;

/// Why a head was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeadError {
    /// The start line has not the right form.
    #[error("malformed HTTP request {0}")]
    RequestLine(String),
    /// The version is not `HTTP/n.n`.
    #[error("malformed HTTP version {0}")]
    Version(String),
    /// The request target is longer than allowed; the text is part of the access log.
    #[error("exceed maxUriBytes:{0}")]
    LongTarget(usize),
    /// The request target is malformed.
    #[error("parse {target}: {reason}")]
    Target {
        /// The target, in quotes.
        target: String,
        /// What is wrong with it.
        reason: UrlError,
    },
    /// A header line without a colon, or with bytes that could be read in two ways.
    #[error("malformed MIME header line: {0}")]
    Field(String),
    /// More fields than [`MAX_FIELDS`].
    #[error("too many header fields")]
    TooManyFields,
    /// The status line of a backend is malformed.
    #[error("malformed HTTP response {0}")]
    StatusLine(String),
    /// The status of a backend is not a number.
    #[error("malformed HTTP status code {0}")]
    StatusCode(String),
    /// What frames the body is contradictory or unknown.
    #[error("{0}")]
    Framing(#[from] super::framing::FramingError),
}

/// Parses the head of a request. `max_target` is the longest target allowed, in bytes. The body is left empty:
/// [`super::framing`] tells what it is.
///
/// # Errors
/// See [`HeadError`]; each of them is a 400, but for [`HeadError::LongTarget`], which is a 414.
pub fn parse_request(head: impl Into<RawHead>, max_target: usize) -> Result<Request, HeadError> {
    let RawHead { bytes: mut head, lines } = head.into();
    let (line_len, next) = first_line(&head, lines.end_of(0, 0, &head));
    let (method_end, target_end, version) =
        parse_request_line(head.get(..line_len).unwrap_or_default(), max_target)?;
    let (header, host) = parse_fields(&mut head, &lines, (1, next), Strictness::Request)?;

    let header_size = u32::try_from(head.len()).unwrap_or(u32::MAX);
    let head = head.freeze();
    let method = head.slice(..method_end);
    let request_uri = head.slice(method_end + 1..target_end);
    let proto = head.slice(target_end + 1..line_len);
    let url = if method.as_ref() == b"CONNECT" && !request_uri.starts_with(b"/") {
        Url::parse_authority_form(&request_uri)
    } else {
        Url::parse_request_uri(&request_uri)
    };
    let url = url.map_err(|reason| HeadError::Target { target: quoted(&request_uri), reason })?;
    let host = if url.host.is_empty() { host.map(|host| head.slice(host)) } else { Some(url.host.clone()) };
    let mut header = header.with_head(head, lines.are_sound());
    fix_pragma(&mut header);
    Ok(Request {
        method,
        request_uri,
        url,
        proto,
        version,
        header,
        host: host.unwrap_or_default(),
        content_length: 0,
        has_content_length: false,
        body: Body::Empty,
        state: RequestState { header_size, ..RequestState::default() },
    })
}

/// Whether the first line of `buf`, which has come whole, begins a request.
///
/// # Errors
/// As [`parse_request`].
pub fn check_request_line(buf: &[u8], max_target: usize) -> Result<(), HeadError> {
    let (line_len, _) = first_line(buf, memchr::memchr(b'\n', buf));
    parse_request_line(buf.get(..line_len).unwrap_or_default(), max_target).map(drop)
}

/// Where method and target end, and the version.
fn parse_request_line(line: &[u8], max_target: usize) -> Result<(usize, usize, Version), HeadError> {
    let bad_line = || HeadError::RequestLine(quoted(line));
    let method_end = memchr::memchr(b' ', line).ok_or_else(bad_line)?;
    let target_len = line.get(method_end + 1..).and_then(|rest| memchr::memchr(b' ', rest));
    let target_end = method_end + 1 + target_len.ok_or_else(bad_line)?;
    if target_end - method_end - 1 > max_target {
        return Err(HeadError::LongTarget(target_end - method_end - 1));
    }
    let version_text = line.get(target_end + 1..).unwrap_or_default();
    let version = parse_version(version_text).ok_or_else(|| HeadError::Version(quoted(version_text)))?;
    // A control byte in the method could end the line early for whoever reads it next.
    if line.get(..method_end).is_some_and(|m| m.iter().any(u8::is_ascii_control)) {
        return Err(bad_line());
    }
    Ok((method_end, target_end, version))
}

/// Parses the head of a response. Says the backend's version too.
///
/// # Errors
/// See [`HeadError`].
pub fn parse_response(head: impl Into<RawHead>) -> Result<(Response, Version), HeadError> {
    let RawHead { bytes: mut head, lines } = head.into();
    let (line_len, next) = first_line(&head, lines.end_of(0, 0, &head));
    let line = head.get(..line_len).unwrap_or_default();
    let mut parts = line.splitn(3, |b| *b == b' ');
    let (Some(version_text), Some(code_text)) = (parts.next(), parts.next()) else {
        return Err(HeadError::StatusLine(quoted(line)));
    };
    let code = decimal(code_text).and_then(|code| u16::try_from(code).ok());
    let code = code.or_else(|| std::str::from_utf8(code_text).ok()?.parse().ok());
    let status = code.ok_or_else(|| HeadError::StatusCode(quoted(code_text)))?;
    let version = parse_version(version_text).ok_or_else(|| HeadError::Version(quoted(version_text)))?;
    let (header, _) = parse_fields(&mut head, &lines, (1, next), Strictness::Response)?;
    let mut response = Response::new(status);
    response.version = Some(version);
    response.header = header.with_head(head.freeze(), lines.are_sound());
    fix_pragma(&mut response.header);
    Ok((response, version))
}

/// Parses the head of a script's output: header fields without a first line.
///
/// # Errors
/// See [`HeadError`].
pub fn parse_cgi(head: impl Into<RawHead>) -> Result<Header, HeadError> {
    let RawHead { bytes: mut head, lines } = head.into();
    let (header, _) = parse_fields(&mut head, &lines, (0, 0), Strictness::Response)?;
    Ok(header.with_head(head.freeze(), lines.are_sound()))
}

/// `Pragma: no-cache` alone gains a `Cache-Control: no-cache` (lifecycle 5.2).
fn fix_pragma(header: &mut Header) {
    if header.get("Pragma") == Some(b"no-cache") && !header.contains("Cache-Control") {
        header.add("Cache-Control", "no-cache");
    }
}

/// Length of the first line, which ends at that line feed, without its end, and where the next begins.
fn first_line(head: &[u8], lf: Option<usize>) -> (usize, usize) {
    let lf = lf.unwrap_or(head.len());
    let end = if lf > 0 && head.get(lf - 1) == Some(&b'\r') { lf - 1 } else { lf };
    (end, (lf + 1).min(head.len()))
}

/// `HTTP/` and two integers with a dot between; a sign is allowed, as Go's integers have it.
#[must_use]
pub fn parse_version(text: &[u8]) -> Option<Version> {
    match text {
        b"HTTP/1.1" => return Some(Version::HTTP_11),
        b"HTTP/1.0" => return Some(Version::HTTP_10),
        _ => {}
    }
    let text = std::str::from_utf8(text.strip_prefix(b"HTTP/")?).ok()?;
    let (major, minor) = text.split_once('.')?;
    let number = |t: &str| t.parse::<u32>().ok().filter(|n| *n <= 1_000_000);
    Some(Version { major: number(major)?, minor: number(minor)? })
}

/// What is done with lines that different readers read differently.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// From clients: refused. What one proxy reads as one request, the next could read as two.
    Request,
    /// From backends: taken as the reference takes them.
    Response,
}

/// Parses the field lines from a line (its number, and where it starts) on, and brings names into canonical form. The
/// fields are ranges of `head`; of a request the first `Host` is no field, but told apart, and further ones are dropped.
fn parse_fields(
    head: &mut BytesMut,
    lines: &Lines,
    (first, mut at): (usize, usize),
    strictness: Strictness,
) -> Result<(Header, Option<Range<usize>>), HeadError> {
    let mut header = Header::with_capacity(USUAL_FIELDS);
    let mut host = None;
    let mut hosts = 0;
    for number in first.. {
        let Some(lf) = lines.end_of(number, at, head) else { break };
        let rest = head.get(at..).unwrap_or_default();
        let line = rest.get(..lf - at).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let refused = |line| Err(HeadError::Field(printable(line)));
        let mut start = at;
        if matches!(line, [b' ' | b'\t', ..]) {
            if strictness == Strictness::Request {
                return refused(line);
            }
            if let Some((value, len)) = header.last_wire_value() {
                unfold(head, value, len, at, lf);
                at = lf + 1;
                continue;
            }
            // There is nothing that the first line could go on with: it is a field all the same.
            start += leading_blanks(line);
            if start == at + line.len() {
                at = lf + 1;
                continue;
            }
        }
        let line = line.get(start - at..).unwrap_or_default();
        let Some((name_len, name)) = scan_name(line) else { return refused(line) };
        let raw_value = line.get(name_len + 1..).unwrap_or_default();
        let lead = leading_blanks(raw_value);
        let tail = raw_value.iter().rposition(|b| !blank(*b)).map_or(lead, |i| i + 1);
        if strictness == Strictness::Request
            && (name.has_blank()
                || !lines.are_sound() && !is_value(raw_value.get(lead..tail).unwrap_or_default()))
        {
            return refused(line);
        }
        at = lf + 1;
        if name_len == 0 {
            continue;
        }
        if header.len() + hosts >= MAX_FIELDS {
            return Err(HeadError::TooManyFields);
        }
        let value = start + name_len + 1 + lead;
        if name.changes()
            && let Some(name) = head.get_mut(start..start + name_len)
        {
            canonicalize(name);
        }
        let name = head.get(start..start + name_len).unwrap_or_default();
        if strictness == Strictness::Request && name == b"Host" {
            hosts += 1;
            host = host.or(Some(value..value + tail - lead));
        } else {
            header.push_wire(name, range(start, name_len), range(value, tail - lead));
        }
    }
    Ok((header, host))
}

fn leading_blanks(text: &[u8]) -> usize {
    // As nearly all values begin.
    if let [b' ', b'!'..=b'~', ..] = text {
        return 1;
    }
    text.iter().position(|b| !blank(*b)).unwrap_or(text.len())
}

/// Joins a continuation line to the value before it (where it starts, and how long it is): what lies between becomes
/// one blank.
fn unfold(head: &mut BytesMut, start: u32, value_len: &mut u32, line_start: usize, line_end: usize) {
    let line = head.get(line_start..line_end).unwrap_or_default();
    let lead = leading_blanks(line);
    let tail = line.iter().rposition(|b| !blank(*b) && *b != b'\r').map_or(lead, |i| i + 1);
    let more = line_start + lead..line_start + tail;
    let value_end = start as usize + *value_len as usize;
    if let Some(slot) = head.get_mut(value_end) {
        *slot = b' ';
    }
    let len = more.len();
    head.copy_within(more, value_end + 1);
    *value_len = u32::try_from(*value_len as usize + 1 + len).unwrap_or(*value_len);
}

const fn blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

fn range(start: usize, len: usize) -> (u32, u32) {
    // Heads are limited far below 4 GB by their size limit.
    (u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(len).unwrap_or(0))
}

/// Text of a peer for a message: short, and without control characters.
pub(super) fn printable(text: &[u8]) -> String {
    const SHOWN: usize = 120;
    let mut shown = String::from_utf8_lossy(text.get(..SHOWN).unwrap_or(text)).into_owned();
    shown.retain(|c| !c.is_control());
    shown
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
