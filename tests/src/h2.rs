//! A raw HTTP/2 connection over TLS: frames that are what the test says.

use crate::tls_files;
use crate::wait::LIMIT;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A frame from the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Kind: 0 for DATA, and so on.
    pub kind: u8,
    /// Flags.
    pub flags: u8,
    /// Stream.
    pub stream: u32,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The number at the start of the payload, as in `RST_STREAM`; of `GOAWAY` the error code.
    #[must_use]
    pub fn code(&self) -> u32 {
        let at = if self.kind == 7 { 4 } else { 0 };
        self.payload.get(at..at + 4).map_or(u32::MAX, |b| u32::from_be_bytes(b.try_into().unwrap()))
    }

    /// Whether the stream ends with it.
    #[must_use]
    pub fn ends_stream(&self) -> bool {
        self.kind <= 1 && self.flags & 1 != 0
    }
}

/// Fields of a request for `path` of host `ok`.
#[must_use]
pub fn get(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "GET"), (":scheme", "https"), (":authority", "ok"), (":path", path)]
}

/// A header block without any compression.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(short @ 0..127) => out.push(short),
                _ => {
                    let rest = text.len() - 127;
                    assert!(rest < 1 << 14, "a longer text than this can write");
                    out.extend([127, (rest & 127) as u8 | 128, (rest >> 7) as u8]);
                }
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

/// A frame as bytes.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// The status that the header block of a response begins with; 0 where there is none.
#[must_use]
pub fn status(block: &[u8]) -> u16 {
    // A change of the size of the dynamic table may come first.
    let at = block.iter().position(|b| b & 0xe0 != 0x20).unwrap_or_default();
    match block.get(at..) {
        Some([indexed @ 0x88..=0x8e, ..]) => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        Some([0x08 | 0x18 | 0x48, length, digits @ ..]) => {
            let digits = &digits[..usize::from(length & 0x7f)];
            if length & 0x80 == 0 { number(digits) } else { number(&huffman_digits(digits)) }
        }
        _ => 0,
    }
}

fn number(digits: &[u8]) -> u16 {
    std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or_default()
}

/// Three digits in their code: 0 to 2 are 5 bits long, the others 6.
fn huffman_digits(coded: &[u8]) -> [u8; 3] {
    let mut bits = coded.iter().fold(0u64, |all, b| all << 8 | u64::from(*b)) << (64 - 8 * coded.len());
    [(); 3].map(|()| {
        let (digit, length) = match bits >> 59 {
            short @ 0..=2 => (short, 5),
            _ => ((bits >> 58) - 0b01_1001 + 3, 6),
        };
        bits <<= length;
        b'0' + u8::try_from(digit).unwrap()
    })
}

/// A connection to the TLS port of the proxy.
pub struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buf: Vec<u8>,
    ended: bool,
}

impl TlsClient {
    /// Connects, and offers those protocols by ALPN.
    #[must_use]
    pub fn connect(to: SocketAddr, alpn: &[&str]) -> Self {
        let (certificate, _) = tls_files::certificate();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self::connect_as(to, Arc::new(config))
    }

    /// Connects with settings of its own.
    #[must_use]
    pub fn connect_as(to: SocketAddr, config: Arc<ClientConfig>) -> Self {
        let tls = ClientConnection::new(config, ServerName::try_from("ok").unwrap()).unwrap();
        let tcp = TcpStream::connect(to).expect("connect to the proxy");
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(LIMIT)).unwrap();
        tcp.set_write_timeout(Some(LIMIT)).unwrap();
        Self { stream: StreamOwned::new(tls, tcp), buf: Vec::new(), ended: false }
    }

    /// What TLS knows of the connection.
    #[must_use]
    pub fn tls(&self) -> &ClientConnection {
        &self.stream.conn
    }

    /// Connects for HTTP/2, sends preface and settings, and acknowledges those of the proxy.
    #[must_use]
    pub fn h2(to: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::connect(to, &["h2"]);
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut payload = Vec::new();
        for (id, value) in settings {
            payload.extend(id.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        client.send(frame(4, 0, 0, &payload));
        assert_eq!(client.frame().map(|f| f.kind), Some(4), "SETTINGS come first");
        client.send(frame(4, 1, 0, &[]));
        client
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("send to the proxy");
    }

    /// Sends bytes; the proxy may have closed already.
    ///
    /// # Errors
    /// Where they could not be sent.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Opens a stream that ends at once.
    pub fn request(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.send(frame(1, 5, stream, &block(fields)));
    }

    /// The next frame; `None` where the connection ended.
    #[track_caller]
    pub fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(head) = self.buf.first_chunk::<9>() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                if self.buf.len() >= 9 + length {
                    let whole: Vec<u8> = self.buf.drain(..9 + length).collect();
                    let stream = u32::from_be_bytes([whole[5], whole[6], whole[7], whole[8]]);
                    return Some(Frame {
                        kind: whole[3],
                        flags: whole[4],
                        stream,
                        payload: whole[9..].to_vec(),
                    });
                }
            }
            if self.ended {
                return None;
            }
            self.fill();
        }
    }

    /// Reads frames until one of them is what is looked for; all before it are lost.
    #[track_caller]
    pub fn find(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> Option<Frame> {
        while let Some(frame) = self.frame() {
            if wanted(&frame) {
                return Some(frame);
            }
        }
        None
    }

    /// Reads the answer on a stream: whether it begins with `:status` 200, and its body. `None` where the
    /// stream was reset, or the connection ended.
    #[track_caller]
    pub fn answer(&mut self, stream: u32) -> Option<(bool, Vec<u8>)> {
        let (mut ok, mut body) = (false, Vec::new());
        loop {
            let frame = self.find(|f| f.stream == stream)?;
            match frame.kind {
                0 => body.extend_from_slice(&frame.payload),
                1 => ok = status(&frame.payload) == 200,
                3 => return None,
                _ => {}
            }
            if frame.ends_stream() {
                return Some((ok, body));
            }
        }
    }

    /// Takes what has come already, without waiting for more; false once the connection has ended.
    pub fn take_in(&mut self) -> bool {
        self.stream.sock.set_nonblocking(true).unwrap();
        let mut piece = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    self.buf.extend_from_slice(&piece[..n]);
                    continue;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.ended = true,
            }
            self.stream.sock.set_nonblocking(false).unwrap();
            return !self.ended;
        }
    }

    /// Reads all that comes until the proxy closes.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while !self.ended {
            self.fill();
        }
        std::mem::take(&mut self.buf)
    }

    /// Shakes hands, if that has not been done, and gives the protocol that the proxy chose.
    #[track_caller]
    pub fn alpn(&mut self) -> Option<&[u8]> {
        while self.stream.conn.is_handshaking() {
            self.stream.conn.complete_io(&mut self.stream.sock).expect("a handshake");
        }
        self.stream.conn.alpn_protocol()
    }

    /// Reads until so many bytes have come, and gives them; `None` where the connection ended before.
    #[track_caller]
    pub fn try_exact(&mut self, n: usize) -> Option<Vec<u8>> {
        while self.buf.len() < n {
            if self.ended {
                return None;
            }
            self.fill();
        }
        Some(self.buf.drain(..n).collect())
    }

    /// Reads until so many bytes have come, and gives them.
    #[track_caller]
    pub fn read_exact(&mut self, n: usize) -> Vec<u8> {
        while self.buf.len() < n {
            assert!(!self.ended, "the connection ended after {:?}", String::from_utf8_lossy(&self.buf));
            self.fill();
        }
        self.buf.drain(..n).collect()
    }

    /// Reads until these bytes have come, and gives everything up to their end.
    #[track_caller]
    pub fn read_until(&mut self, bytes: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = crate::backend::find(&self.buf, bytes) {
                return self.buf.drain(..at + bytes.len()).collect();
            }
            assert!(!self.ended, "the connection ended after {:?}", String::from_utf8_lossy(&self.buf));
            self.fill();
        }
    }

    /// Says that nothing more will be sent; reading goes on.
    pub fn end(&mut self) {
        self.stream.conn.send_close_notify();
        let _ = self.stream.flush();
    }

    #[track_caller]
    fn fill(&mut self) {
        let mut piece = [0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.ended = true,
            Ok(n) => self.buf.extend_from_slice(&piece[..n]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("{e}"),
            // A reset, or an end without a word.
            Err(_) => self.ended = true,
        }
    }
}
