//! A body that is taken apart and put together again while it is sent.

use super::decoder::{Decoded, Decoder, MAX_EVENT};
use super::event::Event;
use super::text_filter::{TextFilter, Verdict};
use super::usage::Collector;
use bfe_http::{Body, BodyError, BodyStream, Header};
use bfe_module::LocalBoxFuture;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Most that is put together before it is passed on, in bytes.
const MAX_OUT: usize = 64 * 1024;

/// The body.
pub(super) struct Processed {
    source: Body,
    decoder: Decoder,
    collector: Option<Collector>,
    filters: Vec<Arc<TextFilter>>,
    /// Read, and not taken apart.
    buffer: BytesMut,
    /// Put together, and not passed on.
    out: BytesMut,
    /// The event that a service is looking at.
    asking: Option<LocalBoxFuture<'static, Result<Event, BodyError>>>,
    /// How the body ends, once that is known.
    end: Option<End>,
}

/// How a body ends.
enum End {
    /// The source has: what is left of it is to be taken apart.
    Source(Option<BodyError>),
    /// With an error, after what has been put together.
    Failed(BodyError),
    /// It has ended.
    Done,
}

impl Processed {
    pub(super) fn new(
        source: Body,
        decoder: Decoder,
        collector: Option<Collector>,
        filters: Vec<Arc<TextFilter>>,
    ) -> Self {
        let (buffer, out) = (BytesMut::new(), BytesMut::new());
        Self { source, decoder, collector, filters, buffer, out, asking: None, end: None }
    }

    /// Takes an event in hand.
    fn process(&mut self, decoded: Decoded) {
        match decoded {
            Decoded::Part(bytes) if self.filters.is_empty() => self.out.extend_from_slice(&bytes),
            // Nobody could look at it as a whole.
            Decoded::Part(_) => {
                let reason = format!("there is an event of more than {MAX_EVENT} bytes");
                self.end = Some(End::Failed(failure(&reason)));
            }
            Decoded::Event(event) => {
                if let Some(collector) = &self.collector {
                    collector.see(&event.content());
                }
                if self.filters.is_empty() {
                    self.out.extend_from_slice(&event.bytes());
                } else {
                    self.asking = Some(Box::pin(audit(event, self.filters.clone())));
                }
            }
        }
    }

    /// Goes on until there is something to pass on, and then as long as nothing has to be waited for. Waiting is
    /// `Pending`; what has been put together may be passed on all the same.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.out.len() < MAX_OUT {
            if let Some(asking) = &mut self.asking {
                let audited = ready!(asking.as_mut().poll(cx));
                self.asking = None;
                match audited {
                    Ok(event) => self.out.extend_from_slice(&event.bytes()),
                    Err(error) => self.end = Some(End::Failed(error)),
                }
                continue;
            }
            if let Some(End::Failed(_) | End::Done) = self.end {
                break;
            }
            match self.decoder.decode(&mut self.buffer, self.end.is_some()) {
                Ok(Some(decoded)) => self.process(decoded),
                Err(reason) => self.end = Some(End::Failed(failure(&reason))),
                Ok(None) => {
                    if let Some(End::Source(error)) = &mut self.end {
                        self.end = Some(error.take().map_or(End::Done, End::Failed));
                        continue;
                    }
                    match ready!(self.source.poll_data(cx)) {
                        Some(Ok(piece)) => self.buffer.extend_from_slice(&piece),
                        Some(Err(error)) => self.end = Some(End::Source(Some(error))),
                        None => self.end = Some(End::Source(None)),
                    }
                }
            }
        }
        Poll::Ready(())
    }
}

impl BodyStream for Processed {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let filled = self.poll_fill(cx);
        if !self.out.is_empty() {
            return Poll::Ready(Some(Ok(self.out.split().freeze())));
        }
        ready!(filled);
        match self.end.replace(End::Done) {
            Some(End::Failed(error)) => Poll::Ready(Some(Err(error))),
            _ => Poll::Ready(None),
        }
    }

    fn take_trailers(&mut self) -> Option<Header> {
        self.source.take_trailers()
    }
}

fn failure(reason: &str) -> BodyError {
    BodyError::Processing(format!("BodyProcessError: {reason}"))
}

/// Has services look at an event, one after the other.
async fn audit(mut event: Event, filters: Vec<Arc<TextFilter>>) -> Result<Event, BodyError> {
    for filter in filters {
        match filter.ask(&event.bytes()).await {
            Verdict::Pass => {}
            Verdict::Replace(text) => event.replace(text),
            Verdict::Refuse(why) => return Err(failure(&why)),
        }
    }
    Ok(event)
}
