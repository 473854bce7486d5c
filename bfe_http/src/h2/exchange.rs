//! A stream as the pipeline sees it: one request, and the way back of its response.

use super::connection::Inner;
use super::respond::Rest;
use super::stream::{Phase, RequestBody};
use super::wire::Event;
use crate::h1::server::{SendOptions, Sent};
use crate::h1::timer::Deadline;
use crate::{Body, Exchange, Response};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// The way back of one request. Dropped without [`finish`](Self::finish), it resets its stream.
pub struct StreamExchange {
    pub(super) inner: Rc<RefCell<Inner>>,
    pub(super) id: u32,
    pub(super) is_head: bool,
    protocol: Bytes,
    /// A response has been handed over.
    pub(super) responded: Cell<bool>,
    /// What of it waits for the end of the request.
    pub(super) rest: RefCell<Rest>,
    read_deadline: RefCell<Deadline>,
    write_deadline: RefCell<Deadline>,
}

impl StreamExchange {
    pub(super) fn new(inner: &Rc<RefCell<Inner>>, id: u32, method: &[u8], protocol: Bytes) -> Self {
        Self {
            inner: Rc::clone(inner),
            id,
            is_head: method == b"HEAD",
            protocol,
            responded: Cell::new(false),
            rest: RefCell::default(),
            read_deadline: RefCell::default(),
            write_deadline: RefCell::default(),
        }
    }

    pub(super) fn request_body(&self) -> Body {
        Body::Stream(Box::new(RequestBody::new(Rc::clone(&self.inner), self.id)))
    }

    /// What the client wants to speak on this stream in place of HTTP (RFC 8441); it waits for an answer to that.
    /// See [`into_tunnel`](Self::into_tunnel). `None` for a request.
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        (!self.protocol.is_empty()).then_some(&self.protocol)
    }

    /// Waits until the stream is over because its client has gone, or has broken the rules.
    pub async fn gone(&self) {
        poll_fn(|cx| match self.inner.borrow_mut().streams.get_mut(&self.id) {
            Some(stream) if !stream.is_closed() => {
                stream.wait(cx);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// Does `work`, which serves the request. When the client takes too long over its body, or over the
    /// response, the stream is reset, and the work goes on with what comes of that.
    pub async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(done) = work.as_mut().poll(cx) {
                    return Poll::Ready(done);
                }
                if !self.times_out(cx) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Ends the request. With `close` the whole connection ends, with what has been sent already: the
    /// response has no end then, and where it was not sent yet it is lost (lifecycle 2.2).
    pub async fn finish(&self, close: bool) {
        self.end_response(close).await;
        if close {
            self.inner.borrow_mut().close();
        }
    }

    /// Looks at the time limits; says whether one has passed just now.
    fn times_out(&self, cx: &mut Context<'_>) -> bool {
        let phase = self.inner.borrow().streams.get(&self.id).map(|s| s.phase);
        let late = match phase {
            Some(Phase::Open) if self.read_deadline.borrow_mut().poll_passed(cx).is_ready() => {
                Event::LateBody
            }
            Some(Phase::Open | Phase::Ended)
                if self.write_deadline.borrow_mut().poll_passed(cx).is_ready() =>
            {
                Event::LateResponse
            }
            _ => return false,
        };
        self.inner.borrow_mut().time_out(self.id, late)
    }
}

impl Exchange for StreamExchange {
    async fn respond(&self, res: &mut Response, options: &SendOptions) -> Sent {
        self.responded.set(true);
        self.send_response(res, options).await
    }

    /// Before the response this limits the request body; after it, it is the pause that the client may make
    /// once its last stream is over.
    fn set_read_deadline(&self, at: Option<Instant>) {
        if self.responded.get() {
            if let Some(at) = at {
                self.inner.borrow_mut().set_again(at.saturating_duration_since(Instant::now()));
            }
        } else {
            self.read_deadline.borrow_mut().set(at);
        }
    }

    fn set_write_deadline(&self, at: Option<Instant>) {
        self.write_deadline.borrow_mut().set(at);
    }

    fn body_read(&self) -> u64 {
        self.inner.borrow().streams.get(&self.id).map_or(0, |s| s.read)
    }
}

impl Drop for StreamExchange {
    fn drop(&mut self) {
        self.inner.borrow_mut().lost(self.id);
    }
}
