//! The `http` check: a request of its own making, of which only the status counts.

use super::{CheckError, target};
use crate::conf::cluster_conf::CheckConf;
use bfe_http::Url;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How many interim responses (1xx) may come first.
const MAX_INTERIM: usize = 5;

/// Asks `target` and tells the status of the answer. Redirects are not followed.
pub(super) async fn get(target: &str, conf: &CheckConf) -> Result<u16, CheckError> {
    let host = if conf.host.is_empty() { target } else { &conf.host };
    let uri = request_uri(&conf.uri)?;
    let host = host_field(host);
    let mut stream = target::connect(target).await?;
    let request = format!(
        "GET {uri} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\n\
         Accept: */*\r\nAccept-Encoding: gzip\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    read_status(&mut stream).await
}

/// The request target as it goes on the wire, without a fragment.
pub(super) fn request_uri(uri: &str) -> Result<String, CheckError> {
    let malformed = || CheckError::Request(uri.to_owned());
    let plain = bytes::Bytes::copy_from_slice(uri.split('#').next().unwrap_or_default().as_bytes());
    let mut url = Url::parse_request_uri(&plain).map_err(|_| malformed())?;
    if url.raw_path.iter().any(|b| *b <= b' ' || *b >= 0x7f) {
        // Not fit for the wire as it was written: encoded anew.
        url.raw_path.clear();
    }
    let out = String::from_utf8_lossy(&url.request_uri()).into_owned();
    if out.bytes().any(|b| b <= b' ') {
        return Err(malformed());
    }
    Ok(out)
}

/// The `Host` field of an `http` check: empty where the text can be none, as the original has it.
fn host_field(host: &str) -> &str {
    let is_sound = |b: u8| b.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&b) || !b.is_ascii();
    if host.bytes().all(is_sound) { host } else { "" }
}

/// Reads heads until one is no interim response.
async fn read_status(stream: &mut (impl AsyncRead + Unpin)) -> Result<u16, CheckError> {
    let mut buffer = Vec::with_capacity(1024);
    let mut interim = 0;
    loop {
        let end = read_head(stream, &mut buffer).await?;
        let head: Vec<u8> = buffer.drain(..end).collect();
        let status = status_of(&head).ok_or_else(|| malformed(&head))?;
        match status {
            100 | 102..=199 if interim < MAX_INTERIM => interim += 1,
            status => return Ok(status),
        }
    }
}

/// Reads on until the buffer has a whole head; tells where it ends.
async fn read_head(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Result<usize, CheckError> {
    loop {
        if let Some(end) = head_end(buffer) {
            return Ok(end);
        }
        if buffer.len() > MAX_HEAD || stream.read_buf(buffer).await? == 0 {
            return Err(malformed(buffer));
        }
    }
}

/// Where the first empty line ends.
fn head_end(buffer: &[u8]) -> Option<usize> {
    let mut start = 0;
    for (at, _) in buffer.iter().enumerate().filter(|(_, b)| **b == b'\n') {
        if matches!(buffer.get(start..at), Some([] | [b'\r'])) && start > 0 {
            return Some(at + 1);
        }
        start = at + 1;
    }
    None
}

/// The status of a head such as `HTTP/1.1 200 OK`. A line without a colon makes it none.
fn status_of(head: &[u8]) -> Option<u16> {
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end);
    let line = std::str::from_utf8(lines.next()?).ok()?;
    if lines.any(|line| {
        !line.is_empty() && !line.contains(&b':') && !line.starts_with(b" ") && !line.starts_with(b"\t")
    }) {
        return None;
    }
    let (version, rest) = line.split_once(' ')?;
    let digits = rest.trim_start().split(' ').next()?;
    let known = match version.as_bytes() {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    };
    (known && digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The first line of what came, cut to a length that a log can bear.
pub(super) fn malformed(got: &[u8]) -> CheckError {
    let line = got.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.get(..80).unwrap_or(line);
    CheckError::Malformed(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        for (head, want) in [
            (&b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"[..], Some((200, 25))),
            (b"HTTP/1.0 503\n\nrest", Some((503, 14))),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n", None),
            (b"\r\nHTTP/1.1 200 OK\r\n", None),
        ] {
            let end = head_end(head);
            assert_eq!(end.and_then(|end| Some((status_of(&head[..end])?, end))), want, "{head:?}");
        }
        for (good, want) in [("HTTP/2.0 204 OK\r\n\r\n", 204), ("HTTP/1.1 200 OK\r\nA:\r\n b\r\n\r\n", 200)] {
            assert_eq!(status_of(good.as_bytes()), Some(want), "{good}");
        }
        for bad in [
            "HTTP/1.1 200 OK\r\nA\r\n\r\n",
            "HTTP/11 200 OK",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 20",
            "FTP 200 OK",
            "HTTP/1.1",
        ] {
            assert_eq!(status_of(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn targets_cannot_break_out_of_their_line() {
        for (uri, want) in [
            ("/health_check", Some("/health_check")),
            ("/a b?c=d#e", Some("/a%20b?c=d")),
            ("/%41?", Some("/%41?")),
            ("/a\r\nX: y", None),
            ("/a?b c", None),
            ("/%zz", None),
        ] {
            assert_eq!(request_uri(uri).ok().as_deref(), want, "{uri:?}");
        }
        for (host, want) in
            [("a b", ""), ("a:80", "a:80"), ("a/b", ""), ("a\r\nX: y", ""), ("[::1]:80", "[::1]:80")]
        {
            assert_eq!(host_field(host), want, "{host:?}");
        }
    }
}
