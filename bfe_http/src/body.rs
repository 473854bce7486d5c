//! Bodies: streamed from where they come, one piece at a time.

use crate::Header;
use crate::h1::SocketBody;
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The peer closed before the announced end.
    #[error("unexpected EOF")]
    UnexpectedEof,
    /// A chunked body was cut.
    #[error("http: unexpected EOF reading trailer")]
    UnexpectedEofTrailer,
    /// The chunked framing is broken.
    #[error("invalid byte in chunk length")]
    ChunkLength,
    /// The data of a chunk is longer than its length.
    #[error("malformed chunked encoding")]
    MalformedChunk,
    /// A line of the trailer is no field.
    #[error("malformed MIME header line: {0}")]
    MalformedTrailer(String),
    /// Chunk size line or trailer too long.
    #[error("header line too long")]
    LineTooLong,
    /// The peer did not send within the time allowed.
    #[error("i/o timeout")]
    Timeout,
    /// The stream of a request ended before its body did: its client has gone, or was too slow.
    #[error("{0}")]
    Stream(String),
    /// The client has gone, so the body is not wanted any more.
    #[error("use of closed network connection")]
    ClientGone,
    /// The trailer does not end, or is too long.
    #[error("http: suspiciously long trailer after chunked body")]
    LongTrailer,
    /// Any other failure of the connection.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A module that processes the body gave up.
    #[error("{0}")]
    Processing(String),
}

/// A source of body bytes, for protocols and for modules that change bodies.
pub trait BodyStream {
    /// The next piece, never empty; `None` at the end. After an error or the end it is not called again.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>>;

    /// The fields that came after the body; asked for once, at its end.
    fn take_trailers(&mut self) -> Option<Header> {
        None
    }

    /// The rest of the body as bytes of a plain connection, if it is nothing else, and none of it has been read yet.
    fn socket(&mut self) -> Option<SocketBody<'_>> {
        None
    }
}

/// The body of a message.
#[derive(Default)]
pub enum Body {
    /// No body.
    #[default]
    Empty,
    /// A body that is in memory.
    Full(Bytes),
    /// A body that comes from a connection or a module.
    Stream(Box<dyn BodyStream>),
}

impl Body {
    /// Whether there is certainly nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream(_) => false,
        }
    }

    /// The next piece, never empty; `None` at the end.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(if bytes.is_empty() { None } else { Some(Ok(bytes)) })
            }
            Self::Stream(stream) => stream.poll_data(cx),
        }
    }

    /// Reads at most `max` bytes from the start of the body, and puts them back: the body gives them again,
    /// then what follows. A body that ends before is in memory afterwards.
    ///
    /// # Errors
    /// When the body cannot be read; it is lost then.
    pub async fn peek(&mut self, max: usize) -> Result<Bytes, BodyError> {
        if let Self::Full(bytes) = self {
            return Ok(bytes.slice(..bytes.len().min(max)));
        }
        let mut seen = BytesMut::new();
        while seen.len() < max {
            match self.data().await {
                None => {
                    let seen = seen.freeze();
                    *self = Self::Full(seen.clone());
                    return Ok(seen);
                }
                Some(Err(e)) => return Err(e),
                Some(Ok(piece)) => seen.extend_from_slice(&piece),
            }
        }
        let first = seen.freeze();
        let rest = std::mem::take(self);
        *self = Self::Stream(Box::new(Peeked { first: first.clone(), rest }));
        Ok(first.slice(..max))
    }

    /// The fields that came after the body, once that has ended.
    pub fn take_trailers(&mut self) -> Option<Header> {
        match self {
            Self::Empty | Self::Full(_) => None,
            Self::Stream(stream) => stream.take_trailers(),
        }
    }

    /// See [`BodyStream::socket`].
    pub(crate) fn socket(&mut self) -> Option<SocketBody<'_>> {
        match self {
            Self::Empty | Self::Full(_) => None,
            Self::Stream(stream) => stream.socket(),
        }
    }

    /// Waits for the next piece, never empty; `None` at the end.
    pub async fn data(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }
}

/// Two pieces as one; mostly there is only one.
pub(crate) fn join(first: Bytes, second: Bytes) -> Bytes {
    if first.is_empty() { second } else { [first, second].concat().into() }
}

/// A body whose beginning has been read and put back.
struct Peeked {
    first: Bytes,
    rest: Body,
}

impl BodyStream for Peeked {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.first.is_empty() {
            return self.rest.poll_data(cx);
        }
        Poll::Ready(Some(Ok(std::mem::take(&mut self.first))))
    }

    fn take_trailers(&mut self) -> Option<Header> {
        self.rest.take_trailers()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}
