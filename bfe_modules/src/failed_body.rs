//! A body that could not be read.

use bfe_http::{Body, BodyError, BodyStream};
use bytes::Bytes;
use std::task::{Context, Poll};

/// Gives the error that reading a body ended with: what had been read is lost, and the client is to see that the
/// answer has no end.
pub(crate) fn failed(error: BodyError) -> Body {
    Body::Stream(Box::new(Failed(Some(error))))
}

struct Failed(Option<BodyError>);

impl BodyStream for Failed {
    fn poll_data(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
