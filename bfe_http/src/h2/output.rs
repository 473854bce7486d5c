//! What is on its way to the client: frames gather here, and go out with one write.

use crate::h1::Stream;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Streams stop adding data above so many bytes.
pub(super) const HIGH: usize = 64 * 1024;
/// Most frames that answer frames of the client and that it has not taken yet.
const MAX_CONTROL: usize = 10_000;
/// Buffers kept by a worker for reuse, and how large one may have grown.
const KEPT: (usize, usize) = (16, 128 * 1024);

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The output of a connection.
#[derive(Default)]
pub(super) struct Output {
    buf: Vec<u8>,
    /// How much of `buf` has been written.
    done: usize,
    /// Frames in `buf` that answer frames of the client.
    control: usize,
    /// Streams that wait for room, or for the window of the connection; who waits longest is first.
    pub(super) waiting: VecDeque<u32>,
}

impl Output {
    /// The buffer, to append frames to.
    pub(super) fn frames(&mut self) -> &mut Vec<u8> {
        if self.buf.capacity() == 0 {
            self.buf = POOL.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        &mut self.buf
    }

    /// The same, for a frame that answers one of the client's.
    pub(super) fn control(&mut self) -> &mut Vec<u8> {
        self.control += 1;
        self.frames()
    }

    /// Whether the client makes us answer, but does not read the answers.
    pub(super) fn is_flooded(&self) -> bool {
        self.control > MAX_CONTROL
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.buf.len() - self.done
    }

    /// How much more data streams may add.
    pub(super) fn room(&self) -> usize {
        HIGH.saturating_sub(self.len())
    }

    /// Writes all there is.
    pub(super) fn poll_write(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.done < self.buf.len() {
            let rest = self.buf.get(self.done..).unwrap_or_default();
            match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.done += n,
            }
            if self.done >= HIGH {
                self.buf.drain(..self.done);
                self.done = 0;
            }
        }
        self.control = 0;
        self.done = 0;
        self.buf.clear();
        if self.buf.capacity() > 0 {
            let buf = std::mem::take(&mut self.buf);
            if buf.capacity() <= KEPT.1 {
                POOL.with_borrow_mut(|pool| {
                    if pool.len() < KEPT.0 {
                        pool.push(buf);
                    }
                });
            }
        }
        Poll::Ready(Ok(()))
    }
}
