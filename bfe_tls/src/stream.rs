//! The byte stream of a connection: below TLS, and above it.

use bfe_http::h1::BufferedIo;
use bytes::BytesMut;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufRead as _, AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

/// Plaintext of a small record, in bytes.
const SMALL: usize = 1024;
/// Plaintext of a large record, in bytes.
const LARGE: usize = 16_384;
/// With `DynamicRecord`, records are small until so much has been sent without a pause.
const GROW_AFTER: usize = 1 << 20;
/// And again after a pause of this length.
const PAUSE: Duration = Duration::from_secs(1);
/// How much of the first record out is looked at: header, kind, length, version, random.
const TAP: usize = 5 + 4 + 2 + 32;

/// What is below TLS: gives back what was read too early, and looks at the first record out.
pub(crate) struct Tapped<S> {
    stream: S,
    early: BytesMut,
    out: [u8; TAP],
    out_len: usize,
}

impl<S> Tapped<S> {
    pub(crate) fn new(stream: S, early: BytesMut) -> Self {
        Self { stream, early, out: [0; TAP], out_len: 0 }
    }

    /// The server's random, once a hello has been sent.
    pub(crate) fn server_random(&self) -> Option<[u8; 32]> {
        let (head, random) = self.out.split_at_checked(TAP - 32)?;
        let is_hello = self.out_len == TAP && head.first() == Some(&22) && head.get(5) == Some(&2);
        if is_hello { random.first_chunk().copied() } else { None }
    }

    /// Lets go of memory that is not needed after the handshake.
    pub(crate) fn settle(&mut self) {
        if self.early.is_empty() {
            self.early = BytesMut::new();
        }
    }

    fn tap(&mut self, data: &[u8]) {
        if let Some(room) = self.out.get_mut(self.out_len..) {
            for (to, from) in room.iter_mut().zip(data) {
                *to = *from;
                self.out_len += 1;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.early.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let n = this.early.len().min(buf.remaining());
        buf.put_slice(&this.early.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, data))?;
        if this.out_len < TAP {
            this.tap(data.get(..written).unwrap_or(data));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, slices))?;
        let mut left = written;
        for slice in slices {
            if this.out_len >= TAP || left == 0 {
                break;
            }
            let n = left.min(slice.len());
            this.tap(slice.get(..n).unwrap_or_default());
            left -= n;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// What is above TLS: the stream of a client that has shaken hands.
///
/// A write is done once its records are with the kernel, as on a plain socket; whoever is told to wait must
/// come again with the same data. The end of the connection without a word counts as its end (tls 7.5).
pub struct ClientStream<S> {
    tls: TlsStream<Tapped<S>>,
    /// Bytes that TLS has taken from the last write, but not yet passed on.
    owed: usize,
    /// Size of records, where it follows the flow of data.
    records: Option<Records>,
}

/// `DynamicRecord` (tls 7.4).
struct Records {
    sent: usize,
    last: Instant,
}

impl Records {
    /// How much the next record may hold.
    fn limit(&mut self) -> usize {
        let now = Instant::now();
        if now.duration_since(self.last) >= PAUSE {
            self.sent = 0;
        }
        self.last = now;
        if self.sent < GROW_AFTER { SMALL } else { LARGE }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientStream<S> {
    pub(crate) fn new(tls: TlsStream<Tapped<S>>, dynamic_record: bool) -> Self {
        let records = dynamic_record.then(|| Records { sent: 0, last: Instant::now() });
        Self { tls, owed: 0, records }
    }

    /// Passes on what TLS has taken.
    fn poll_owed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.tls).poll_flush(cx))?;
        let owed = std::mem::take(&mut self.owed);
        if let Some(records) = &mut self.records {
            records.sent = records.sent.saturating_add(owed);
        }
        Poll::Ready(Ok(owed))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> BufferedIo for ClientStream<S> {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.tls).poll_fill_buf(cx)) {
            Ok(_) => Poll::Ready(Ok(())),
            Err(e) => Poll::Ready(end_is_no_error(e)),
        }
    }
}

fn end_is_no_error(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::UnexpectedEof { Ok(()) } else { Err(error) }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.get_mut().tls).poll_read(cx, buf)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(e) => Poll::Ready(end_is_no_error(e)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.owed == 0 {
            let limit = this.records.as_mut().map(Records::limit);
            let tls = Pin::new(&mut this.tls);
            let first = slices.iter().find(|s| !s.is_empty());
            this.owed = match (limit, first) {
                (_, None) => return Poll::Ready(Ok(0)),
                // One record a write.
                (Some(limit), Some(data)) => ready!(tls.poll_write(cx, data.get(..limit).unwrap_or(data)))?,
                (None, Some(_)) if slices.len() > 1 => ready!(tls.poll_write_vectored(cx, slices))?,
                (None, Some(data)) => ready!(tls.poll_write(cx, data))?,
            };
        }
        this.poll_owed(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tls).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tls).poll_shutdown(cx)
    }
}
