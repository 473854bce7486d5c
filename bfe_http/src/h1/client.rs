//! The backend's side of HTTP/1: a request out, a response in.
//!
//! A response is accepted while its request is still being sent; what is left of the request then goes out
//! while the response body is read. The connection returns to its pool when both are through.

use super::chunked::{Decoded, Decoder};
use super::framing::{self, Framing};
use super::lines::{self, RawHead};
use super::splice::SocketBody;
use super::stream::Stream;
use super::timer::Deadline;
use super::{encode, head};
use crate::transport::{PooledConn, TransportError};
use crate::{Body, BodyError, BodyStream, Response, Version, buffer};
use bytes::{Buf, Bytes, BytesMut};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;

/// Largest head of a response.
const MAX_HEAD: usize = 1024 * 1024;
/// Room for reading a body, which is what a response takes whose client is slow. With a quarter of it each byte
/// costs a third more processor time.
const BODY_BUFFER: usize = 256 * 1024;
/// Pieces of a request body up to this size are copied behind the head; larger ones go out beside it.
const COPIED: usize = 16 * 1024;

/// The connection is not there any more.
#[derive(Debug)]
pub(crate) struct Closed;

/// A connection to a backend.
pub(crate) struct BackendConn {
    stream: Stream,
    buf: BytesMut,
    scanned: usize,
    head_deadline: Deadline,
}

impl BackendConn {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, buf: BytesMut::new(), scanned: 0, head_deadline: Deadline::default() }
    }

    /// Gives the buffer up, once nothing refers to what was read into it.
    pub(crate) fn rest(&mut self) {
        if self.buf.is_empty() {
            buffer::give_back(&mut self.buf);
        }
    }

    /// Whether an idle connection is still open and silent.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.buf.is_empty() && self.stream.is_quiet()
    }

    /// Whether it can serve another worker than the one that made it.
    pub(crate) fn can_move(&self) -> bool {
        matches!(self.stream, Stream::Tcp(_))
    }

    /// An idle connection of another worker, for the calling one: its events come to this thread from now on.
    /// `None` where it is no longer open and silent.
    pub(crate) fn move_here(self) -> Option<Self> {
        if !self.buf.is_empty() {
            return None;
        }
        // Timers belong to the runtime that made them, so nothing but the stream moves.
        Some(Self::new(self.stream.move_here()?))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        if self.buf.capacity() - self.buf.len() < room / 4 {
            buffer::reserve(&mut self.buf, room);
        }
        self.stream.poll_read_buf(cx, &mut self.buf)
    }
}

/// A request on its way to a backend.
struct Sender {
    out: Vec<u8>,
    done: usize,
    piece: Bytes,
    body: Body,
    chunked: bool,
    /// The body has been read to its end.
    body_read: bool,
}

/// Why a request could not be sent.
enum SendFailure {
    Write(io::Error),
    Body(BodyError),
}

impl Sender {
    fn new(head: Vec<u8>, body: Body, chunked: bool) -> Self {
        let body_read = body.is_empty() && !chunked;
        Self { out: head, done: 0, piece: Bytes::new(), body, chunked, body_read }
    }

    fn poll_send(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), SendFailure>> {
        loop {
            // Small pieces are gathered before anything is written.
            while !self.body_read && self.piece.is_empty() && self.out.len() < COPIED {
                match self.body.poll_data(cx) {
                    Poll::Pending => break,
                    Poll::Ready(None) => {
                        self.body_read = true;
                        if self.chunked {
                            self.out.extend_from_slice(b"0\r\n\r\n");
                        }
                    }
                    Poll::Ready(Some(Err(e))) => return Poll::Ready(Err(SendFailure::Body(e))),
                    Poll::Ready(Some(Ok(piece))) => self.take(piece),
                }
            }
            let rest = self.out.get(self.done..).unwrap_or_default();
            let written = match (rest.is_empty(), self.piece.is_empty()) {
                (true, true) => {
                    self.out.clear();
                    self.done = 0;
                    // Only TLS keeps something back; to a socket this is nothing.
                    if let Err(e) = ready!(Pin::new(&mut *stream).poll_flush(cx)) {
                        return Poll::Ready(Err(SendFailure::Write(e)));
                    }
                    return if self.body_read { Poll::Ready(Ok(())) } else { Poll::Pending };
                }
                (false, true) => Pin::new(&mut *stream).poll_write(cx, rest),
                (_, false) => {
                    let slices = [IoSlice::new(rest), IoSlice::new(&self.piece)];
                    Pin::new(&mut *stream).poll_write_vectored(cx, &slices)
                }
            };
            let n = match ready!(written) {
                Ok(0) => return Poll::Ready(Err(SendFailure::Write(io::ErrorKind::WriteZero.into()))),
                Ok(n) => n,
                Err(e) => return Poll::Ready(Err(SendFailure::Write(e))),
            };
            let of_out = n.min(rest.len());
            self.done += of_out;
            if n > of_out {
                self.piece.advance(n - of_out);
            }
            if self.done == self.out.len() {
                self.out.clear();
                self.done = 0;
                if self.piece.is_empty() && self.chunked && n > of_out {
                    self.out.extend_from_slice(b"\r\n");
                }
            }
        }
    }

    fn take(&mut self, piece: Bytes) {
        if self.chunked {
            encode::push_chunk_size(&mut self.out, piece.len());
        }
        if piece.len() > COPIED {
            self.piece = piece;
            return;
        }
        self.out.extend_from_slice(&piece);
        if self.chunked {
            self.out.extend_from_slice(b"\r\n");
        }
    }
}

/// A request for a backend: its head as bytes, and its body.
pub struct Outgoing {
    /// The head, encoded.
    pub head: Vec<u8>,
    /// The body, not read yet.
    pub body: Body,
    /// Whether the head announces chunks.
    pub chunked: bool,
    /// Whether the method is `HEAD`.
    pub is_head: bool,
}

/// Sends a request and reads the head of the response. Gives the buffer of the head back for reuse. `now` is
/// the time, `timeout` the limit from the end of the request to the head of the response.
///
/// # Errors
/// See [`TransportError`]; never [`TransportError::Connect`].
pub async fn round_trip(
    mut pooled: PooledConn,
    request: Outgoing,
    now: Instant,
    timeout: Option<Duration>,
) -> Result<(Response, Vec<u8>), TransportError> {
    let Outgoing { head, body, chunked, is_head } = request;
    let mut sender = Sender::new(head, body, chunked);
    let (mut response, version, sending) = answer(&mut pooled, &mut sender, now, timeout).await?;
    let method: &[u8] = if is_head { b"HEAD" } else { b"" };
    let (framing, reusable) = framing::of_response(&mut response, version, method)
        .map_err(|e| TransportError::ReadResponseHead(e.to_string()))?;
    pooled.count_answer();
    let out = if sending { Vec::new() } else { std::mem::take(&mut sender.out) };
    let sender = sending.then(|| Box::new(sender));
    response.body = ResponseBody::new(pooled, sender, framing, reusable).settle();
    Ok((response, out))
}

/// What a backend makes of a request to speak another protocol.
pub enum Upgrade {
    /// 101: the stream speaks it from now on; what was read too far is with it.
    Switched(Response, Stream, BytesMut),
    /// An ordinary response.
    Refused(Response),
}

/// Asks a backend to speak another protocol: sends a request, and reads the head of the answer.
///
/// # Errors
/// See [`TransportError`]; never [`TransportError::Connect`].
pub async fn upgrade(
    stream: Stream,
    request: Outgoing,
    timeout: Option<Duration>,
) -> Result<Upgrade, TransportError> {
    let mut pooled = PooledConn::detached(BackendConn::new(stream));
    let mut sender = Sender::new(request.head, request.body, request.chunked);
    let (mut response, version, _) = answer(&mut pooled, &mut sender, Instant::now(), timeout).await?;
    if response.status == 101 {
        let conn = pooled.take().ok_or_else(|| TransportError::ReadResponseHead("EOF".into()))?;
        // About a body that there is not.
        response.header.del("Trailer");
        return Ok(Upgrade::Switched(response, conn.stream, conn.buf));
    }
    let (framing, _) = framing::of_response(&mut response, version, b"GET")
        .map_err(|e| TransportError::ReadResponseHead(e.to_string()))?;
    response.body = ResponseBody::new(pooled, None, framing, false).settle();
    Ok(Upgrade::Refused(response))
}

/// What is wrong with a head that ends early, as far as it came.
fn damage(head: &[u8]) -> Option<String> {
    if head.is_empty() {
        return None;
    }
    let mut whole = BytesMut::from(head.strip_suffix(b"\r").unwrap_or(head));
    whole.extend_from_slice(b"\r\n\r\n");
    head::parse_response(whole).err().map(|e| e.to_string())
}

/// Sends a request, and reads the head of the answer. Says also whether the request is still being sent.
async fn answer(
    pooled: &mut PooledConn,
    sender: &mut Sender,
    now: Instant,
    timeout: Option<Duration>,
) -> Result<(Response, Version, bool), TransportError> {
    let conn = pooled.conn().map_err(|_| TransportError::ReadResponseHead("EOF".into()))?;
    conn.head_deadline.set(None);
    // Most requests are gone at the first try, and need no clock for that.
    let mut sent_at = Some(now);
    let (mut sending, mut continued) = (true, false);
    loop {
        let head = poll_fn(|cx| conn.poll_head(cx, sender, &mut sending, &mut sent_at, timeout)).await;
        let head = head.map_err(|e| match e {
            // The reference looks for a first byte before the first head only.
            TransportError::ReadResponseHead(why) if continued && why == "EOF" && conn.buf.is_empty() => {
                TransportError::ReadResponseHead("unexpected EOF".into())
            }
            e => e,
        })?;
        let (response, version) =
            head::parse_response(head).map_err(|e| TransportError::ReadResponseHead(e.to_string()))?;
        // One `100 Continue` may come before the answer.
        if response.status != 100 || continued {
            return Ok((response, version, sending));
        }
        continued = true;
    }
}

impl BackendConn {
    /// Sends what is to be sent, and waits for the head of a response.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        sender: &mut Sender,
        sending: &mut bool,
        sent_at: &mut Option<Instant>,
        timeout: Option<Duration>,
    ) -> Poll<Result<RawHead, TransportError>> {
        if *sending {
            match sender.poll_send(&mut self.stream, cx) {
                Poll::Pending => *sent_at = None,
                Poll::Ready(Ok(())) => {
                    *sending = false;
                    let sent_at = sent_at.unwrap_or_else(Instant::now);
                    self.head_deadline.set(timeout.and_then(|t| sent_at.checked_add(t)));
                }
                Poll::Ready(Err(failure)) => return Poll::Ready(Err(self.write_error(failure))),
            }
        }
        loop {
            if !self.buf.is_empty() {
                let new = self.scanned;
                let found = lines::find_end(&self.buf, &mut self.scanned);
                if found.map_or(self.buf.len(), |head| head.len()) > MAX_HEAD {
                    let error = TransportError::ReadResponseHead("response head too large".into());
                    return Poll::Ready(Err(error));
                }
                if let Some(head) = found {
                    self.scanned = 0;
                    return Poll::Ready(Ok(head.cut(&mut self.buf)));
                }
                // What is no response need not be waited for. One look at the first line is enough.
                let lf = memchr::memchr(b'\n', &self.buf).filter(|lf| *lf >= new);
                if let Some(why) = lf.and_then(|lf| damage(self.buf.get(..=lf)?)) {
                    return Poll::Ready(Err(TransportError::ReadResponseHead(why)));
                }
            }
            match self.poll_fill(cx, buffer::SMALL) {
                Poll::Ready(Ok(0)) => {
                    let why = damage(&self.buf).unwrap_or_else(|| "EOF".to_owned());
                    return Poll::Ready(Err(TransportError::ReadResponseHead(why)));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(e)) => {
                    return Poll::Ready(Err(TransportError::ReadResponseHead(e.to_string())));
                }
                Poll::Pending => {
                    return match self.head_deadline.poll_passed(cx) {
                        Poll::Ready(()) => Poll::Ready(Err(TransportError::ResponseHeadTimeout)),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }

    fn write_error(&self, failure: SendFailure) -> TransportError {
        match failure {
            SendFailure::Write(e) => TransportError::WriteRequest {
                reason: e.to_string(),
                client_timeout: false,
                processing: false,
            },
            SendFailure::Body(e) => TransportError::of_request_body(&e),
        }
    }
}

/// The body of a response, read from the backend as it is wanted.
struct ResponseBody {
    pooled: Option<PooledConn>,
    /// What is left of the request.
    sender: Option<Box<Sender>>,
    state: State,
    /// The backend keeps the connection open after this response.
    reusable: bool,
}

enum State {
    Length(u64),
    Chunked(Decoder),
    UntilClose,
    Done,
}

impl ResponseBody {
    fn new(pooled: PooledConn, sender: Option<Box<Sender>>, framing: Framing, reusable: bool) -> Self {
        let state = match framing {
            Framing::None => State::Done,
            Framing::Length(n) => State::Length(n),
            Framing::Chunked => State::Chunked(Decoder::default()),
            Framing::UntilClose => State::UntilClose,
        };
        Self { pooled: Some(pooled), sender, state, reusable }
    }

    /// The body for the response: without the connection, where nothing more has to come from it.
    fn settle(mut self) -> Body {
        if matches!(self.state, State::Done) {
            self.release();
            return Body::Empty;
        }
        if let (State::Length(n), None, Some(pooled)) = (&self.state, &self.sender, self.pooled.as_mut())
            && let Ok(conn) = pooled.conn()
            && conn.buf.len() as u64 >= *n
        {
            let n = usize::try_from(*n).unwrap_or(usize::MAX);
            let whole = conn.buf.split_to(n).freeze();
            self.release();
            return Body::Full(whole);
        }
        Body::Stream(Box::new(self))
    }

    /// Lets the connection go: into the pool where all went well.
    fn release(&mut self) {
        self.state = State::Done;
        let Some(mut pooled) = self.pooled.take() else { return };
        if !self.reusable || self.sender.is_some() {
            return;
        }
        // More than the response: whatever it is, it is no answer to the next request.
        if pooled.conn().is_ok_and(|conn| conn.buf.is_empty()) {
            pooled.reuse();
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(Ok(conn)) = self.pooled.as_mut().map(PooledConn::conn) else { return Poll::Ready(None) };
        if let Some(sender) = &mut self.sender
            && let Poll::Ready(sent) = sender.poll_send(&mut conn.stream, cx)
        {
            // A backend that has answered may refuse the rest of the request.
            self.reusable &= sent.is_ok();
            self.sender = None;
        }
        loop {
            match &mut self.state {
                State::Done | State::Length(0) => {
                    self.release();
                    return Poll::Ready(None);
                }
                State::Length(left) if !conn.buf.is_empty() => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(conn.buf.len());
                    *left -= n as u64;
                    let piece = conn.buf.split_to(n).freeze();
                    if *left == 0 {
                        self.release();
                    }
                    return Poll::Ready(Some(Ok(piece)));
                }
                State::UntilClose if !conn.buf.is_empty() => {
                    return Poll::Ready(Some(Ok(conn.buf.split().freeze())));
                }
                State::Length(_) | State::UntilClose => {}
                State::Chunked(decoder) => match decoder.decode(&mut conn.buf) {
                    Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(data))),
                    Ok(Decoded::NeedMore) => {}
                    Ok(Decoded::End) => {
                        self.release();
                        return Poll::Ready(None);
                    }
                    Err(e) => return self.fail(e),
                },
            }
            match ready!(conn.poll_fill(cx, BODY_BUFFER)) {
                Ok(0) => {
                    return match &self.state {
                        State::UntilClose | State::Done => {
                            self.reusable = false;
                            self.release();
                            Poll::Ready(None)
                        }
                        State::Chunked(decoder) => {
                            let error = decoder.eof(&conn.buf);
                            self.fail(error)
                        }
                        State::Length(_) => self.fail(BodyError::UnexpectedEof),
                    };
                }
                Ok(_) => {}
                Err(e) => return self.fail(e.into()),
            }
        }
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.reusable = false;
        self.release();
        Poll::Ready(Some(Err(error)))
    }
}

impl BodyStream for ResponseBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.poll_next(cx)
    }

    fn socket(&mut self) -> Option<SocketBody<'_>> {
        let conn = self.pooled.as_mut()?.conn().ok()?;
        match (&mut self.state, &conn.stream, &self.sender) {
            (State::Length(left), Stream::Tcp(from), None) if conn.buf.is_empty() => {
                Some(SocketBody { from, left })
            }
            _ => None,
        }
    }
}
