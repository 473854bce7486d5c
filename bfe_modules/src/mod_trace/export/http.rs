//! One message by HTTP, over a connection of its own. This runs on a thread that may wait.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Limits of connecting, and of each read and write.
const CONNECT: Duration = Duration::from_secs(3);
const TALK: Duration = Duration::from_secs(10);
/// How much of an answer to a message is looked at: its first line.
const MAX_LINE: usize = 256;
/// The longest answer to a question, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// TLS with the certificates that the machine trusts.
static TLS: LazyLock<Result<Arc<ClientConfig>, String>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
        .map_err(|e| e.to_string())
});

/// Where messages go.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Target {
    is_tls: bool,
    host: String,
    port: u16,
    path: String,
    /// Fields, but for type and length.
    fields: String,
}

/// A connection, in the clear or not.
trait Wire: Read + Write {}
impl<S: Read + Write> Wire for S {}

/// The host of `host:port`.
pub(super) fn host(authority: &str) -> &str {
    let end = match authority.rsplit_once(']') {
        Some((host, _)) => host.len() + 1,
        None => authority.split(':').next().unwrap_or_default().len(),
    };
    authority.get(..end).unwrap_or_default()
}

impl Target {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in super::super) fn parse(url: &str, authorization: Option<&str>) -> Result<Self, &'static str> {
        if !url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("blanks and control characters have no place in a URL");
        }
        let (is_tls, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err("not a URL that begins with http:// or https://"),
        };
        let (authority, path) = match rest.find(['/', '?']).and_then(|at| rest.split_at_checked(at)) {
            Some((authority, path)) if path.starts_with('/') => (authority, path.to_owned()),
            Some((authority, query)) => (authority, format!("/{query}")),
            None => (rest, "/".to_owned()),
        };
        let host = host(authority);
        if host.is_empty() || authority.contains('@') {
            return Err("no host in the URL");
        }
        let port = match authority.get(host.len()..).unwrap_or_default().strip_prefix(':') {
            None | Some("") => {
                if is_tls {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.parse().map_err(|_| "the port is not a number")?,
        };
        let authorization = match authorization {
            Some(value) if value.bytes().any(|b| b < 0x20 || b == 0x7f) => {
                return Err("control characters in user, password or token");
            }
            Some(value) => format!("Authorization: {value}\r\n"),
            None => String::new(),
        };
        let fields = format!("Host: {authority}\r\nUser-Agent: bfe\r\nConnection: close\r\n{authorization}");
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { is_tls, host, port, path, fields })
    }

    /// Sends a message, and waits for the answer.
    ///
    /// # Errors
    /// When there is no connection, or the answer is not one of success.
    pub(super) fn post(&self, content_type: &str, body: &[u8]) -> io::Result<()> {
        self.tell(&mut self.open()?, content_type, body)
    }

    /// Asks for a page. By HTTP/1.0, so that the answer comes in one piece.
    ///
    /// # Errors
    /// When there is no connection, the answer is not one of success, or too long.
    pub(in super::super) fn get(&self) -> io::Result<Vec<u8>> {
        self.ask(&mut self.open()?)
    }

    fn open(&self) -> io::Result<Box<dyn Wire>> {
        let stream = self.connect()?;
        stream.set_read_timeout(Some(TALK))?;
        stream.set_write_timeout(Some(TALK))?;
        if !self.is_tls {
            return Ok(Box::new(stream));
        }
        let config = TLS.as_ref().map_err(|e| io::Error::other(e.clone()))?;
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no address for the host");
        for addr in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&addr, CONNECT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn tell(&self, stream: &mut (impl Read + Write), content_type: &str, body: &[u8]) -> io::Result<()> {
        let (path, fields, length) = (&self.path, &self.fields, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\n{fields}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        stream.flush()?;
        let mut line = Vec::with_capacity(MAX_LINE);
        let mut piece = [0; MAX_LINE];
        while !line.contains(&b'\n') && line.len() < MAX_LINE {
            match stream.read(&mut piece)? {
                0 => break,
                n => line.extend_from_slice(piece.get(..n).unwrap_or_default()),
            }
        }
        check_status(&line)
    }

    fn ask(&self, stream: &mut (impl Read + Write)) -> io::Result<Vec<u8>> {
        stream.write_all(format!("GET {} HTTP/1.0\r\n{}\r\n", self.path, self.fields).as_bytes())?;
        stream.flush()?;
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        let head = loop {
            let head = memchr::memmem::find(&answer, b"\r\n\r\n").map(|end| end + 4);
            if head.is_some_and(|head| is_whole(&answer, head)) {
                break head;
            }
            match stream.read(&mut piece) {
                Ok(0) => break head,
                Ok(n) => answer.extend_from_slice(piece.get(..n).unwrap_or_default()),
                // An end without a goodbye: what is missing is missed when the answer is read.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break head,
                Err(error) => return Err(error),
            }
            if answer.len() > MAX_ANSWER {
                return Err(io::Error::other(format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
        };
        check_status(&answer)?;
        Ok(answer.split_off(head.unwrap_or(answer.len())))
    }
}

/// Whether all is there that the head, which ends at `end`, tells of.
fn is_whole(answer: &[u8], end: usize) -> bool {
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Content-Length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| answer.len() - end >= length)
}

/// Whether an answer that begins like this is one of success.
fn check_status(answer: &[u8]) -> io::Result<()> {
    let line = answer.split(|b| *b == b'\n' || *b == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.get(..MAX_LINE).unwrap_or(line));
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    if status.is_some_and(|status| status.starts_with('2')) {
        return Ok(());
    }
    Err(io::Error::other(format!("the answer is {line:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, want) in [
            ("http://h/p?q", Ok((false, "h", 80, "/p?q", "Host: h\r\n"))),
            ("https://h:1", Ok((true, "h", 1, "/", "Host: h:1\r\n"))),
            ("http://[::1]:9/x", Ok((false, "::1", 9, "/x", "Host: [::1]:9\r\n"))),
            ("http://h?q", Ok((false, "h", 80, "/?q", "Host: h\r\n"))),
            ("::bad/api", Err("not a URL that begins with http:// or https://")),
            ("", Err("not a URL that begins with http:// or https://")),
            ("http:///x", Err("no host in the URL")),
            ("http://u:p@h/", Err("no host in the URL")),
            ("http://h:x/", Err("the port is not a number")),
            ("http://h/\r\nX: y", Err("blanks and control characters have no place in a URL")),
        ] {
            match (Target::parse(url, None), want) {
                (Ok(target), Ok((is_tls, host, port, path, fields))) => {
                    assert_eq!((target.is_tls, target.host.as_str(), target.port), (is_tls, host, port));
                    assert_eq!(target.path, path);
                    assert!(target.fields.starts_with(fields), "{}", target.fields);
                }
                (got, want) => assert_eq!(got.err(), want.err(), "{url}"),
            }
        }
        assert!(Target::parse("http://h", Some("Bearer a\r\nX: y")).is_err());
        let target = Target::parse("http://h", Some("Bearer a")).unwrap();
        assert!(target.fields.ends_with("\r\nAuthorization: Bearer a\r\n"));
    }

    #[test]
    fn answers() {
        struct Peer(&'static [u8], Vec<u8>);
        impl Read for Peer {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let n = to.len().min(self.0.len()).min(7);
                to[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        impl Write for Peer {
            fn write(&mut self, from: &[u8]) -> io::Result<usize> {
                self.1.extend_from_slice(from);
                Ok(from.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let target = Target::parse("http://h", None).unwrap();
        for (answer, good) in [
            (&b"HTTP/1.1 202 Accepted\r\n\r\n"[..], true),
            (b"HTTP/1.0 200\n", true),
            (b"HTTP/1.1 503 Busy\r\n\r\n", false),
            (b"", false),
            (b"garbage", false),
            (&[b'x'; 1000], false),
        ] {
            let mut peer = Peer(answer, Vec::new());
            assert_eq!(target.tell(&mut peer, "a/b", b"body").is_ok(), good);
            assert!(peer.1.starts_with(b"POST / HTTP/1.1\r\nHost: h\r\n"));
            assert!(peer.1.ends_with(b"\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\nbody"));
            assert_eq!(target.ask(&mut Peer(answer, Vec::new())).is_ok(), good);
        }
        let mut peer = Peer(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}\n", Vec::new());
        assert_eq!(target.ask(&mut peer).unwrap(), b"{}\n");
        assert!(peer.1.starts_with(b"GET / HTTP/1.0\r\n") && peer.1.ends_with(b"\r\n\r\n"));
        // Who tells a length need not close.
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
        assert!(!is_whole(format!("{head}{{}}").as_bytes(), head.len()));
        assert!(is_whole(format!("{head}{{}}\n").as_bytes(), head.len()) && !is_whole(b"x", 1));
    }
}
