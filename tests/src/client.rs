//! A raw client connection.

use crate::response::{Parsed, Response, parse};
use crate::wait::LIMIT;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection to the proxy that sends what it is told, byte by byte.
pub struct Client {
    stream: TcpStream,
    /// What was read and not used yet.
    buf: Vec<u8>,
    ended: bool,
    /// Whether a wait that is too long is the test's to judge, and whether there was one.
    patience: Option<Duration>,
    stalled: bool,
}

impl Client {
    /// Connects.
    #[must_use]
    pub fn connect(to: SocketAddr) -> Self {
        Self::connect_from(Ipv4Addr::LOCALHOST, to)
    }

    /// Connects from that address of this machine, such as `127.0.0.2`.
    #[must_use]
    pub fn connect_from(from: Ipv4Addr, to: SocketAddr) -> Self {
        Self::try_connect(from, to).expect("connect to the proxy")
    }

    /// Connects from that address of this machine.
    ///
    /// # Errors
    /// Where there is nobody who listens.
    pub fn try_connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if from != Ipv4Addr::LOCALHOST {
            socket.bind(&SocketAddr::from((from, 0)).into())?;
        }
        socket.connect(&to.into())?;
        let stream: TcpStream = socket.into();
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self { stream, buf: Vec::new(), ended: false, patience: None, stalled: false })
    }

    /// Port of this end.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.stream.local_addr().unwrap().port()
    }

    /// From now on a wait of that time counts as the end, where it would be a panic; see
    /// [`Client::has_stalled`].
    pub fn set_patience(&mut self, time: Duration) {
        self.patience = Some(time);
        self.stream.set_read_timeout(Some(time)).unwrap();
    }

    /// Whether a wait was longer than the patience.
    #[must_use]
    pub fn has_stalled(&self) -> bool {
        self.stalled
    }

    /// Makes the receive buffer as small as the kernel allows, so that a reader that rests is felt soon.
    pub fn shrink_receive_buffer(&self) {
        SockRef::from(&self.stream).set_recv_buffer_size(1).unwrap();
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
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a request and reads the response. The method is taken from the request.
    #[track_caller]
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        let request = request.as_ref();
        let method = request.split(|b| *b == b' ').next().unwrap_or_default();
        let method = String::from_utf8_lossy(method).into_owned();
        self.send(request);
        self.read_response(&method)
    }

    /// Reads the next response, to a request of that method; an interim response is one too. Panics where
    /// the connection ends before the response does.
    #[track_caller]
    pub fn read_response(&mut self, method: &str) -> Response {
        match self.try_response(method) {
            Ok(response) => response,
            Err(part) => panic!("the connection ended in the middle of a response: {part:?}"),
        }
    }

    /// Reads the next response.
    ///
    /// # Errors
    /// What came of it, where the connection ended before it did.
    pub fn try_response(&mut self, method: &str) -> Result<Response, Response> {
        loop {
            match parse(&self.buf, method, self.ended) {
                Parsed::Whole(response, used) => {
                    self.buf.drain(..used);
                    return Ok(response);
                }
                Parsed::NeedMore(response) if self.ended => {
                    self.buf.clear();
                    return Err(response);
                }
                Parsed::NeedMore(_) => self.fill(),
            }
        }
    }

    /// Reads until these bytes have come, and gives everything up to their end.
    #[track_caller]
    pub fn read_until(&mut self, bytes: &[u8]) -> Vec<u8> {
        loop {
            if let Some(i) = crate::backend::find(&self.buf, bytes) {
                return self.buf.drain(..i + bytes.len()).collect();
            }
            assert!(!self.ended, "the connection ended after {:?}", String::from_utf8_lossy(&self.buf));
            self.fill();
        }
    }

    /// Reads all that comes until the proxy closes. A reset counts as a close.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while !self.ended {
            self.fill();
        }
        std::mem::take(&mut self.buf)
    }

    /// Panics unless the proxy closes without another byte.
    #[track_caller]
    pub fn expect_close(&mut self) {
        let rest = self.read_to_end();
        assert!(rest.is_empty(), "expected a close, got {:?}", String::from_utf8_lossy(&rest));
    }

    /// Whether nothing comes, and the connection stays open, for that long. For what must not happen; for
    /// what must, there are better ways.
    pub fn is_quiet_for(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while !self.ended && self.buf.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let mut piece = [0; 4096];
            self.stream.set_read_timeout(Some(left)).unwrap();
            let read = self.stream.read(&mut piece);
            self.stream.set_read_timeout(Some(LIMIT)).unwrap();
            match read {
                Ok(0) => self.ended = true,
                Ok(n) => self.buf.extend_from_slice(&piece[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return true,
                Err(_) => self.ended = true,
            }
        }
        false
    }

    /// Says that nothing more will be sent; reading goes on.
    pub fn half_close(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Goes away with a reset.
    pub fn reset(self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    #[track_caller]
    fn fill(&mut self) {
        let mut piece = [0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.ended = true,
            Ok(n) => self.buf.extend_from_slice(&piece[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                self.ended = true;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock && self.patience.is_some() => {
                (self.ended, self.stalled) = (true, true);
            }
            Err(e) => panic!("{e} after {:?}", String::from_utf8_lossy(&self.buf)),
        }
    }
}
