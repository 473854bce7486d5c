//! How long a body is: what `Content-Length` and `Transfer-Encoding` say (lifecycle 5.3).

use crate::quote::quoted;
use crate::status::allows_body;
use crate::{Header, Request, Response, Version, canonical};

/// Why the framing of a message was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A transfer encoding that is not `chunked`.
    #[error("unsupported transfer encoding {0}")]
    TransferEncoding(String),
    /// More than one transfer encoding.
    #[error("too many transfer encodings {0}")]
    ManyTransferEncodings(String),
    /// A `Content-Length` that is not a number.
    #[error("bad Content-Length \"{0}\"")]
    ContentLength(String),
    /// Two values of `Content-Length` that differ.
    #[error("http: message cannot contain multiple Content-Length headers; got [{0}]")]
    ManyContentLengths(String),
    /// `Content-Length` together with `Transfer-Encoding`: could be read in two ways.
    #[error("Content-Length with Transfer-Encoding")]
    Both,
    /// A `HEAD` request with a body.
    #[error("http: method cannot contain a Content-Length")]
    HeadWithBody,
    /// A `Trailer` header that names a field which frames messages.
    #[error("bad trailer key {0}")]
    Trailer(String),
}

/// How the body of a message is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// That many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All that comes until the peer closes; responses only.
    UntilClose,
}

/// Finds the framing of a request and sets `content_length`. `Transfer-Encoding` and `Trailer` are taken out
/// of the header; one `Content-Length` stays, for conditions and modules to see.
///
/// Stricter than the reference where a request could be read in two ways: `Content-Length` beside
/// `Transfer-Encoding`, a second `Transfer-Encoding`, one on an HTTP/1.0 request or a `HEAD`.
///
/// # Errors
/// See [`FramingError`].
pub fn of_request(req: &mut Request) -> Result<Framing, FramingError> {
    let head = req.method.as_ref() == b"HEAD";
    if head && req.header.get("Content-Length").is_some_and(|length| length != b"0") {
        return Err(FramingError::HeadWithBody);
    }
    let length = content_length(&mut req.header)?;
    let chunked = matches!(transfer_encoding(&mut req.header, Lines::One)?, Encoding::Chunked);
    check_trailer(&mut req.header)?;
    if chunked {
        if length.is_some() || head || !req.version.is_11() {
            return Err(FramingError::Both);
        }
        req.content_length = -1;
        return Ok(Framing::Chunked);
    }
    req.has_content_length = length.is_some();
    let length = length.unwrap_or(0);
    req.content_length = i64::try_from(length).unwrap_or(i64::MAX);
    Ok(if length == 0 { Framing::None } else { Framing::Length(length) })
}

/// Finds the framing of a response to a request of that method, and sets `content_length`.
///
/// `Transfer-Encoding` is taken out of the header; `Content-Length` stays where the body has that length.
/// Says also whether the connection can be used again after the body.
///
/// # Errors
/// See [`FramingError`].
pub fn of_response(
    res: &mut Response,
    version: Version,
    method: &[u8],
) -> Result<(Framing, bool), FramingError> {
    let bodyless = method == b"HEAD" || !allows_body(res.status);
    let chunked = matches!(transfer_encoding(&mut res.header, Lines::FirstCounts)?, Encoding::Chunked);
    let length = if chunked {
        res.header.del("Content-Length");
        None
    } else {
        let length = content_length_values(&res.header)?;
        // One line is enough for the client, however many the backend sent.
        if let Some(n) = length.as_ref()
            && res.header.get_all("Content-Length").count() > 1
        {
            res.header.set("Content-Length", n.to_string());
        } else if length.is_none() && !bodyless {
            // An empty one says nothing.
            res.header.del("Content-Length");
        }
        length
    };
    check_trailer(&mut res.header)?;
    // Where chunks were announced but none can be, nobody knows what still comes.
    let keep = keep_alive(&mut res.header, version) && !(chunked && bodyless && method != b"HEAD");
    let framing = if bodyless {
        Framing::None
    } else if chunked {
        Framing::Chunked
    } else {
        length.map_or(Framing::UntilClose, Framing::Length)
    };
    res.content_length = match (framing, length) {
        (Framing::None, Some(n)) if method == b"HEAD" => i64::try_from(n).unwrap_or(i64::MAX),
        (Framing::None, _) => 0,
        (Framing::Length(n), _) => i64::try_from(n).unwrap_or(i64::MAX),
        (Framing::Chunked | Framing::UntilClose, _) => -1,
    };
    let framing = if framing == Framing::Length(0) { Framing::None } else { framing };
    Ok((framing, keep && framing != Framing::UntilClose && res.status > 199))
}

/// Whether a backend keeps the connection open. `Connection: close` of a 1.1 backend is for us alone.
fn keep_alive(header: &mut Header, version: Version) -> bool {
    let connection = header.get("Connection").unwrap_or_default();
    if !version.is_11() {
        return has_token(connection, b"keep-alive");
    }
    let close = connection.eq_ignore_ascii_case(b"close");
    if close {
        header.del("Connection");
    }
    !close
}

enum Encoding {
    None,
    Identity,
    Chunked,
}

/// How many lines a message may say its transfer encoding in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    /// The others say nothing.
    FirstCounts,
}

/// The transfer encoding by its first line; all lines are removed.
fn transfer_encoding(header: &mut Header, lines: Lines) -> Result<Encoding, FramingError> {
    let Some(first) = header.get("Transfer-Encoding") else { return Ok(Encoding::None) };
    if lines == Lines::One && header.get_all("Transfer-Encoding").nth(1).is_some() {
        return Err(FramingError::ManyTransferEncodings(all_of(header, "Transfer-Encoding")));
    }
    let mut encoding = Encoding::Identity;
    for token in first.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
        if token.eq_ignore_ascii_case(b"identity") {
            break;
        }
        if !token.eq_ignore_ascii_case(b"chunked") {
            return Err(FramingError::TransferEncoding(quoted(&token.to_ascii_lowercase())));
        }
        if matches!(encoding, Encoding::Chunked) {
            return Err(FramingError::ManyTransferEncodings(quoted(&first.to_ascii_lowercase())));
        }
        encoding = Encoding::Chunked;
    }
    header.del("Transfer-Encoding");
    Ok(encoding)
}

/// The `Content-Length` of a request; one line of it stays. An empty value counts as none.
fn content_length(header: &mut Header) -> Result<Option<u64>, FramingError> {
    let length = content_length_values(header)?;
    match length {
        None => {
            header.del("Content-Length");
        }
        Some(n) if header.get_all("Content-Length").nth(1).is_some() => {
            header.set("Content-Length", n.to_string());
        }
        Some(_) => {}
    }
    Ok(length)
}

fn content_length_values(header: &Header) -> Result<Option<u64>, FramingError> {
    let mut values = header.get_all("Content-Length");
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|v| v != first) {
        return Err(FramingError::ManyContentLengths(all_of(header, "Content-Length")));
    }
    if first.is_empty() {
        return Ok(None);
    }
    if let Some(length) = decimal(first) {
        return Ok(Some(length));
    }
    // A sign is allowed, as Go's integers have it.
    let bad = || FramingError::ContentLength(String::from_utf8_lossy(first).chars().take(40).collect());
    let text = std::str::from_utf8(first).map_err(|_| bad())?;
    let length = text.parse::<i64>().map_err(|_| bad())?;
    u64::try_from(length).map(Some).map_err(|_| bad())
}

/// A number of a few digits and nothing else, as nearly all are.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    const DIGITS: usize = 18;
    if text.is_empty() || text.len() > DIGITS {
        return None;
    }
    text.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

/// The values of a field, in quotes.
fn all_of(header: &Header, name: &str) -> String {
    header.get_all(name).map(quoted).collect::<Vec<_>>().join(" ")
}

/// `Trailer` is between us and the peer, and must not name what frames messages.
fn check_trailer(header: &mut Header) -> Result<(), FramingError> {
    for line in header.get_all("Trailer") {
        for name in line.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            let framing: [&[u8]; 3] = [b"transfer-encoding", b"trailer", b"content-length"];
            if framing.iter().any(|f| name.eq_ignore_ascii_case(f)) {
                return Err(FramingError::Trailer(quoted(&canonical(name))));
            }
        }
    }
    header.del("Trailer");
    Ok(())
}

/// Whether a comma or blank separated list holds a token, in any case.
#[must_use]
pub fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|b| matches!(b, b',' | b' ' | b'\t')).any(|t| t.eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::head::parse_request;
    use bytes::BytesMut;

    fn framing(start: &str, fields: &str) -> Result<(Framing, Request), FramingError> {
        let text = format!("{start}\r\n{}\r\n", fields.replace('|', "\r\n"));
        let mut req = parse_request(BytesMut::from(text.as_bytes()), 100).unwrap();
        of_request(&mut req).map(|f| (f, req))
    }

    #[test]
    fn life_38_and_39_framing_of_requests() {
        let post = |fields: &str| framing("POST / HTTP/1.1", fields).map(|(f, _)| f);
        assert_eq!(post("Content-Length: 5|"), Ok(Framing::Length(5)));
        assert_eq!(post("Content-Length: 5|Content-Length: 5|"), Ok(Framing::Length(5)));
        assert_eq!(post("Content-Length: +5|"), Ok(Framing::Length(5)));
        assert_eq!(post("Content-Length: -0|"), Ok(Framing::None));
        assert_eq!(post("Content-Length:|"), Ok(Framing::None));
        assert_eq!(post("Content-Length: 0|"), Ok(Framing::None));
        assert_eq!(post("Transfer-Encoding: Chunked|"), Ok(Framing::Chunked));
        assert_eq!(post("Transfer-Encoding: identity|Content-Length: 3|"), Ok(Framing::Length(3)));
        for bad in [
            "Content-Length: 5|Content-Length: 6|",
            "Content-Length: 5, 5|",
            "Content-Length: -1|",
            "Content-Length: abc|",
            "Content-Length: 0x5|",
            "Content-Length: 99999999999999999999|",
            "Transfer-Encoding: gzip, chunked|",
            "Transfer-Encoding: chunked, chunked|",
            "Transfer-Encoding: xchunked|",
            "Transfer-Encoding: chunked|Transfer-Encoding: identity|",
            "Transfer-Encoding: chunked|Content-Length: 5|",
            "Trailer: Content-Length|",
        ] {
            assert!(post(bad).is_err(), "{bad}");
        }
        assert!(framing("POST / HTTP/1.0", "Transfer-Encoding: chunked|").is_err());
        for length in ["5", "", "+0", "00"] {
            assert!(framing("HEAD / HTTP/1.1", &format!("Content-Length: {length}|")).is_err(), "{length}");
        }
        assert!(framing("HEAD / HTTP/1.1", "Content-Length: 0|").is_ok());
        let (_, req) = framing("POST / HTTP/1.1", "Content-Length: 5|Trailer: X|").unwrap();
        assert!(req.header.len() == 1 && req.has_content_length);
    }

    #[test]
    fn framing_of_responses() {
        let of = |head: &str, method: &[u8]| {
            let (mut res, version) =
                crate::h1::head::parse_response(BytesMut::from(head.as_bytes())).unwrap();
            of_response(&mut res, version, method).map(|(f, keep)| (f, keep, res.content_length))
        };
        let ok = "HTTP/1.1 200 OK\r\n";
        assert_eq!(of(&format!("{ok}Content-Length: 3\r\n\r\n"), b"GET"), Ok((Framing::Length(3), true, 3)));
        assert_eq!(of(&format!("{ok}Content-Length: 3\r\n\r\n"), b"HEAD"), Ok((Framing::None, true, 3)));
        assert_eq!(of(&format!("{ok}\r\n"), b"GET"), Ok((Framing::UntilClose, false, -1)));
        let chunked = format!("{ok}Content-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(of(&chunked, b"GET"), Ok((Framing::Chunked, true, -1)));
        assert!(!of(&format!("{ok}Connection: Close\r\nContent-Length: 1\r\n\r\n"), b"GET").unwrap().1);
        assert!(!of("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", b"GET").unwrap().1);
        assert!(of(&format!("{ok}Content-Length: abc\r\n\r\n"), b"GET").is_err());
        // The first line counts.
        let two = |first: &str, second: &str| {
            format!(
                "{ok}Transfer-Encoding: {first}\r\nTransfer-Encoding: {second}\r\nContent-Length: 3\r\n\r\n"
            )
        };
        assert_eq!(of(&two("chunked", "chunked"), b"GET"), Ok((Framing::Chunked, true, -1)));
        assert_eq!(of(&two("chunked", "identity"), b"GET"), Ok((Framing::Chunked, true, -1)));
        assert_eq!(of(&two("identity", "chunked"), b"GET"), Ok((Framing::Length(3), true, 3)));
        // What cannot have a body has none, whatever it announces; but what comes then is no answer.
        let none = "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(of(none, b"GET"), Ok((Framing::None, false, 0)));
        assert_eq!(of(none, b"HEAD"), Ok((Framing::None, true, 0)));
        for (status, kept) in [("200 OK", false), ("304 Not", true)] {
            let text = format!("HTTP/1.1 {status}\r\nContent-Length:\r\n\r\n");
            let (mut res, version) =
                crate::h1::head::parse_response(BytesMut::from(text.as_bytes())).unwrap();
            of_response(&mut res, version, b"GET").unwrap();
            assert_eq!(res.header.contains("Content-Length"), kept, "{status}");
        }
    }
}
