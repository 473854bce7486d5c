//! How lenient servers would read what a backend got. A request that any of them reads as two is a hole.

/// One way of reading.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// A bare CR ends a line, too. A bare LF always does.
    cr_ends_lines: bool,
    /// `Transfer-Encoding` counts wherever it says `chunked`, and whatever blanks and control bytes are about
    /// its name.
    loose_encoding: bool,
    /// `Content-Length` beats `Transfer-Encoding`.
    length_first: bool,
    /// The last `Content-Length` counts, not the first.
    last_length: bool,
    /// The last number in a `Content-Length` counts, not the first.
    last_number: bool,
}

/// The most requests that any reading finds in the bytes of a connection. One whose body is not complete
/// counts.
pub(super) fn most_requests(bytes: &[u8]) -> usize {
    let bits = 0..32u8;
    let readings = bits.map(|bits| Reading {
        cr_ends_lines: bits & 1 > 0,
        loose_encoding: bits & 2 > 0,
        length_first: bits & 4 > 0,
        last_length: bits & 8 > 0,
        last_number: bits & 16 > 0,
    });
    readings.map(|reading| count(bytes, reading)).max().unwrap_or(0)
}

fn count(mut rest: &[u8], reading: Reading) -> usize {
    let mut requests = 0;
    loop {
        // Empty lines before a request are skipped.
        while let [b'\r' | b'\n', more @ ..] = rest {
            rest = more;
        }
        if rest.is_empty() {
            return requests;
        }
        requests += 1;
        let Some((lines, body)) = head(rest, reading) else { return requests };
        let Some(after) = skip_body(&lines, body, reading) else { return requests };
        rest = after;
    }
}

/// The lines of a head, continuation lines joined, and what follows it.
fn head(mut rest: &[u8], reading: Reading) -> Option<(Vec<Vec<u8>>, &[u8])> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    loop {
        let (line, more) = line(rest, reading)?;
        rest = more;
        if line.is_empty() {
            return Some((lines, rest));
        }
        match lines.last_mut() {
            Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => last.extend_from_slice(line),
            _ => lines.push(line.to_vec()),
        }
    }
}

fn line(bytes: &[u8], reading: Reading) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|b| *b == b'\n' || reading.cr_ends_lines && *b == b'\r')?;
    let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
    if bytes[end] == b'\r' {
        return Some((line, rest.strip_prefix(b"\n").unwrap_or(rest)));
    }
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

/// What follows the body; `None` where it is not complete.
fn skip_body<'b>(lines: &[Vec<u8>], body: &'b [u8], reading: Reading) -> Option<&'b [u8]> {
    let length = content_length(lines, reading);
    let chunked = is_chunked(lines, reading);
    match length {
        Some(n) if reading.length_first || !chunked => body.get(n..),
        _ if chunked => skip_chunks(body, reading),
        _ => Some(body),
    }
}

fn fields(lines: &[Vec<u8>]) -> impl Iterator<Item = (String, String)> {
    let lines = lines.iter().skip(1).map(|line| String::from_utf8_lossy(line).into_owned());
    lines.filter_map(|line| line.split_once(':').map(|(name, value)| (name.into(), value.trim().into())))
}

fn content_length(lines: &[Vec<u8>], reading: Reading) -> Option<usize> {
    let is_length = |name: &str| {
        let name: String = name.chars().filter(char::is_ascii_graphic).collect();
        name.eq_ignore_ascii_case("content-length")
    };
    let mut values: Vec<_> = fields(lines).filter(|(name, _)| is_length(name)).map(|(_, v)| v).collect();
    let value = if reading.last_length { values.pop()? } else { values.into_iter().next()? };
    let mut numbers = value.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    if reading.last_number { numbers.next_back() } else { numbers.next() }
}

fn is_chunked(lines: &[Vec<u8>], reading: Reading) -> bool {
    fields(lines).any(|(name, value)| {
        if reading.loose_encoding {
            let name: String = name.chars().filter(char::is_ascii_graphic).collect();
            name.eq_ignore_ascii_case("transfer-encoding") && value.to_lowercase().contains("chunked")
        } else {
            name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked")
        }
    })
}

fn skip_chunks(mut rest: &[u8], reading: Reading) -> Option<&[u8]> {
    loop {
        let (size, more) = line(rest, reading)?;
        // Extensions, signs and blanks are all the same to a lenient reader.
        let text = String::from_utf8_lossy(size).into_owned();
        let digits: String = text.trim().chars().take_while(char::is_ascii_hexdigit).collect();
        let size = usize::from_str_radix(&digits, 16).unwrap_or(0);
        rest = more;
        if size == 0 {
            loop {
                let (trailer, more) = line(rest, reading)?;
                rest = more;
                if trailer.is_empty() {
                    return Some(rest);
                }
            }
        }
        rest = line(rest.get(size..)?, reading)?.1;
    }
}

#[test]
fn holes_are_found() {
    let count = |text: &str| most_requests(text.as_bytes());
    assert_eq!(count("GET / HTTP/1.1\r\nHost: ok\r\n\r\n"), 1);
    assert_eq!(count("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), 1);
    assert_eq!(count("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 1);
    for (what, hole) in [
        ("CL.TE", "POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"),
        (
            "TE.CL",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nG\r\n0\r\n\r\n",
        ),
        ("two lengths", "POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello"),
        ("blank", "POST / HTTP/1.1\r\nContent-Length : 0\r\nContent-Length: 5\r\n\r\nhello"),
        ("folded", "POST / HTTP/1.1\r\nContent-Length: 5\r\n 0\r\n\r\nhello"),
        ("bare CR", "GET / HTTP/1.1\r\nX: a\r\rGET /x HTTP/1.1\r\n\r\n"),
        ("obscure encoding", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nG"),
    ] {
        assert!(count(hole) > 1, "{what}");
    }
}
