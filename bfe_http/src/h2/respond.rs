//! Sending a response (lifecycle 10, 16).

use super::connection::Inner;
use super::exchange::StreamExchange;
use super::frame::{self, Code};
use super::response_head::Known;
use super::stream::{Phase, Why};
use crate::body::join;
use crate::h1::server::{FlushPolicy, SendError, SendOptions, Sent};
use crate::header_list::response::declared;
use crate::status::allows_body;
use crate::transport::h2c::is_grpc;
use crate::{Body, BodyError, Header, Response};
use bytes::{Buf, Bytes};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The reference's buffer of a stream.
const BUFFER: usize = 4096;
/// Most that one stream adds to the output while others wait.
const TURN: usize = 32 * 1024;

/// What of a response waits for the end of its request: whether it ends with the stream, or with the
/// connection, is known only then.
#[derive(Default)]
pub(super) struct Rest {
    /// A head that has not been sent.
    head: Option<(u16, Header)>,
    /// The last bytes of the body.
    body: Bytes,
    /// The client could not be sent all there was.
    lost: bool,
    /// Nothing follows the head.
    ended: bool,
    /// What follows the body.
    trailers: Option<Header>,
}

/// What the copy loop waits for.
enum Event {
    Body(Option<Result<Bytes, BodyError>>),
    Flush,
    Closed(Why),
}

/// Why a body is not passed on to its end.
enum Stop {
    Failed(SendError),
    /// The stream is over.
    Lost(Why),
}

impl From<Why> for Stop {
    fn from(why: Why) -> Self {
        Self::Lost(why)
    }
}

impl StreamExchange {
    /// Sends a response, up to its last piece. Its body is used up; status and header stay.
    pub(super) async fn send_response(&self, res: &mut Response, options: &SendOptions) -> Sent {
        let mut body = std::mem::take(&mut res.body);
        let mut timer = None;
        let sent = self.send(res, &mut body, options, &mut timer).await;
        // The reference counts no bytes of HTTP/2 (LIFE-97), and its connections go on after errors.
        Sent { error: sent.err(), keep: true, ..Sent::default() }
    }

    async fn send(
        &self,
        res: &Response,
        body: &mut Body,
        options: &SendOptions,
        timer: &mut Option<Pin<Box<Sleep>>>,
    ) -> Result<(), SendError> {
        let immediate = options.flush == FlushPolicy::Immediate;
        let mut held = Bytes::new();
        // A head of gRPC without a body has to end its stream itself: it stands for the trailers.
        if !immediate || (body.is_empty() && is_grpc(&res.header)) {
            loop {
                match self.event(body, options.flush, timer, !held.is_empty()).await {
                    Event::Body(None) => {
                        if !allows_body(res.status) {
                            held.clear();
                        }
                        // All of it is here, and waits for the end.
                        *self.rest.borrow_mut() = Rest {
                            head: Some((res.status, res.header.clone())),
                            body: held,
                            trailers: body.take_trailers(),
                            ..Rest::default()
                        };
                        return Ok(());
                    }
                    Event::Body(Some(Err(e))) => {
                        *self.rest.borrow_mut() = Rest {
                            head: Some((res.status, res.header.clone())),
                            body: held,
                            ..Rest::default()
                        };
                        return Err(SendError::Body(e));
                    }
                    Event::Body(Some(Ok(piece))) => held = join(held, piece),
                    Event::Flush => {
                        // What has come goes out with the head.
                        *timer = Some(Box::pin(sleep_until(soon(Duration::ZERO))));
                        break;
                    }
                    Event::Closed(why) => {
                        return self.lose(why, &held, body, (0, declared(&res.header)), options);
                    }
                }
                if held.len() > BUFFER {
                    break;
                }
            }
        }
        let known = Known { first: &held, complete: false, is_head: self.is_head };
        let limit = declared(&res.header);
        if let Err(why) = self.push_head(res.status, &res.header, &known, self.is_head) {
            return self.lose(why, &held, body, (0, limit), options);
        }
        if self.is_head {
            self.rest.borrow_mut().ended = true;
            held = Bytes::new();
        }
        let result = self.copy(&mut held, body, options, timer, (res.status, limit)).await;
        self.rest.borrow_mut().body = held;
        result
    }

    /// Passes the body on; the last piece of it stays in `held`.
    async fn copy(
        &self,
        held: &mut Bytes,
        body: &mut Body,
        options: &SendOptions,
        timer: &mut Option<Pin<Box<Sleep>>>,
        (status, limit): (u16, Option<u64>),
    ) -> Result<(), SendError> {
        let mut total = held.len() as u64;
        match self.pass_on(held, body, options, timer, (status, limit), &mut total).await {
            Err(Stop::Lost(why)) => {
                let sent = total - held.len() as u64;
                self.lose(why, held, body, (sent, limit), options)
            }
            Err(Stop::Failed(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// Does what [`StreamExchange::copy`] is for as long as there is a stream; `total` counts the bytes of the body.
    async fn pass_on(
        &self,
        held: &mut Bytes,
        body: &mut Body,
        options: &SendOptions,
        timer: &mut Option<Pin<Box<Sleep>>>,
        (status, limit): (u16, Option<u64>),
        total: &mut u64,
    ) -> Result<(), Stop> {
        let immediate = options.flush == FlushPolicy::Immediate;
        loop {
            let ready = poll_fn(|cx| Poll::Ready(body.poll_data(cx))).await;
            let event = match ready {
                Poll::Ready(next) => Event::Body(next),
                Poll::Pending => {
                    if immediate {
                        self.data(held).await?;
                    }
                    self.event(body, options.flush, timer, !held.is_empty()).await
                }
            };
            match event {
                Event::Body(None) => {
                    // Only what the client takes now can wait for the end of the request: the reference has
                    // not finished a request whose response is stuck.
                    let trailers = body.take_trailers();
                    // There is no more of it to be looked for.
                    *body = Body::Empty;
                    if (immediate || held.len() > BUFFER) && !self.fits(held) {
                        self.data(held).await?;
                    }
                    self.rest.borrow_mut().trailers = trailers;
                    return Ok(());
                }
                Event::Body(Some(Err(e))) => return Err(Stop::Failed(SendError::Body(e))),
                Event::Body(Some(Ok(_))) if self.is_head || !allows_body(status) => {}
                Event::Body(Some(Ok(piece))) => {
                    *total += piece.len() as u64;
                    if limit.is_some_and(|limit| *total > limit) {
                        return Err(Stop::Failed(SendError::TooLongForStream));
                    }
                    if !immediate && held.len() + piece.len() <= BUFFER {
                        *held = join(std::mem::take(held), piece);
                    } else {
                        let passed = self.data(held).await;
                        *held = join(std::mem::take(held), piece);
                        passed?;
                    }
                }
                Event::Flush => self.data(held).await?,
                Event::Closed(why) => return Err(Stop::Lost(why)),
            }
        }
    }

    /// Waits for body bytes, the next tick of the flush timer (where something `waits` for it), or the end of
    /// the stream.
    async fn event(
        &self,
        body: &mut Body,
        flush: FlushPolicy,
        timer: &mut Option<Pin<Box<Sleep>>>,
        waits: bool,
    ) -> Event {
        if let (FlushPolicy::Every(interval), true) = (flush, waits) {
            timer.get_or_insert_with(|| Box::pin(sleep_until(soon(interval))));
        }
        let event = poll_fn(|cx| {
            if let Poll::Ready(next) = body.poll_data(cx) {
                return Poll::Ready(Event::Body(next));
            }
            if let Some(timer) = timer.as_mut().filter(|_| waits)
                && timer.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Event::Flush);
            }
            let mut inner = self.inner.borrow_mut();
            match inner.streams.get_mut(&self.id) {
                Some(stream) if !stream.is_closed() => {
                    stream.wait(cx);
                    Poll::Pending
                }
                Some(_) => Poll::Ready(Event::Closed(inner.why_closed(self.id).unwrap_or(Why::Gone))),
                None => Poll::Ready(Event::Closed(Why::Gone)),
            }
        })
        .await;
        if matches!(event, Event::Flush) {
            *timer = None;
        }
        event
    }

    fn push_head(&self, status: u16, header: &Header, known: &Known<'_>, end: bool) -> Result<(), Why> {
        let mut inner = self.inner.borrow_mut();
        match inner.streams.get(&self.id).map(|s| s.phase) {
            Some(Phase::Open | Phase::Ended) => {}
            Some(Phase::Closed(why)) => return Err(why),
            None => return Err(Why::Gone),
        }
        inner.push_response(self.id, status, header, known, end);
        Ok(())
    }

    /// Sends what is held.
    async fn data(&self, held: &mut Bytes) -> Result<(), Why> {
        if held.is_empty() {
            return Ok(());
        }
        poll_fn(|cx| self.inner.borrow_mut().poll_data(cx, self.id, held, false)).await
    }

    /// Whether the client takes that much now.
    fn fits(&self, held: &Bytes) -> bool {
        let inner = self.inner.borrow();
        let bytes = i64::try_from(held.len()).unwrap_or(i64::MAX);
        inner.send_window >= bytes && inner.streams.get(&self.id).is_some_and(|s| s.send_window >= bytes)
    }

    /// The stream is over before its response was: `sent` bytes of the body are with the client, of as many as are
    /// `declared`; those in `unsent` are not, nor is what the body still has.
    ///
    /// The reference writes into a buffer, and does not look at what becomes of the last of it: a response whose
    /// rest fits in there has been sent as far as it knows.
    fn lose(
        &self,
        why: Why,
        unsent: &Bytes,
        body: &mut Body,
        (sent, declared): (u64, Option<u64>),
        options: &SendOptions,
    ) -> Result<(), SendError> {
        self.rest.borrow_mut().lost = true;
        if self.is_head {
            return Ok(());
        }
        let mut left = unsent.len();
        let mut cx = Context::from_waker(Waker::noop());
        while left < BUFFER {
            match body.poll_data(&mut cx) {
                Poll::Ready(None) => return Ok(()),
                Poll::Ready(Some(Ok(piece))) => left += piece.len(),
                Poll::Ready(Some(Err(e))) => return Err(SendError::Body(e)),
                Poll::Pending if why == Why::Gone && options.cancel_on_close => {
                    return Err(SendError::Body(BodyError::ClientGone));
                }
                Poll::Pending if declared.is_some_and(|all| all.saturating_sub(sent) < BUFFER as u64) => {
                    return Ok(());
                }
                Poll::Pending => break,
            }
        }
        Err(SendError::Write(io::Error::other("http2: stream closed")))
    }

    /// Sends what waited for the end of the request; with `close` without an end of the stream.
    pub(super) async fn end_response(&self, close: bool) {
        let mut rest = std::mem::take(&mut *self.rest.borrow_mut());
        if rest.lost || (close && rest.head.is_some()) {
            return;
        }
        if let Some((status, header)) = rest.head.take() {
            let complete = rest.trailers.is_none();
            let known = Known { first: &rest.body, complete, is_head: self.is_head };
            rest.ended = (rest.body.is_empty() && complete) || self.is_head;
            if self.push_head(status, &header, &known, rest.ended).is_err() {
                return;
            }
        }
        if !rest.ended {
            let end = !close && rest.trailers.is_none();
            let sent =
                self.watch(poll_fn(|cx| self.inner.borrow_mut().poll_data(cx, self.id, &mut rest.body, end)));
            if sent.await.is_err() {
                return;
            }
            if let (Some(trailers), false) = (rest.trailers, close) {
                self.inner.borrow_mut().push_trailers(self.id, &trailers);
            }
        }
        if !close {
            self.inner.borrow_mut().done(self.id);
        }
    }
}

impl Inner {
    /// Appends as much of `data` as the client takes now; with `end` the stream ends with its last byte.
    fn poll_data(&mut self, cx: &Context<'_>, id: u32, data: &mut Bytes, end: bool) -> Poll<Result<(), Why>> {
        let mut turn = TURN;
        loop {
            let bytes = ready!(self.poll_piece(cx, id, data, end, turn == 0))?;
            turn = turn.saturating_sub(bytes);
            data.advance(bytes);
            if data.is_empty() {
                self.wake_next();
                self.wake_writer();
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Appends one frame with as much of `data` as the client takes now, and says how much that was: all of it,
    /// or more than nothing. Who is to `yield_turn` lets others go first that have waited longer.
    pub(super) fn poll_piece(
        &mut self,
        cx: &Context<'_>,
        id: u32,
        data: &[u8],
        end: bool,
        yield_turn: bool,
    ) -> Poll<Result<usize, Why>> {
        let room = self.out.room();
        let Some(stream) = self.streams.get_mut(&id) else { return Poll::Ready(Err(Why::Gone)) };
        if let Phase::Closed(why) = stream.phase {
            return Poll::Ready(Err(why));
        }
        let window = usize::try_from(stream.send_window).unwrap_or_default();
        let of_all = usize::try_from(self.send_window).unwrap_or_default();
        let bytes = data.len().min(window).min(of_all).min(room).min(frame::DEFAULT_MAX);
        if bytes == 0 && !data.is_empty() {
            stream.wait(cx);
            if window > 0 && !self.out.waiting.contains(&id) {
                self.out.waiting.push_back(id);
            }
            self.wake_writer();
            return Poll::Pending;
        }
        if !self.out.waiting.is_empty() && yield_turn {
            stream.wait(cx);
            self.out.waiting.push_back(id);
            self.wake_next();
            self.wake_writer();
            return Poll::Pending;
        }
        let is_last = end && bytes == data.len();
        if bytes > 0 || is_last {
            let counted = i64::try_from(bytes).unwrap_or(i64::MAX);
            stream.send_window -= counted;
            self.send_window -= counted;
            self.push_data_head(id, bytes, is_last);
            self.out.frames().extend_from_slice(data.get(..bytes).unwrap_or_default());
        }
        Poll::Ready(Ok(bytes))
    }

    /// The response has been sent whole. A client that is still sending need not go on.
    pub(super) fn done(&mut self, id: u32) {
        match self.streams.get(&id).map(|s| s.phase) {
            Some(Phase::Open) => self.reset(id, Code::None, Why::Done),
            Some(Phase::Ended) => self.close_stream(id, Why::Done),
            Some(Phase::Closed(_)) | None => {}
        }
    }
}

fn soon(interval: Duration) -> Instant {
    Instant::now() + interval
}
