//! A request as the pipeline sees it: the way back of its response.

use super::code::Code;
use super::connection::{Active, Shared};
use super::frame::{self, kind};
use super::qpack;
use super::state::{count, http3_state};
use crate::h1::server::{SendOptions, Sent};
use crate::h1::timer::Deadline;
use crate::{Exchange, Response};
use bytes::Bytes;
use quinn::SendStream;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a connection that is to end waits for the client to take the last response.
const LINGER: Duration = Duration::from_secs(5);

/// The way back of one request. Dropped without [`finish`](Self::finish), it resets its stream.
pub struct StreamExchange {
    pub(super) side: Rc<RequestSide>,
    pub(super) is_head: bool,
    pub(super) write_deadline: RefCell<Deadline>,
    /// The response has been sent whole.
    pub(super) complete: Cell<bool>,
    responded: Cell<bool>,
    _active: Active,
}

/// What a request's body and the way back share.
pub(super) struct RequestSide {
    pub(super) shared: Rc<Shared>,
    /// Ours, but while somebody writes to it.
    pub(super) send: RefCell<Option<Output>>,
    read_deadline: RefCell<Deadline>,
    /// Bytes of the request body that have been read.
    pub(super) read: Cell<u64>,
    /// The client broke the rules, or was late: the stream ends with that, not with a response.
    pub(super) broken: Cell<Option<Code>>,
}

/// The stream of a response.
pub(super) struct Output {
    pub(super) stream: SendStream,
    /// What was to go out before, and could not at once.
    pub(super) unsent: Bytes,
}

impl StreamExchange {
    pub(super) fn new(active: Active, shared: Rc<Shared>, stream: SendStream, is_head: bool) -> Self {
        let group = http3_state::group();
        group.inc(http3_state::H3_CLIENT_REQ_SERVED);
        group.inc(http3_state::H3_CLIENT_REQ_ACTIVE);
        let side = Rc::new(RequestSide {
            shared,
            send: RefCell::new(Some(Output { stream, unsent: Bytes::new() })),
            read_deadline: RefCell::default(),
            read: Cell::new(0),
            broken: Cell::new(None),
        });
        Self {
            side,
            is_head,
            write_deadline: RefCell::default(),
            complete: Cell::new(false),
            responded: Cell::new(false),
            _active: active,
        }
    }

    pub(super) fn request_side(&self) -> Rc<RequestSide> {
        Rc::clone(&self.side)
    }

    /// Ends the request. With `close` the whole connection ends, after the client has taken what it takes of the
    /// response.
    pub async fn finish(mut self, close: bool) {
        let ends = close || self.side.shared.is_going_away();
        if self.complete.get() {
            if ends && let Some(output) = self.side.send.take() {
                // What the client does not take in this time is lost.
                let _ = timeout(LINGER, output.stream.stopped()).await;
            }
        } else {
            self.reset(self.side.broken.get().unwrap_or(Code::InternalError));
        }
        if close {
            self.side.shared.quic.close(Code::None.into(), b"");
        }
    }

    fn reset(&mut self, code: Code) {
        if let Some(mut output) = self.side.send.take() {
            let _ = output.stream.reset(code.into());
        }
        self.complete.set(true);
    }
}

impl Drop for StreamExchange {
    fn drop(&mut self) {
        http3_state::group().dec(http3_state::H3_CLIENT_REQ_ACTIVE);
        if !self.complete.get() {
            if std::thread::panicking() {
                count(http3_state::H3_PANIC_STREAM);
            }
            self.reset(Code::InternalError);
        }
    }
}

impl Exchange for StreamExchange {
    async fn respond(&self, res: &mut Response, options: &SendOptions) -> Sent {
        self.responded.set(true);
        self.send_response(res, options).await
    }

    /// Limits the request body. The pause between two requests is limited by the transport.
    fn set_read_deadline(&self, at: Option<Instant>) {
        if !self.responded.get() {
            self.side.read_deadline.borrow_mut().set(at);
        }
    }

    fn set_write_deadline(&self, at: Option<Instant>) {
        self.write_deadline.borrow_mut().set(at);
    }

    fn body_read(&self) -> u64 {
        self.side.read.get()
    }
}

impl RequestSide {
    /// Whether the body has taken too long.
    pub(super) fn is_late(&self, cx: &mut Context<'_>) -> bool {
        self.read_deadline.borrow_mut().poll_passed(cx).is_ready()
    }

    /// Has the client send its body, where no response is on its way yet.
    pub(super) fn send_continue(&self, cx: &mut Context<'_>) {
        let mut send = self.send.borrow_mut();
        let Some(output) = send.as_mut() else { return };
        let text = frame::whole(kind::HEADERS, &qpack::Encoder::response(100).finish());
        let written = match pin!(output.stream.write(&text)).poll(cx) {
            Poll::Ready(Ok(written)) => written,
            // The response will find out.
            Poll::Ready(Err(_)) => text.len(),
            Poll::Pending => 0,
        };
        output.unsent = Bytes::from(text).slice(written..);
    }
}
