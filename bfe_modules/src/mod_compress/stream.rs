//! A body that is compressed while it is sent.

use super::rule::Method;
use bfe_http::{Body, BodyError, BodyStream};
use brotli::CompressorWriter;
use bytes::{Buf as _, Bytes};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write as _};
use std::task::{Context, Poll};

/// Window of brotli, as a power of two: what a response costs in memory depends on it.
const BROTLI_WINDOW: u32 = 18;
/// Input buffer of brotli, in bytes.
const BROTLI_BUFFER: usize = 4096;
/// Most of the source that is compressed at once, so that one large body does not hold up the others.
const MAX_AT_ONCE: usize = 32 * 1024;

enum Encoder {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
}

impl Encoder {
    fn new(method: Method) -> Self {
        match method {
            Method::Gzip(level) => Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::new(level)))),
            Method::Brotli(quality) => {
                let writer = CompressorWriter::new(Vec::new(), BROTLI_BUFFER, quality, BROTLI_WINDOW);
                Self::Brotli(Box::new(writer))
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Brotli(encoder) => encoder.write_all(bytes),
        }
    }

    /// Passes on all that has been written, so that the client can decode it.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
        }
    }

    /// What has come out since the last time.
    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Gzip(encoder) => std::mem::take(encoder.get_mut()),
            Self::Brotli(encoder) => std::mem::take(encoder.get_mut()),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
        }
    }
}

/// The body.
pub(super) struct Compressed {
    source: Body,
    /// What has been read of the source and not been compressed yet.
    rest: Bytes,
    /// `None` once the end has been passed on.
    encoder: Option<Encoder>,
    flush_size: usize,
    /// Bytes written since the last flush.
    unflushed: usize,
}

impl Compressed {
    pub(super) fn new(source: Body, method: Method, flush_size: usize) -> Self {
        Self { source, rest: Bytes::new(), encoder: Some(Encoder::new(method)), flush_size, unflushed: 0 }
    }

    /// Compresses what has been read, up to a limit; gives what has been flushed.
    fn compress(&mut self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let Some(encoder) = &mut self.encoder else { return Ok(out) };
        let mut budget = MAX_AT_ONCE;
        while !self.rest.is_empty() && budget > 0 {
            let size = self.rest.len().min(self.flush_size - self.unflushed).min(budget);
            encoder.write(self.rest.get(..size).unwrap_or_default())?;
            self.rest.advance(size);
            budget -= size;
            self.unflushed += size;
            if self.unflushed == self.flush_size {
                encoder.flush()?;
                self.unflushed = 0;
                // What an encoder gives before it is flushed waits in it.
                out.append(&mut encoder.take());
            }
        }
        Ok(out)
    }
}

impl BodyStream for Compressed {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if self.rest.is_empty() {
                match self.source.poll_data(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(piece))) => self.rest = piece,
                    Poll::Ready(Some(Err(e))) => {
                        self.encoder = None;
                        return Poll::Ready(Some(Err(e)));
                    }
                    Poll::Ready(None) => {
                        let Some(encoder) = self.encoder.take() else { return Poll::Ready(None) };
                        let end = encoder.finish().map(Bytes::from).map_err(BodyError::Io);
                        return Poll::Ready(Some(end));
                    }
                }
            }
            match self.compress() {
                Ok(out) if out.is_empty() => {}
                Ok(out) => return Poll::Ready(Some(Ok(Bytes::from(out)))),
                Err(e) => return Poll::Ready(Some(Err(BodyError::Io(e)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::task::Waker;

    /// Gives its pieces, with a pause after each.
    struct Slow(Vec<Option<Bytes>>);

    impl BodyStream for Slow {
        fn poll_data(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
            match self.0.pop() {
                Some(Some(piece)) => Poll::Ready(Some(Ok(piece))),
                Some(None) => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    fn slow(pieces: &[&[u8]]) -> Body {
        let pieces = pieces.iter().rev().flat_map(|p| [None, Some(Bytes::copy_from_slice(p))]);
        Body::Stream(Box::new(Slow(pieces.collect())))
    }

    fn decode(method: Method, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        // What is there so far can be read, also where the end is missing.
        let _ = match method {
            Method::Gzip(_) => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
            Method::Brotli(_) => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
        };
        out
    }

    /// What has come out at each pause, decoded, and at the end.
    fn run(source: Body, method: Method, flush_size: usize) -> Vec<Vec<u8>> {
        let mut body = Compressed::new(source, method, flush_size);
        let mut cx = Context::from_waker(Waker::noop());
        let (mut sent, mut stages) = (Vec::new(), Vec::new());
        loop {
            match body.poll_data(&mut cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    assert!(!piece.is_empty());
                    sent.extend_from_slice(&piece);
                }
                Poll::Ready(Some(Err(e))) => panic!("{e}"),
                Poll::Ready(None) => {
                    stages.push(decode(method, &sent));
                    return stages;
                }
                Poll::Pending => stages.push(decode(method, &sent)),
            }
        }
    }

    const METHODS: [Method; 4] = [Method::Gzip(0), Method::Gzip(6), Method::Brotli(0), Method::Brotli(5)];

    #[test]
    fn compress_7_nothing_is_passed_on_before_flush_size() {
        for method in METHODS {
            let stages = run(slow(&[&[b'a'; 10], &[b'b'; 60], &[b'c'; 10]]), method, 64);
            let sizes: Vec<_> = stages.iter().map(Vec::len).collect();
            assert_eq!(sizes, [0, 64, 64, 80], "{method:?}");
        }
    }

    #[test]
    fn compress_1_bodies_of_all_sizes_come_back() {
        for method in METHODS {
            for size in [0usize, 1, 4096, 4097, 300_000] {
                let text: Vec<u8> = (0..size).map(|i| u8::try_from(i * i % 251).unwrap()).collect();
                for source in [Body::Full(text.clone().into()), slow(&[&text, &text])] {
                    let twice = matches!(source, Body::Stream(_));
                    let want = if twice { text.repeat(2) } else { text.clone() };
                    let got = run(source, method, 4096).pop().unwrap();
                    assert!(got == want, "{method:?} {size}: {} bytes", got.len());
                }
            }
        }
    }
}
