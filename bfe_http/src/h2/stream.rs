//! A stream: its windows, and the body of its request.

use super::connection::Inner;
use super::frame::{self, Code};
use super::wire::Event;
use crate::{BodyError, BodyStream};
use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What the client may still do on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Send its body.
    Open,
    /// Nothing: its request is complete.
    Ended,
    /// Nothing: the stream is over, for that reason.
    Closed(Why),
}

/// Why a stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The response has been sent.
    Done,
    /// The client, or its connection, has gone.
    Gone,
    /// The client broke the rules.
    Refused,
    /// It took too long.
    Timeout,
}

/// The state of a stream. It is there as long as the task that serves it.
pub(super) struct StreamState {
    pub(super) phase: Phase,
    /// How much the client takes.
    pub(super) send_window: i64,
    /// How much the client may send.
    pub(super) window: i64,
    /// Bytes taken out of `body` that the client has not been told of.
    credit: u32,
    /// What has come of the body.
    pub(super) body: BytesMut,
    /// Length of the body, where the client told it.
    pub(super) declared: Option<u64>,
    /// Bytes of the body that came.
    pub(super) received: u64,
    /// Bytes of the body that were read.
    pub(super) read: u64,
    /// `100 Continue` is to be sent when the body is first read.
    pub(super) continue_due: bool,
    /// Trailers came.
    pub(super) trailers: bool,
    /// The code that the stream was reset with, by the client or by us.
    pub(super) reset_code: Option<u32>,
    /// What was wrong with what the client sent, for the log.
    pub(super) refused: &'static str,
    /// The client speaks another protocol on it, or wants to.
    pub(super) is_tunnel: bool,
    /// What wakes the task.
    waker: Waker,
}

impl StreamState {
    pub(super) fn new(phase: Phase, send_window: i64, window: i64) -> Self {
        Self {
            phase,
            send_window,
            window,
            credit: 0,
            body: BytesMut::new(),
            declared: None,
            received: 0,
            read: 0,
            continue_due: false,
            trailers: false,
            reset_code: None,
            refused: "malformed frame",
            is_tunnel: false,
            waker: Waker::noop().clone(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    /// Why the body of a stream that is over ends before its time, in the words of the reference.
    fn cut(&self, id: u32, why: Why) -> BodyError {
        let late = match why {
            Why::Refused => {
                return BodyError::Io(io::Error::other(match self.declared {
                    Some(declared) if self.received > declared => {
                        format!("sender tried to send more than declared Content-Length of {declared} bytes")
                    }
                    _ => reset_text(id, self.reset_code.unwrap_or(Code::Protocol as u32), self.refused),
                }));
            }
            Why::Timeout => {
                return BodyError::Stream(reset_text(id, Code::Protocol as u32, "read stream timeout"));
            }
            Why::Gone => self.reset_code.map(|code| reset_text(id, code, "stream reset by peer")),
            Why::Done => None,
        };
        BodyError::Stream(late.unwrap_or_else(|| "client disconnected".to_owned()))
    }

    pub(super) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        self.waker.clone_from(cx.waker());
    }
}

/// What the reference says of a stream that was reset.
fn reset_text(id: u32, code: u32, reason: &str) -> String {
    format!("stream error: stream ID {id}; {}; {reason}", frame::code_name(code))
}

/// The body of a request as a stream.
pub(super) struct RequestBody {
    inner: Rc<RefCell<Inner>>,
    id: u32,
}

impl RequestBody {
    pub(super) fn new(inner: Rc<RefCell<Inner>>, id: u32) -> Self {
        Self { inner, id }
    }
}

impl BodyStream for RequestBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.inner.borrow_mut().poll_body(cx, self.id)
    }
}

impl Inner {
    fn poll_body(&mut self, cx: &Context<'_>, id: u32) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Some(Err(BodyError::ClientGone)));
        };
        if stream.continue_due && !stream.is_closed() {
            stream.continue_due = false;
            self.send_continue(id);
            return self.poll_body(cx, id);
        }
        if let Phase::Closed(why) = stream.phase {
            // Nothing is missing of a body that was announced to be empty: the request goes on, as with the
            // reference.
            let cut = stream.declared != Some(0);
            return Poll::Ready(cut.then(|| Err(stream.cut(id, why))));
        }
        if stream.body.is_empty() {
            if stream.phase == Phase::Open {
                stream.wait(cx);
                return Poll::Pending;
            }
            let short = stream.declared.filter(|declared| *declared != stream.received).map(|declared| {
                let received = stream.received;
                let text = format!(
                    "request declared a Content-Length of {declared} but only wrote {received} bytes"
                );
                Err(BodyError::Io(io::Error::other(text)))
            });
            return Poll::Ready(short);
        }
        let piece = stream.body.split().freeze();
        stream.read += piece.len() as u64;
        let taken = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        self.give_credit(id, taken);
        Poll::Ready(Some(Ok(piece)))
    }

    /// Gives the client back what it may send, on its stream and on the connection; in large pieces.
    pub(super) fn give_credit(&mut self, id: u32, bytes: u32) {
        self.connection_credit += bytes;
        let mut due = false;
        if self.connection_credit >= self.credit_at {
            let credit = std::mem::take(&mut self.connection_credit);
            self.connection_window += i64::from(credit);
            self.push_window_update(0, credit);
            due = true;
        }
        let half = self.settings.window / 2;
        let mut of_stream = 0;
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.phase == Phase::Open
        {
            stream.credit += bytes;
            if stream.credit >= half {
                of_stream = std::mem::take(&mut stream.credit);
                stream.window += i64::from(of_stream);
            }
        }
        if of_stream > 0 {
            self.push_window_update(id, of_stream);
            due = true;
        }
        if due {
            self.wake_writer();
        }
    }

    /// Tells the client that a stream is over, and why. To break the rules of a request that is under way costs
    /// the client as much as a reset of its own.
    pub(super) fn reset(&mut self, id: u32, code: Code, why: Why) {
        if let Some(stream) = self.streams.get_mut(&id).filter(|s| !s.is_closed()) {
            stream.reset_code = Some(code as u32);
            if why == Why::Refused {
                self.provoked |= !self.resets.take();
            }
        }
        self.push_reset(id, code);
        self.wake_writer();
        self.close_stream(id, why);
    }

    /// Resets a stream that took too long; says whether it was still there.
    pub(super) fn time_out(&mut self, id: u32, late: Event) -> bool {
        let there = self.streams.get(&id).is_some_and(|s| !s.is_closed());
        if there {
            self.count(late);
            self.reset(id, Code::Protocol, Why::Timeout);
        }
        there
    }

    /// Ends a stream, if it has not ended before. Its task finds out.
    pub(super) fn close_stream(&mut self, id: u32, why: Why) {
        let Some(stream) = self.streams.get_mut(&id).filter(|s| !s.is_closed()) else { return };
        stream.phase = Phase::Closed(why);
        stream.wake();
        // What nobody reads any more counts as taken; the stream itself needs no credit.
        let unread = u32::try_from(std::mem::take(&mut stream.body).len()).unwrap_or(u32::MAX);
        self.open -= 1;
        if why == Why::Refused || why == Why::Timeout || why == Why::Gone {
            self.note_closed(id);
        }
        self.give_credit(id, unread);
        if self.open == 0 {
            self.rest();
        }
        self.wake_next();
    }

    /// Lets the stream that has waited longest for the output go on, if there is room.
    pub(super) fn wake_next(&mut self) {
        if self.out.room() == 0 || self.send_window <= 0 {
            return;
        }
        while let Some(id) = self.out.waiting.pop_front() {
            if let Some(stream) = self.streams.get(&id).filter(|s| !s.is_closed()) {
                stream.wake();
                return;
            }
        }
    }

    /// Whether a stream is over: `None` where its task has gone, too.
    pub(super) fn why_closed(&self, id: u32) -> Option<Why> {
        match self.streams.get(&id)?.phase {
            Phase::Closed(why) => Some(why),
            Phase::Open | Phase::Ended => None,
        }
    }

    fn send_continue(&mut self, id: u32) {
        let mut block = std::mem::take(&mut self.block_out);
        self.encoder.begin(&mut block);
        self.encoder.status(&mut block, 100);
        self.push_block(id, &block, false);
        block.clear();
        self.block_out = block;
        self.wake_writer();
    }

    /// Takes a panic note: the task of a stream went without finishing it.
    pub(super) fn lost(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(|s| !s.is_closed()) {
            self.count(Event::Panic);
            self.reset(id, Code::Internal, Why::Done);
        }
        self.streams.remove(&id);
    }
}
