//! The body of a request.

use super::code::{Code, Fault};
use super::exchange::RequestSide;
use super::frame::{Piece, kind};
use super::incoming::{Cut, Incomplete, trailers};
use super::state::{count, http3_state};
use crate::{BodyError, BodyStream, Header};
use bytes::Bytes;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A body as its stream brings it. What is not read of it the client need not send.
pub(super) struct RequestBody {
    recv: Incomplete,
    /// What came with the head.
    first: Option<Piece>,
    declared: Option<u64>,
    received: u64,
    /// The client waits for `100 Continue`.
    continue_due: bool,
    trailers: Option<Header>,
    /// All of it has come, or what was wrong with it has been told.
    ended: bool,
    side: Rc<RequestSide>,
}

impl RequestBody {
    pub(super) fn new(
        recv: Incomplete,
        first: Option<Piece>,
        declared: Option<u64>,
        continue_due: bool,
        side: Rc<RequestSide>,
    ) -> Self {
        Self { recv, first, declared, received: 0, continue_due, trailers: None, ended: false, side }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, Cut>> {
        match self.first.take() {
            Some(piece) => Poll::Ready(Ok(Some(piece))),
            // Nothing is lost with this future: it only waits.
            None => pin!(self.recv.next()).poll(cx),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            let piece = match self.poll_piece(cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending if self.side.is_late(cx) => {
                    count(http3_state::H3_TIMEOUT_READ_STREAM);
                    return Poll::Ready(Err(self.refuse(Code::RequestCancelled, "read stream timeout")));
                }
                Poll::Pending => return Poll::Pending,
            };
            match self.take(piece) {
                Ok(ControlFlow::Break(next)) => return Poll::Ready(Ok(next)),
                Ok(ControlFlow::Continue(())) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// What a piece is of the body: some bytes, its end, or nothing.
    fn take(&mut self, piece: Result<Option<Piece>, Cut>) -> Result<ControlFlow<Option<Bytes>>, BodyError> {
        let piece = piece.map_err(|cut| match cut {
            Cut::Reset => {
                count(http3_state::H3_ERR_GOT_RESET);
                BodyError::Stream("stream reset by peer".to_owned())
            }
            Cut::Gone => BodyError::Stream("client disconnected".to_owned()),
            Cut::Fault(Fault::LongList) => self.refuse(Code::ExcessiveLoad, "trailer too long"),
            Cut::Fault(Fault::Connection(code)) => self.fail(code),
        })?;
        match piece {
            None => match self.declared.filter(|declared| *declared != self.received) {
                None => Ok(ControlFlow::Break(None)),
                Some(declared) => Err(self.malformed(format!(
                    "request declared a Content-Length of {declared} but only wrote {} bytes",
                    self.received
                ))),
            },
            // Nothing but frames without a meaning comes behind trailers.
            Some(_) if self.trailers.is_some() => Err(self.fail(Code::FrameUnexpected)),
            Some(Piece::Data(data)) => {
                self.received += data.len() as u64;
                match self.declared.filter(|declared| self.received > *declared) {
                    None => Ok(ControlFlow::Break(Some(data))),
                    Some(declared) => Err(self.malformed(format!(
                        "sender tried to send more than declared Content-Length of {declared} bytes"
                    ))),
                }
            }
            Some(Piece::Frame(kind::HEADERS, list)) => match trailers(&self.side.shared, &list) {
                Ok(trailers) => {
                    self.trailers = Some(trailers);
                    Ok(ControlFlow::Continue(()))
                }
                Err(_) => Err(self.malformed("malformed trailer".to_owned())),
            },
            Some(Piece::Frame(..)) => Err(self.fail(Code::FrameUnexpected)),
        }
    }

    /// Breaks the request off.
    fn refuse(&mut self, code: Code, why: &str) -> BodyError {
        let _ = self.recv.stream.stop(code.into());
        self.side.broken.set(Some(code));
        BodyError::Stream(why.to_owned())
    }

    fn malformed(&mut self, why: String) -> BodyError {
        count(http3_state::H3_ERR_BAD_REQUEST);
        let _ = self.recv.stream.stop(Code::Message.into());
        self.side.broken.set(Some(Code::Message));
        BodyError::Io(io::Error::other(why))
    }

    /// Ends the connection.
    fn fail(&mut self, code: Code) -> BodyError {
        self.side.shared.fail(code, "a frame that has no place in a request");
        BodyError::Stream("malformed frame".to_owned())
    }
}

impl BodyStream for RequestBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if std::mem::take(&mut self.continue_due) {
            self.side.send_continue(cx);
        }
        let next = std::task::ready!(self.poll_next(cx));
        match &next {
            Ok(Some(data)) => self.side.read.set(self.side.read.get() + data.len() as u64),
            Ok(None) | Err(_) => self.ended = true,
        }
        Poll::Ready(next.transpose())
    }

    fn take_trailers(&mut self) -> Option<Header> {
        self.trailers.take()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.ended {
            // The answer does not need it.
            let _ = self.recv.stream.stop(Code::None.into());
        }
    }
}
