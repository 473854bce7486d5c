//! One message by HTTP/1.1, over a connection of its own. This runs on a thread that may wait.

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
/// How much of an answer is looked at: its first line.
const MAX_LINE: usize = 256;

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
pub(super) struct Target {
    is_tls: bool,
    host: String,
    port: u16,
    /// Start line and fields, but for type and length.
    head: String,
}

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
    pub(super) fn parse(url: &str, authorization: Option<&str>) -> Result<Self, &'static str> {
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
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: bfe\r\nConnection: close\r\n{authorization}"
        );
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { is_tls, host, port, head })
    }

    /// Sends a message, and waits for the answer.
    ///
    /// # Errors
    /// When there is no connection, or the answer is not one of success.
    pub(super) fn post(&self, content_type: &str, body: &[u8]) -> io::Result<()> {
        let stream = self.connect()?;
        stream.set_read_timeout(Some(TALK))?;
        stream.set_write_timeout(Some(TALK))?;
        if !self.is_tls {
            return self.talk(stream, content_type, body);
        }
        let config = TLS.as_ref().map_err(|e| io::Error::other(e.clone()))?;
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        self.talk(StreamOwned::new(connection, stream), content_type, body)
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

    fn talk(&self, mut stream: impl Read + Write, content_type: &str, body: &[u8]) -> io::Result<()> {
        let head =
            format!("{}Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", self.head, body.len());
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
        let line = line.split(|b| *b == b'\n' || *b == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line.get(..MAX_LINE).unwrap_or(line));
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
        if status.is_some_and(|status| status.starts_with('2')) {
            return Ok(());
        }
        Err(io::Error::other(format!("the answer is {line:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, want) in [
            ("http://h/p?q", Ok((false, "h", 80, "POST /p?q HTTP/1.1\r\nHost: h\r\n"))),
            ("https://h:1", Ok((true, "h", 1, "POST / HTTP/1.1\r\nHost: h:1\r\n"))),
            ("http://[::1]:9/x", Ok((false, "::1", 9, "POST /x HTTP/1.1\r\nHost: [::1]:9\r\n"))),
            ("http://h?q", Ok((false, "h", 80, "POST /?q HTTP/1.1\r\nHost: h\r\n"))),
            ("::bad/api", Err("not a URL that begins with http:// or https://")),
            ("", Err("not a URL that begins with http:// or https://")),
            ("http:///x", Err("no host in the URL")),
            ("http://u:p@h/", Err("no host in the URL")),
            ("http://h:x/", Err("the port is not a number")),
            ("http://h/\r\nX: y", Err("blanks and control characters have no place in a URL")),
        ] {
            match (Target::parse(url, None), want) {
                (Ok(target), Ok((is_tls, host, port, head))) => {
                    assert_eq!((target.is_tls, target.host.as_str(), target.port), (is_tls, host, port));
                    assert!(target.head.starts_with(head), "{}", target.head);
                }
                (got, want) => assert_eq!(got.err(), want.err(), "{url}"),
            }
        }
        assert!(Target::parse("http://h", Some("Bearer a\r\nX: y")).is_err());
        let target = Target::parse("http://h", Some("Bearer a")).unwrap();
        assert!(target.head.ends_with("\r\nAuthorization: Bearer a\r\n"));
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
            assert_eq!(target.talk(&mut peer, "a/b", b"body").is_ok(), good);
            assert!(peer.1.ends_with(b"\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\nbody"));
        }
    }
}
