//! The body of a request, read from the client as it is wanted.

use super::super::chunked::{Decoded, Decoder};
use super::super::framing::Framing;
use super::{BODY_BUFFER, Inner};
use crate::{BodyError, BodyStream};
use bytes::Bytes;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// How much of the current body is still to come.
pub(super) enum BodyState {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Decoder),
    /// Nothing: read to its end, or never there.
    Done,
    /// The framing broke; what follows on the connection cannot be trusted.
    Broken,
}

impl BodyState {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None | Framing::UntilClose => Self::Done,
            Framing::Length(n) => Self::Length(n),
            Framing::Chunked => Self::Chunked(Decoder::default()),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// The body of a request as a stream.
pub(super) struct RequestBody(Rc<RefCell<Inner>>);

impl RequestBody {
    pub(super) fn new(inner: Rc<RefCell<Inner>>) -> Self {
        Self(inner)
    }
}

impl BodyStream for RequestBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.0.borrow_mut().poll_body(cx)
    }
}

impl Inner {
    /// The next piece of the current body.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.body.is_done() {
            return Poll::Ready(None);
        }
        if !self.interim.is_empty() {
            let mut interim = Bytes::from_static(self.interim);
            let written = self.poll_write_all(cx, &mut interim);
            let left = interim.len();
            self.interim = self.interim.get(self.interim.len() - left..).unwrap_or_default();
            if let Err(e) = ready!(written) {
                return Poll::Ready(Some(Err(e.into())));
            }
        }
        let next = ready!(self.poll_body_piece(cx));
        match &next {
            Some(Ok(piece)) => self.body_read += piece.len() as u64,
            Some(Err(_)) => self.body = BodyState::Broken,
            None => {}
        }
        Poll::Ready(next)
    }

    fn poll_body_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            match &mut self.body {
                BodyState::Done => return Poll::Ready(None),
                BodyState::Broken => return Poll::Ready(Some(Err(BodyError::UnexpectedEof))),
                BodyState::Length(left) if !self.buf.is_empty() => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buf.len());
                    *left -= n as u64;
                    let piece = self.buf.split_to(n).freeze();
                    if *left == 0 {
                        self.body = BodyState::Done;
                    }
                    return Poll::Ready(Some(Ok(piece)));
                }
                BodyState::Length(_) => {}
                BodyState::Chunked(decoder) => match decoder.decode(&mut self.buf) {
                    Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(data))),
                    Ok(Decoded::NeedMore) => {}
                    Ok(Decoded::End) => {
                        self.body = BodyState::Done;
                        return Poll::Ready(None);
                    }
                    Err(e) => return Poll::Ready(Some(Err(e))),
                },
            }
            match ready!(self.poll_fill(cx, BODY_BUFFER)) {
                Ok(0) => {
                    let error = match &self.body {
                        BodyState::Chunked(decoder) => decoder.eof(&self.buf),
                        _ => BodyError::UnexpectedEof,
                    };
                    return Poll::Ready(Some(Err(error)));
                }
                Ok(_) => {}
                Err(e) => return Poll::Ready(Some(Err(e))),
            }
        }
    }
}
