//! Sending a response: head, body, and whether the connection can go on afterwards (lifecycle 10).

use super::body::BodyState;
use super::head_plan::{Known, Plan, ResponseFraming, write_head};
use super::{Connection, Inner};
use crate::h1::encode;
use crate::h1::splice::{Broken, LARGE, Passage};
use crate::h1::stream::Stream;
use crate::{Body, BodyError, Response};
use bytes::{Buf, Bytes};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The reference's buffer before the head is decided.
const HEAD_BUFFER: usize = 512;
/// The reference's buffer towards the client.
const OUT_BUFFER: usize = 4096;
/// Pieces up to this size are copied behind what is in the buffer; larger ones go out beside it.
const COPIED: usize = 16 * 1024;
/// Most of an unread request body that is read and dropped so that the connection can go on.
const MAX_DRAINED: u64 = 256 * 1024;
/// Most that is kept of what a client sends while its answer is under way.
const MAX_EARLY: usize = 64 * 1024;

/// When what has been read of a response is passed on (`ResFlushInterval`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushPolicy {
    /// The head before the first body byte, then every piece at once.
    Immediate,
    /// When buffers are full, and at the end.
    Buffered,
    /// As `Buffered`, and at least so often.
    Every(Duration),
}

/// Where a response comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A backend, which also gets what is left of the request body.
    Backend,
    /// A module or the proxy itself.
    Proxy,
}

/// How to send a response.
#[derive(Clone, Copy, Debug)]
pub struct SendOptions {
    /// When to flush.
    pub flush: FlushPolicy,
    /// Where the response comes from.
    pub origin: Origin,
    /// `KeepAliveEnabled`.
    pub keep_alive_enabled: bool,
    /// The process is shutting down: the client is told not to send more.
    pub draining: bool,
    /// `CancelOnClientClose`: stop as soon as the client has gone.
    pub cancel_on_close: bool,
}

/// Why a response was not sent whole.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The client could not be written to.
    #[error("{0}")]
    Write(io::Error),
    /// The body could not be read.
    #[error("{0}")]
    Body(BodyError),
    /// The body is longer than announced.
    #[error("Conn.Write wrote more than the declared Content-Length")]
    TooLong,
    /// The same, on a stream.
    #[error("http2: handler wrote more than declared Content-Length")]
    TooLongForStream,
}

/// What became of a response.
#[derive(Debug, Default)]
pub struct Sent {
    /// Bytes of the head.
    pub header_len: u64,
    /// Bytes of the body, without framing.
    pub body_len: u64,
    /// Why it was not sent whole.
    pub error: Option<SendError>,
    /// Whether the connection can serve another request.
    pub keep: bool,
    /// Whether the client may still be sending, so that closing has to wait for it to read the answer.
    pub linger: bool,
}

thread_local! {
    /// Output buffers of this worker.
    static OUT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}
/// Most output buffers kept, and how large one may have grown.
const KEPT: (usize, usize) = (16, 32 * 1024);

impl crate::Exchange for Connection {
    async fn respond(&self, res: &mut Response, options: &SendOptions) -> Sent {
        self.send_response(res, options).await
    }

    fn set_connection_field(&self, value: &[u8]) {
        self.facts.set(self.facts.get().with_connection(value));
    }

    fn set_read_deadline(&self, at: Option<std::time::Instant>) {
        Self::set_read_deadline(self, at);
    }

    fn set_write_deadline(&self, at: Option<std::time::Instant>) {
        Self::set_write_deadline(self, at);
    }

    fn body_read(&self) -> u64 {
        Self::body_read(self)
    }
}

impl Connection {
    /// Sends a response to the request read last. Its body is used up; status and header stay.
    pub async fn send_response(&self, res: &mut Response, options: &SendOptions) -> Sent {
        let body_left = self.settle_request_body(options.origin).await;
        let out = OUT.with_borrow_mut(Vec::pop).unwrap_or_default();
        let mut sender = Sender::new(self, out);
        let mut body = std::mem::take(&mut res.body);
        let (keep, error) = match sender.send(res, &mut body, options, body_left).await {
            Ok(plan) => {
                let short = plan.declared.is_some_and(|n| n != sender.sent.body_len);
                // A client may wait for what the length of a 204 promises.
                let is_head = self.facts.get().is_head;
                let may_be_short = plan.framing == ResponseFraming::Swallow && (is_head || res.status != 204);
                (!plan.close && (!short || may_be_short), None)
            }
            Err(e) => (false, Some(e)),
        };
        drop(body);
        let Sender { mut out, mut sent, .. } = sender;
        out.clear();
        if out.capacity() <= KEPT.1 {
            OUT.with_borrow_mut(|pool| {
                if pool.len() < KEPT.0 {
                    pool.push(out);
                }
            });
        }
        sent.error = error;
        sent.keep = keep && self.drain().await;
        sent.linger = !self.inner.borrow().body.is_done();
        sent
    }

    /// Sends the head of a response alone: what follows is another protocol.
    ///
    /// # Errors
    /// When the client cannot be written to in time.
    pub async fn send_head(&self, res: &Response) -> Result<(), SendError> {
        let mut sender = Sender::new(self, Vec::new());
        let known = Known {
            first: &[],
            complete: false,
            keep_alive_enabled: true,
            draining: false,
            body_left: false,
        };
        write_head(&mut sender.out, self.facts.get(), res.status, &res.header, &known);
        sender.flush(None).await
    }

    /// Before the head of an answer that no backend gave: what is left of the request body is read, as far
    /// as that is cheap. Says whether the connection has to end.
    async fn settle_request_body(&self, origin: Origin) -> bool {
        let interim_due = {
            let inner = self.inner.borrow();
            match inner.body {
                BodyState::Done => return false,
                BodyState::Broken => return true,
                _ => !inner.interim.is_empty(),
            }
        };
        // A client that waits for `100 Continue` will not send its body now.
        interim_due || (origin == Origin::Proxy && !self.drain().await)
    }

    /// Reads and drops what is left of the request body; false where that is too much, or fails.
    async fn drain(&self) -> bool {
        let mut dropped = 0u64;
        loop {
            match self.inner.borrow().body {
                BodyState::Done => return true,
                BodyState::Broken => return false,
                BodyState::Length(left) if left > MAX_DRAINED - dropped => return false,
                _ => {}
            }
            match poll_fn(|cx| self.inner.borrow_mut().poll_body(cx)).await {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(piece)) => dropped += piece.len() as u64,
            }
            if dropped >= MAX_DRAINED {
                return self.inner.borrow().body.is_done();
            }
        }
    }
}

struct Sender<'a> {
    conn: &'a Connection,
    out: Vec<u8>,
    sent: Sent,
    flush_timer: Option<Pin<Box<Sleep>>>,
    declared: Option<u64>,
}

/// What the copy loop waits for.
enum Event {
    Body(Option<Result<Bytes, BodyError>>),
    Flush,
    ClientGone,
}

impl<'a> Sender<'a> {
    fn new(conn: &'a Connection, out: Vec<u8>) -> Self {
        Self { conn, out, sent: Sent::default(), flush_timer: None, declared: None }
    }

    async fn send(
        &mut self,
        res: &Response,
        body: &mut Body,
        options: &SendOptions,
        body_left: bool,
    ) -> Result<Plan, SendError> {
        let mut known = Known {
            first: &[],
            complete: false,
            keep_alive_enabled: options.keep_alive_enabled,
            draining: options.draining,
            body_left,
        };
        let mut first = Bytes::new();
        let mut failed = None;
        if options.flush != FlushPolicy::Immediate {
            (first, known.complete, failed) = self.first_bytes(body, options).await;
            known.first = &first;
        }
        let plan = write_head(&mut self.out, self.conn.facts.get(), res.status, &res.header, &known);
        self.sent.header_len = self.out.len() as u64;
        self.declared = plan.declared;
        // The answer to a HEAD tells the length of a body that a module gave, without the body.
        if !first.is_empty() && !self.conn.facts.get().is_head {
            self.push(first.clone(), plan.framing).await?;
        }
        let outcome = match failed {
            Some(e) => Err(SendError::Body(e)),
            None if known.complete => Ok(()),
            None => self.copy(body, plan.framing, options).await,
        };
        if plan.framing == ResponseFraming::Chunked && !matches!(outcome, Err(SendError::Write(_))) {
            // Also after a body that was cut: the client is to see what came (lifecycle 10.3).
            self.out.extend_from_slice(b"0\r\n\r\n");
        }
        let flushed = self.flush(None).await;
        outcome?;
        flushed?;
        Ok(plan)
    }

    /// Collects the bytes that decide the head; says also whether that is the whole body, or why not.
    async fn first_bytes(
        &mut self,
        body: &mut Body,
        options: &SendOptions,
    ) -> (Bytes, bool, Option<BodyError>) {
        let mut first = Bytes::new();
        loop {
            match self.event(body, options, true).await {
                Event::Body(None) => return (first, true, None),
                Event::Body(Some(Err(e))) => return (first, true, Some(e)),
                Event::Flush => {
                    // What has come goes out with the head.
                    self.flush_timer = Some(Box::pin(sleep_until(Instant::now())));
                    return (first, false, None);
                }
                Event::ClientGone => return (first, false, Some(BodyError::ClientGone)),
                Event::Body(Some(Ok(piece))) if first.is_empty() => first = piece,
                Event::Body(Some(Ok(piece))) => first = [first, piece].concat().into(),
            }
            if first.len() > HEAD_BUFFER {
                return (first, false, None);
            }
        }
    }

    /// Whether much of the body is still to come, as the backend sends it, and as announced.
    fn is_large_and_raw(&self, body: &mut Body) -> bool {
        body.socket()
            .is_some_and(|rest| *rest.left >= LARGE && self.declared == Some(self.sent.body_len + *rest.left))
    }

    /// Has the kernel move the body, as far as it can.
    async fn splice(&mut self, body: &mut Body, options: &SendOptions) -> Result<(), SendError> {
        let mut passage = Passage::default();
        let sent = &mut self.sent.body_len;
        poll_fn(|cx| {
            let mut inner = self.conn.inner.borrow_mut();
            let (Some(rest), Stream::Tcp(to)) = (body.socket(), &inner.stream) else {
                return Poll::Ready(Ok(()));
            };
            if let Poll::Ready(moved) = passage.poll_move(cx, rest, to, sent) {
                return Poll::Ready(moved.map_err(|broken| match broken {
                    Broken::Read(e) => SendError::Body(e.into()),
                    Broken::Write(e) => SendError::Write(e),
                }));
            }
            inner.poll_given_up(cx, options).map(|why| Err(SendError::Body(why)))
        })
        .await
    }

    /// Passes the rest of the body on: piece by piece, or by way of the kernel alone where that can be.
    async fn copy(
        &mut self,
        body: &mut Body,
        framing: ResponseFraming,
        options: &SendOptions,
    ) -> Result<(), SendError> {
        let mut may_splice = framing == ResponseFraming::Plain;
        loop {
            if may_splice && self.is_large_and_raw(body) {
                may_splice = false;
                self.flush(None).await?;
                self.splice(body, options).await?;
            }
            let immediate = options.flush == FlushPolicy::Immediate;
            let ready = poll_fn(|cx| Poll::Ready(body.poll_data(cx))).await;
            let event = match ready {
                Poll::Ready(next) => Event::Body(next),
                Poll::Pending => {
                    if immediate {
                        self.flush(None).await?;
                    }
                    self.event(body, options, !self.out.is_empty()).await
                }
            };
            match event {
                Event::Body(None) => return Ok(()),
                Event::Body(Some(Ok(piece))) => {
                    self.push(piece, framing).await?;
                    if !immediate && self.out.len() >= OUT_BUFFER {
                        self.flush(None).await?;
                    }
                }
                Event::Body(Some(Err(e))) => return Err(SendError::Body(e)),
                Event::Flush => self.flush(None).await?,
                Event::ClientGone => return Err(SendError::Body(BodyError::ClientGone)),
            }
        }
    }

    /// Waits for body bytes, the next tick of the flush timer (where something `waits` for it), the write
    /// deadline, or the end of the client.
    async fn event(&mut self, body: &mut Body, options: &SendOptions, waits: bool) -> Event {
        if let (FlushPolicy::Every(interval), true) = (options.flush, waits)
            && self.flush_timer.is_none()
        {
            self.flush_timer = Some(Box::pin(sleep_until(Instant::now() + interval)));
        }
        let event = poll_fn(|cx| {
            if let Poll::Ready(next) = body.poll_data(cx) {
                return Poll::Ready(Event::Body(next));
            }
            if let Some(timer) = self.flush_timer.as_mut().filter(|_| waits)
                && timer.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Event::Flush);
            }
            self.conn.inner.borrow_mut().poll_given_up(cx, options).map(|why| match why {
                BodyError::ClientGone => Event::ClientGone,
                why => Event::Body(Some(Err(why))),
            })
        })
        .await;
        if matches!(event, Event::Flush) {
            self.flush_timer = None;
        }
        event
    }

    /// Puts a piece of the body behind what is in the buffer.
    async fn push(&mut self, piece: Bytes, framing: ResponseFraming) -> Result<(), SendError> {
        let total = self.sent.body_len + piece.len() as u64;
        match framing {
            ResponseFraming::Swallow => return Ok(()),
            ResponseFraming::Plain if self.declared.is_some_and(|n| total > n) => {
                return Err(SendError::TooLong);
            }
            ResponseFraming::Plain => {}
            ResponseFraming::Chunked => encode::push_chunk_size(&mut self.out, piece.len()),
        }
        self.sent.body_len = total;
        let chunk_end: &[u8] = if framing == ResponseFraming::Chunked { b"\r\n" } else { b"" };
        if piece.len() <= COPIED {
            self.out.extend_from_slice(&piece);
        } else {
            self.flush(Some(piece)).await?;
        }
        self.out.extend_from_slice(chunk_end);
        Ok(())
    }

    /// Writes what is in the buffer, and `piece` behind it.
    async fn flush(&mut self, piece: Option<Bytes>) -> Result<(), SendError> {
        let mut piece = piece.unwrap_or_default();
        let mut done = 0;
        let out = &self.out;
        let written = poll_fn(|cx| {
            let mut inner = self.conn.inner.borrow_mut();
            loop {
                let rest = out.get(done..).unwrap_or_default();
                let write = match (rest.is_empty(), piece.is_empty()) {
                    (true, true) => return Poll::Ready(Ok(())),
                    (true, false) => inner.poll_write(cx, &[IoSlice::new(&piece)]),
                    (false, true) => inner.poll_write(cx, &[IoSlice::new(rest)]),
                    (false, false) => inner.poll_write(cx, &[IoSlice::new(rest), IoSlice::new(&piece)]),
                };
                match write {
                    Poll::Ready(Ok(n)) => {
                        let of_out = n.min(rest.len());
                        done += of_out;
                        piece.advance(n - of_out);
                    }
                    Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
        self.out.clear();
        written.map_err(SendError::Write)
    }
}

impl Inner {
    /// Ready, with the reason, once nothing more is to be sent: after the write deadline, or where the client has gone
    /// and that ends the response.
    fn poll_given_up(&mut self, cx: &mut Context<'_>, options: &SendOptions) -> Poll<BodyError> {
        if self.write_deadline.poll_passed(cx).is_ready() {
            return Poll::Ready(BodyError::Timeout);
        }
        if options.cancel_on_close && self.poll_client_gone(cx).is_ready() {
            return Poll::Ready(BodyError::ClientGone);
        }
        Poll::Pending
    }

    /// Ready once the client has closed its side, or the read deadline has passed.
    fn poll_client_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.buf.len() >= MAX_EARLY || !self.body.is_done() {
                return Poll::Pending;
            }
            match self.poll_fill(cx, crate::buffer::SMALL) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
