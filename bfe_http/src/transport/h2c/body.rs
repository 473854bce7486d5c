//! Bodies on streams.

use super::connections::Lent;
use super::message;
use crate::{Body, BodyError, BodyStream, Header};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use std::io;
use std::task::{Context, Poll, ready};

/// The body of a request on its way.
pub(super) struct Sending {
    body: Body,
    stream: SendStream<Bytes>,
    /// What has been read of the body and not been sent.
    piece: Bytes,
}

/// Why a body is not sent to its end.
pub(super) enum Unsent {
    /// It could not be read.
    Body(BodyError),
    /// The stream is over.
    Stream,
}

impl Sending {
    pub(super) fn new(body: Body, stream: SendStream<Bytes>) -> Self {
        Self { body, stream, piece: Bytes::new() }
    }

    /// Sends what can be sent. Ready once all is.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        loop {
            if self.piece.is_empty() {
                match self.body.poll_data(cx) {
                    Poll::Pending => {
                        return match self.stream.poll_reset(cx) {
                            Poll::Ready(_) => Poll::Ready(Err(Unsent::Stream)),
                            Poll::Pending => Poll::Pending,
                        };
                    }
                    Poll::Ready(None) => {
                        let sent = self.stream.send_data(Bytes::new(), true);
                        return Poll::Ready(sent.map_err(|_| Unsent::Stream));
                    }
                    Poll::Ready(Some(Err(e))) => {
                        self.stream.send_reset(Reason::CANCEL);
                        return Poll::Ready(Err(Unsent::Body(e)));
                    }
                    Poll::Ready(Some(Ok(piece))) => self.piece = piece,
                }
                continue;
            }
            self.stream.reserve_capacity(self.piece.len());
            while self.stream.capacity() == 0 {
                match ready!(self.stream.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Poll::Ready(Err(Unsent::Stream)),
                }
            }
            let n = self.stream.capacity().min(self.piece.len());
            if self.stream.send_data(self.piece.split_to(n), false).is_err() {
                return Poll::Ready(Err(Unsent::Stream));
            }
        }
    }
}

/// The body of a response, and its trailers.
pub(super) struct Answer {
    stream: RecvStream,
    /// What is left of the request.
    sending: Option<Sending>,
    /// Bytes given on that the backend has not been told of: its window opens when they have been used.
    used: usize,
    trailers: Option<Header>,
    /// Counts the stream until it is over.
    _lent: Lent,
}

impl Answer {
    pub(super) fn new(stream: RecvStream, sending: Option<Sending>, lent: Lent) -> Self {
        Self { stream, sending, used: 0, trailers: None, _lent: lent }
    }

    /// As the body of a response; nothing where the stream has ended with its head.
    pub(super) fn into_body(self) -> Body {
        if self.stream.is_end_stream() && self.sending.is_none() {
            return Body::Empty;
        }
        Body::Stream(Box::new(self))
    }

    fn fail(error: &h2::Error) -> Poll<Option<Result<Bytes, BodyError>>> {
        Poll::Ready(Some(Err(BodyError::Io(io::Error::other(error.to_string())))))
    }
}

impl BodyStream for Answer {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(sending) = &mut self.sending
            && sending.poll_send(cx).is_ready()
        {
            // A backend that has answered may refuse the rest of the request.
            self.sending = None;
        }
        if self.used > 0 {
            let used = std::mem::take(&mut self.used);
            if let Err(e) = self.stream.flow_control().release_capacity(used) {
                return Self::fail(&e);
            }
        }
        loop {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(piece)) => {
                    self.used += piece.len();
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Some(Err(e)) => return Self::fail(&e),
                None => break,
            }
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => self.trailers = trailers.map(|map| message::header(&map)),
            Err(e) => return Self::fail(&e),
        }
        Poll::Ready(None)
    }

    fn take_trailers(&mut self) -> Option<Header> {
        self.trailers.take()
    }
}
