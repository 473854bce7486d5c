//! The byte streams under a connection.

use bytes::BytesMut;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Any byte stream that can carry a connection, such as TLS.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// A byte stream that can tell when there is something to read: one that keeps what it has read too far.
pub trait BufferedIo: Io {
    /// Waits until there is something to read, without needing a buffer for it.
    ///
    /// # Errors
    /// When the stream broke.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A byte stream: plain TCP without indirection, or anything else behind it.
pub enum Stream {
    /// A plain TCP connection.
    Tcp(TcpStream),
    /// TLS.
    Tls(Box<dyn BufferedIo + Send>),
    /// Any other stream.
    Other(Box<dyn Io + Send>),
}

impl Stream {
    /// Reads what there is into `buf`, at most its spare capacity; 0 is the end.
    pub fn poll_read_buf(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => tokio_util::io::poll_read_buf(Pin::new(tcp), cx, buf),
            Self::Tls(tls) => tokio_util::io::poll_read_buf(Pin::new(tls), cx, buf),
            Self::Other(other) => tokio_util::io::poll_read_buf(Pin::new(other), cx, buf),
        }
    }

    /// Waits until there is something to read, without needing a buffer for it. Streams that cannot tell
    /// are ready at once.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_read_ready(cx),
            Self::Tls(tls) => tls.poll_readable(cx),
            Self::Other(_) => Poll::Ready(Ok(())),
        }
    }

    /// Moves an idle connection to the calling thread's runtime. `None`, and it is closed, where it is not
    /// plain TCP, or is no longer open and silent.
    pub(crate) fn move_here(self) -> Option<Self> {
        let Self::Tcp(tcp) = self else { return None };
        let tcp = tcp.into_std().ok()?;
        // This runtime has seen no event of it yet, so the kernel is asked.
        match tcp.peek(&mut [0u8; 1]) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => TcpStream::from_std(tcp).ok().map(Self::Tcp),
            _ => None,
        }
    }

    /// Whether an idle connection has stayed as it should: still open, and silent.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0u8; 1];
        match self {
            // Without an event since the last read this asks the kernel nothing.
            Self::Tcp(tcp) => {
                matches!(tcp.try_read(&mut byte), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
            }
            Self::Tls(tls) => {
                let mut cx = Context::from_waker(Waker::noop());
                tls.poll_readable(&mut cx).is_pending()
            }
            Self::Other(other) => {
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(other).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            Self::Other(other) => Pin::new(other).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, data),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, data),
            Self::Other(other) => Pin::new(other).poll_write(cx, data),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
            Self::Other(other) => Pin::new(other).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
            Self::Other(other) => other.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Self::Other(other) => Pin::new(other).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Other(other) => Pin::new(other).poll_shutdown(cx),
        }
    }
}
