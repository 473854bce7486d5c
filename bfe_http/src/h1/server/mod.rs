//! The client's side of an HTTP/1 connection: requests in, responses out.
//!
//! A connection works strictly in turn: one request is read, answered, and only then the next is looked at.
//! What the client sent early waits in the buffer (and in the kernel), so memory stays bounded: one head of
//! at most `MaxHeaderBytes` + 4096 bytes, or [`BODY_BUFFER`] of a body.

mod body;
mod head_plan;
mod respond;

pub use respond::{FlushPolicy, Origin, SendError, SendOptions, Sent};

use super::framing::{self, Framing};
use super::head::{self, HeadError};
use super::lines::{self, RawHead};
use super::stream::Stream;
use super::timer::Deadline;
use crate::{Body, BodyError, Request, Version, buffer};
use body::{BodyState, RequestBody};
use bytes::{Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// What a head may be longer than `MaxHeaderBytes`: the reference's reader has that much slack.
const HEAD_SLACK: usize = 4096;

/// Room for reading a body.
const BODY_BUFFER: usize = 64 * 1024;

/// Limits of a request head.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `MaxHeaderBytes`.
    pub max_header_bytes: usize,
    /// `MaxHeaderUriBytes`.
    pub max_uri_bytes: usize,
}

/// Why no request could be read (lifecycle 5.4).
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The client closed where a request could have begun.
    #[error("EOF")]
    Closed,
    /// The client did not send in time.
    #[error("i/o timeout")]
    Timeout,
    /// The connection was reset.
    #[error("{0}")]
    Reset(io::Error),
    /// The head is larger than allowed: 413.
    #[error("request entity too large")]
    LongHeader,
    /// The target is longer than allowed: 414.
    #[error("{0}")]
    LongTarget(HeadError),
    /// Anything else that is wrong with it: 400.
    #[error("{0}")]
    Bad(HeadError),
    /// The client closed in the middle of a head: 400.
    #[error("unexpected EOF")]
    Cut,
}

impl From<BodyError> for ReadError {
    /// Reading bytes failed before a head was complete.
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Timeout => Self::Timeout,
            BodyError::Io(e) if e.kind() == io::ErrorKind::ConnectionReset => Self::Reset(e),
            _ => Self::Closed,
        }
    }
}

impl ReadError {
    /// A head that is no request's.
    fn of_head(error: HeadError) -> Self {
        match error {
            HeadError::LongTarget(_) => Self::LongTarget(error),
            error => Self::Bad(error),
        }
    }

    /// The raw answer that the client gets, if any.
    #[must_use]
    pub const fn answer(&self) -> Option<&'static [u8]> {
        match self {
            Self::Closed | Self::Timeout | Self::Reset(_) => None,
            Self::LongHeader => Some(b"HTTP/1.1 413 Request Entity Too Large\r\n\r\n"),
            Self::LongTarget(_) => Some(b"HTTP/1.1 414 Request-URI Too Long\r\n\r\n"),
            Self::Bad(_) | Self::Cut => Some(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        }
    }
}

/// What a request expects before it sends its body (lifecycle 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing.
    None,
    /// `100-continue`, and there is a body.
    Continue,
    /// `100-continue` without a body: 400.
    ContinueWithoutBody,
    /// Anything else: 417.
    Unknown,
}

/// A client connection that speaks HTTP/1.
pub struct Connection {
    inner: Rc<RefCell<Inner>>,
    limits: Limits,
    serial: Cell<u32>,
    facts: Cell<RequestFacts>,
}

/// What of the request decides how the response is written.
#[derive(Clone, Copy)]
struct RequestFacts {
    version: Version,
    /// The version as text was exactly `HTTP/1.1`.
    plain_11: bool,
    is_head: bool,
    wants_close: bool,
    wants_keep_alive: bool,
}

impl Default for RequestFacts {
    fn default() -> Self {
        Self {
            version: Version::HTTP_11,
            plain_11: true,
            is_head: false,
            wants_close: false,
            wants_keep_alive: false,
        }
    }
}

impl RequestFacts {
    /// With what that `Connection` field says.
    fn with_connection(self, value: &[u8]) -> Self {
        Self {
            wants_close: framing::has_token(value, b"close"),
            wants_keep_alive: framing::has_token(value, b"keep-alive"),
            ..self
        }
    }
}

pub(super) struct Inner {
    stream: Stream,
    buf: BytesMut,
    /// How far `buf` has been searched for the end of a head.
    scanned: usize,
    /// When the first line of a head was there, if that was before the rest of it.
    line_seen: Option<Instant>,
    read_deadline: Deadline,
    write_deadline: Deadline,
    body: BodyState,
    /// Bytes of the current body read so far.
    body_read: u64,
    /// An interim answer to send before the body is read.
    interim: &'static [u8],
}

// === impl Connection ===

impl Connection {
    /// A connection over `stream`; `early` is what was read from it already.
    #[must_use]
    pub fn new(stream: Stream, early: BytesMut, limits: Limits) -> Self {
        let inner = Inner {
            stream,
            buf: early,
            scanned: 0,
            line_seen: None,
            read_deadline: Deadline::default(),
            write_deadline: Deadline::default(),
            body: BodyState::Done,
            body_read: 0,
            interim: b"",
        };
        Self { inner: Rc::new(RefCell::new(inner)), limits, serial: Cell::new(0), facts: Cell::default() }
    }

    /// Until when reading may take; `None` for ever.
    pub fn set_read_deadline(&self, at: Option<Instant>) {
        self.inner.borrow_mut().read_deadline.set(at);
    }

    /// Until when writing may take; `None` for ever.
    pub fn set_write_deadline(&self, at: Option<Instant>) {
        self.inner.borrow_mut().write_deadline.set(at);
    }

    /// Number of the last request, from 1; a failed read counts.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.serial.get()
    }

    /// How many bytes of the current request's body have been read.
    #[must_use]
    pub fn body_read(&self) -> u64 {
        self.inner.borrow().body_read
    }

    /// Waits until there is something of the next request. An idle connection holds no buffer meanwhile.
    ///
    /// # Errors
    /// When it does not come in time, or the connection broke.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        self.inner.borrow_mut().poll_readable(cx)
    }

    /// Reads the next request. Safe to drop between two polls: nothing read is lost.
    ///
    /// # Errors
    /// See [`ReadError`]; the connection is of no use for reading afterwards.
    pub async fn read_request(&self) -> Result<Request, ReadError> {
        let max = self.limits.max_header_bytes.saturating_add(HEAD_SLACK);
        let max_target = self.limits.max_uri_bytes;
        let read = poll_fn(|cx| self.inner.borrow_mut().poll_head(cx, max, max_target)).await;
        self.serial.set(self.serial.get().saturating_add(1));
        let (head, start, end) = match read {
            // What there is of the head may be wrong already.
            Err(ReadError::Cut) => {
                let mut head = self.inner.borrow_mut().buf.split();
                head.extend_from_slice(b"\r\n\r\n");
                return Err(
                    head::parse_request(head, max_target).map_or_else(ReadError::of_head, |_| ReadError::Cut)
                );
            }
            read => read?,
        };
        let mut req = head::parse_request(head, max_target).map_err(ReadError::of_head)?;
        req.state.serial_number = self.serial.get();
        req.state.start_time = Some(start);
        req.state.head_time = Some(end);
        let framing = framing::of_request(&mut req).map_err(|e| ReadError::Bad(e.into()))?;
        let facts = RequestFacts {
            version: req.version,
            plain_11: req.proto.as_ref() == b"HTTP/1.1",
            is_head: req.method.as_ref() == b"HEAD",
            ..RequestFacts::default()
        };
        self.facts.set(facts.with_connection(req.header.get("Connection").unwrap_or_default()));
        let mut inner = self.inner.borrow_mut();
        inner.interim = b"";
        inner.body = BodyState::new(framing);
        inner.body_read = 0;
        if framing != Framing::None {
            req.body = Body::Stream(Box::new(RequestBody::new(self.inner.clone())));
        }
        Ok(req)
    }

    /// Sorts out `Expect`. A body of a client that waits for `100 Continue` gets it when it is first read.
    pub fn expectation(&self, req: &mut Request) -> Expectation {
        let Some(expect) = req.header.get("Expect").filter(|e| !e.is_empty()) else {
            return Expectation::None;
        };
        if !framing::has_token(expect, b"100-continue") {
            return Expectation::Unknown;
        }
        if req.content_length == 0 {
            return Expectation::ContinueWithoutBody;
        }
        req.header.del("Expect");
        if req.version.is_11() {
            self.inner.borrow_mut().interim = b"HTTP/1.1 100 Continue\r\n\r\n";
        }
        Expectation::Continue
    }

    /// Sends raw bytes, such as the answer to what was no request.
    ///
    /// # Errors
    /// When the client cannot be written to in time.
    pub async fn send_raw(&self, bytes: &'static [u8]) -> io::Result<()> {
        let mut rest = Bytes::from_static(bytes);
        poll_fn(|cx| self.inner.borrow_mut().poll_write_all(cx, &mut rest)).await
    }

    /// Closes the connection: both ways at once, or, where `linger`, our side first, so that a client that
    /// is still sending gets to read the answer.
    pub async fn close(self, linger: Option<std::time::Duration>) {
        let _ = poll_fn(|cx| self.inner.borrow_mut().poll_shutdown(cx)).await;
        if let Some(linger) = linger {
            self.set_read_deadline(Some(Instant::now() + linger));
            // What still comes is dropped; a reset would overtake the answer.
            while let Ok(n) = poll_fn(|cx| self.inner.borrow_mut().poll_fill(cx, BODY_BUFFER)).await {
                if n == 0 {
                    break;
                }
                self.inner.borrow_mut().buf.clear();
            }
        }
    }

    /// Takes the connection apart for a tunnel: the stream, and what was read too far. `None` while a body
    /// still holds on to it.
    #[must_use]
    pub fn into_parts(self) -> Option<(Stream, BytesMut)> {
        let inner = Rc::try_unwrap(self.inner).ok()?.into_inner();
        Some((inner.stream, inner.buf))
    }
}

// === impl Inner ===

impl Inner {
    /// Waits for a whole head. Says also when its first line was there, and when all of it.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
        max_target: usize,
    ) -> Poll<Result<(RawHead, Instant, Instant), ReadError>> {
        loop {
            if !self.buf.is_empty() {
                let new = self.scanned;
                let found = lines::find_end(&self.buf, &mut self.scanned);
                if found.map_or(self.buf.len(), |head| head.len()) > max {
                    return Poll::Ready(Err(ReadError::LongHeader));
                }
                if let Some(head) = found {
                    self.scanned = 0;
                    let now = Instant::now();
                    let start = self.line_seen.take().unwrap_or(now);
                    return Poll::Ready(Ok((head.cut(&mut self.buf), start, now)));
                }
                if self.line_seen.is_none() && self.buf.iter().skip(new).any(|b| *b == b'\n') {
                    self.line_seen = Some(Instant::now());
                    // What begins no request is refused before the rest of it has come: it may never come.
                    head::check_request_line(&self.buf, max_target).map_err(ReadError::of_head)?;
                }
            }
            match ready!(self.poll_fill(cx, buffer::SMALL)) {
                Ok(0) if self.buf.is_empty() => return Poll::Ready(Err(ReadError::Closed)),
                Ok(0) => return Poll::Ready(Err(ReadError::Cut)),
                Ok(_) => {}
                Err(e) => return Poll::Ready(Err(e.into())),
            }
        }
    }

    /// Waits until there is something to read.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        if !self.buf.is_empty() {
            return Poll::Ready(Ok(()));
        }
        buffer::give_back(&mut self.buf);
        match self.stream.poll_readable(cx) {
            Poll::Ready(ready) => Poll::Ready(ready.map_err(|e| BodyError::from(e).into())),
            Poll::Pending => {
                ready!(self.read_deadline.poll_passed(cx));
                Poll::Ready(Err(ReadError::Timeout))
            }
        }
    }

    /// Reads more into the buffer, `room` bytes at most; 0 is the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<Result<usize, BodyError>> {
        if self.buf.capacity() - self.buf.len() < room / 4 {
            buffer::reserve(&mut self.buf, room);
        }
        match self.stream.poll_read_buf(cx, &mut self.buf) {
            Poll::Ready(read) => Poll::Ready(read.map_err(Into::into)),
            Poll::Pending => match self.read_deadline.poll_passed(cx) {
                Poll::Ready(()) => Poll::Ready(Err(BodyError::Timeout)),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    /// Writes all of `rest`.
    fn poll_write_all(&mut self, cx: &mut Context<'_>, rest: &mut Bytes) -> Poll<io::Result<()>> {
        use bytes::Buf;
        while !rest.is_empty() {
            let n = ready!(self.poll_write(cx, &[io::IoSlice::new(rest)]))?;
            rest.advance(n);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes some of the slices; an error once the write deadline has passed.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        use std::pin::Pin;
        use tokio::io::AsyncWrite;
        let stream = Pin::new(&mut self.stream);
        let written = match slices {
            [one] => stream.poll_write(cx, one),
            many => stream.poll_write_vectored(cx, many),
        };
        match written {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => match self.write_deadline.poll_passed(cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "i/o timeout"))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        use std::pin::Pin;
        use tokio::io::AsyncWrite;
        match Pin::new(&mut self.stream).poll_shutdown(cx) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => match self.write_deadline.poll_passed(cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}
