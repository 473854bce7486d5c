//! The body of a request, held so that each attempt can send it again (ai-gateway 3.2).

use crate::pipeline::body;
use crate::worker::Worker;
use bfe_basic::condition::json;
use bfe_basic::{BodyPeek, Request};
use bfe_http::{Body, BodyError, BodyStream, Header};
use bytes::{Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The body of a request: all of it, or its first `AccessibleBodySize` bytes, and what follows.
pub(super) struct Replay {
    source: Rc<Source>,
    /// Nothing follows. A body of just `AccessibleBodySize` bytes does not count as whole.
    is_whole: bool,
    /// `TotalBodyBufferSize`
    limit: Option<NonZeroUsize>,
    /// Where the body lives that was put into the request: a module may replace it.
    own: Option<*const ()>,
}

/// What the bodies of all attempts read from.
struct Source {
    start: RefCell<Bytes>,
    rest: RefCell<Body>,
    trailers: RefCell<Option<Header>>,
    /// The start has been given.
    is_begun: Cell<bool>,
    /// What follows has been asked for, or can be asked for no more.
    is_spent: Cell<bool>,
}

impl Replay {
    /// Reads the body, or its start, and leaves it in the request to be sent and to be looked into.
    ///
    /// # Errors
    /// When the client does not send it.
    pub(super) async fn read(worker: &Worker, req: &mut Request) -> Result<Self, BodyError> {
        let server = &worker.config().server;
        let limit = server.total_body_buffer_size;
        let mut rest = std::mem::take(&mut req.http.body);
        let max = server.accessible_body_size;
        let start = read_start(&mut rest, max).await.inspect_err(|_| req.body_peek = BodyPeek::Failed)?;
        let is_whole = start.len() < max;
        let trailers = if is_whole { rest.take_trailers() } else { None };
        let start = body::held(start, limit);
        req.body_peek = BodyPeek::Read(start.clone());
        let source = Source {
            start: RefCell::new(start),
            rest: RefCell::new(if is_whole { Body::Empty } else { rest }),
            trailers: RefCell::new(trailers),
            is_begun: Cell::new(false),
            is_spent: Cell::new(false),
        };
        let mut replay = Self { source: Rc::new(source), is_whole, limit, own: None };
        replay.put(req);
        Ok(replay)
    }

    /// Whether another attempt may follow the next one, as far as can be told before that: not while too much is
    /// held, and not where a module has put a body of its own in the place of this one (ai-gateway 4.3).
    pub(super) fn prepare(&self, req: &Request) -> bool {
        !body::is_full(self.limit) && self.is_own(req)
    }

    /// Puts the body back for another attempt; false where it is gone.
    pub(super) fn rewind(&mut self, req: &mut Request) -> bool {
        if self.is_whole {
            self.put(req);
        } else if self.source.is_spent.get() {
            return false;
        }
        self.source.is_begun.set(false);
        true
    }

    /// Writes a text into the part of the body that is held, as a member of its object; false where it has no
    /// members.
    pub(super) fn set(&mut self, req: &mut Request, name: &str, text: &[u8]) -> bool {
        let edited = json::set_text(&self.source.start.borrow(), name, text);
        let Some(edited) = edited else { return false };
        let edited = body::held(edited.into(), self.limit);
        req.body_peek = BodyPeek::Read(edited.clone());
        *self.source.start.borrow_mut() = edited;
        self.source.is_begun.set(false);
        // A body that was empty has to become one.
        if req.http.body.is_empty() && self.own.is_none() {
            self.put(req);
        }
        true
    }

    fn put(&mut self, req: &mut Request) {
        if self.is_whole && self.source.start.borrow().is_empty() {
            self.own = None;
            req.http.body = Body::Empty;
            return;
        }
        let body: Box<dyn BodyStream> = Box::new(Play(Rc::clone(&self.source)));
        self.own = Some(address(&*body));
        req.http.body = Body::Stream(body);
    }

    /// Whether the request still has the body that was put there.
    fn is_own(&self, req: &Request) -> bool {
        match (&req.http.body, self.own) {
            (Body::Stream(stream), Some(own)) => std::ptr::eq(address(&**stream), own),
            // Also one that has been sent.
            (Body::Empty, _) => true,
            (Body::Full(bytes), None) => bytes.is_empty(),
            _ => false,
        }
    }
}

/// Reads at most `max` bytes, and leaves what follows.
async fn read_start(body: &mut Body, max: usize) -> Result<Bytes, BodyError> {
    if let Body::Full(bytes) = body {
        let start = bytes.split_to(bytes.len().min(max));
        return Ok(start);
    }
    let mut start = BytesMut::new();
    while start.len() < max {
        let Some(piece) = body.data().await else { break };
        let mut piece = piece?;
        let room = max - start.len();
        if piece.len() > room {
            let rest = piece.split_off(room);
            *body = Body::Stream(Box::new(Ahead { piece: rest, rest: std::mem::take(body) }));
        }
        start.extend_from_slice(&piece);
    }
    Ok(start.freeze())
}

fn address(stream: &dyn BodyStream) -> *const () {
    std::ptr::from_ref(stream).cast()
}

/// The body of one attempt.
struct Play(Rc<Source>);

impl BodyStream for Play {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if !self.0.is_begun.replace(true) {
            let start = self.0.start.borrow().clone();
            if !start.is_empty() {
                return Poll::Ready(Some(Ok(start)));
            }
        }
        self.0.is_spent.set(true);
        self.0.rest.borrow_mut().poll_data(cx)
    }

    fn take_trailers(&mut self) -> Option<Header> {
        self.0.trailers.borrow().clone().or_else(|| self.0.rest.borrow_mut().take_trailers())
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        // What is not sent to one backend is not sent to another.
        self.0.is_spent.set(true);
    }
}

/// A piece that has been read ahead, and what follows it.
struct Ahead {
    piece: Bytes,
    rest: Body,
}

impl BodyStream for Ahead {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.piece.is_empty() {
            return self.rest.poll_data(cx);
        }
        Poll::Ready(Some(Ok(std::mem::take(&mut self.piece))))
    }

    fn take_trailers(&mut self) -> Option<Header> {
        self.rest.take_trailers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    struct Pieces(Vec<&'static [u8]>);

    impl BodyStream for Pieces {
        fn poll_data(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
            let piece = (!self.0.is_empty()).then(|| self.0.remove(0));
            Poll::Ready(piece.map(|piece| Ok(Bytes::from_static(piece))))
        }
    }

    fn replay(pieces: &[&'static [u8]], max: usize) -> (Replay, Request) {
        let mut rest = Body::Stream(Box::new(Pieces(pieces.to_vec())));
        let start = block_on(read_start(&mut rest, max)).unwrap();
        let is_whole = start.len() < max;
        let source = Source {
            start: RefCell::new(start),
            rest: RefCell::new(rest),
            trailers: RefCell::default(),
            is_begun: Cell::new(false),
            is_spent: Cell::new(false),
        };
        let mut replay = Replay { source: Rc::new(source), is_whole, limit: None, own: None };
        let http = bfe_http::Request::new("POST", "/", "h").unwrap();
        let mut req = Request::new(Rc::default(), http);
        replay.put(&mut req);
        (replay, req)
    }

    /// Sends the body.
    fn sent(req: &mut Request) -> String {
        let mut body = std::mem::take(&mut req.http.body);
        let mut all = Vec::new();
        while let Some(piece) = block_on(body.data()) {
            all.extend_from_slice(&piece.unwrap());
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn aif_5_a_body_that_is_whole_can_be_sent_again() {
        let (mut replay, mut req) = replay(&[b"abc", b"def"], 7);
        for _ in 0..3 {
            assert!(replay.prepare(&req));
            assert_eq!(sent(&mut req), "abcdef");
            assert!(replay.prepare(&req) && replay.rewind(&mut req));
        }
    }

    #[test]
    fn aif_5_a_longer_one_only_before_it_has_been_sent() {
        for max in [6, 4, 3, 1] {
            let (mut replay, mut req) = replay(&[b"abc", b"def"], max);
            // Nothing has been sent: no connection, for example.
            assert!(replay.prepare(&req) && replay.rewind(&mut req), "{max}");
            assert_eq!(sent(&mut req), "abcdef", "{max}");
            assert!(replay.prepare(&req) && !replay.rewind(&mut req), "{max}");
        }
    }

    #[test]
    fn aim_what_is_written_stays() {
        let (mut whole, mut req) = replay(&[br#"{"model":"a"}"#], 100);
        assert!(whole.set(&mut req, "model", b"b"));
        assert_eq!(sent(&mut req), r#"{"model":"b"}"#);
        assert!(whole.rewind(&mut req));
        assert_eq!(sent(&mut req), r#"{"model":"b"}"#);
        // Of a body that is not whole, what is held is edited.
        let (mut part, mut req) = replay(&[br#"{"model":"a","n":[1"#, b",2]}"], 19);
        assert!(part.set(&mut req, "model", b"b"));
        assert_eq!(sent(&mut req), r#"{"model":"b","n":[1,2]}"#);
        let (mut part, mut req) = replay(&[br#"{"n":[1,2],"model":"a"}"#], 8);
        assert!(part.set(&mut req, "model", b"b"));
        assert_eq!(sent(&mut req), r#","model":"b"}2],"model":"a"}"#);
        // One that is empty becomes an object.
        let (mut empty, mut req) = replay(&[], 8);
        assert!(req.http.body.is_empty() && empty.set(&mut req, "model", b"b"));
        assert_eq!(sent(&mut req), r#"{"model":"b"}"#);
        let (mut array, mut req) = replay(&[b"[1]"], 8);
        assert!(!array.set(&mut req, "model", b"b"));
        assert_eq!(sent(&mut req), "[1]");
    }

    #[test]
    fn aib_10_a_body_that_a_module_has_replaced_is_sent_once() {
        let (mut replay, mut req) = replay(&[br#"{"model":"a"}"#], 100);
        let inner = std::mem::take(&mut req.http.body);
        req.http.body = Body::Stream(Box::new(Ahead { piece: Bytes::from_static(b">"), rest: inner }));
        assert!(!replay.prepare(&req));
        assert!(replay.set(&mut req, "model", b"b"), "what it reads from can be edited all the same");
        assert_eq!(sent(&mut req), r#">{"model":"b"}"#);
    }
}
