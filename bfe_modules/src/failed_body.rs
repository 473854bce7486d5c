//! Bodies that cannot be read to their end.

use bfe_http::{Body, BodyError, BodyStream, Header};
use bytes::{Bytes, BytesMut};
use std::task::{Context, Poll};

/// Gives the error that reading a body ended with: what had been read is lost, and the client is to see that the
/// answer has no end.
pub(crate) fn failed(error: BodyError) -> Body {
    Body::Stream(Box::new(Begun { first: Bytes::new(), error: Some(error), rest: Body::Empty }))
}

/// Looks at the start of a body, as [`Body::peek`] does. Where that fails, what has come of the body stays in it, with
/// the error behind.
pub(crate) async fn peek(body: &mut Body, max: usize) -> Option<Bytes> {
    if !matches!(body, Body::Stream(_)) {
        return body.peek(max).await.ok();
    }
    let mut rest = std::mem::take(body);
    let (mut first, mut error) = (BytesMut::new(), None);
    while first.len() < max && error.is_none() {
        match rest.data().await {
            Some(Ok(piece)) => first.extend_from_slice(&piece),
            Some(Err(e)) => error = Some(e),
            None => {
                let all = first.freeze();
                *body = Body::Full(all.clone());
                return Some(all);
            }
        }
    }
    let first = first.freeze();
    let seen = error.is_none().then(|| first.slice(..first.len().min(max)));
    *body = Body::Stream(Box::new(Begun { first, error, rest }));
    seen
}

/// The start of a body, and what follows: an error, or the rest.
struct Begun {
    first: Bytes,
    error: Option<BodyError>,
    rest: Body,
}

impl BodyStream for Begun {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        match self.error.take() {
            Some(error) => Poll::Ready(Some(Err(error))),
            None => self.rest.poll_data(cx),
        }
    }

    fn take_trailers(&mut self) -> Option<Header> {
        self.rest.take_trailers()
    }
}
