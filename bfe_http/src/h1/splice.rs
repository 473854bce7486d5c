//! Large bodies between two plain connections: the kernel moves them, through a pipe, without a copy into this
//! process and another out of it.
//!
//! A pipe is lent while something is in it, so that a backend or client that is slow to begin holds none. There are
//! at most [`MAX_PIPES`] to a worker, fewer where descriptors are scarce; a body that gets none is copied, as small ones
//! are.

use std::cell::Cell;
use std::io;
use std::task::{Context, Poll, ready};
use tokio::net::TcpStream;

/// Bodies are moved this way while so many bytes are still to come: a pipe does not pay for less.
pub(crate) const LARGE: u64 = 64 * 1024;
/// Most pipes of a worker, each of two descriptors; what is in it at most is [`ROOM`].
const MAX_PIPES: usize = 64;
/// Room of a pipe, and most that is moved at once. With the usual 64 KiB a response of 1 MB cost a quarter more
/// processor time; with 1 MiB hardly less.
const ROOM: usize = 256 * 1024;

thread_local! {
    /// Most pipes of this worker.
    static LIMIT: Cell<usize> = const { Cell::new(MAX_PIPES) };
}

/// Lets the calling worker have at most so many pipes, two descriptors each; never more than 64.
pub fn limit_pipes(most: usize) {
    LIMIT.set(most.min(MAX_PIPES));
}

/// What is left of a body: so many bytes of a plain connection, as they come.
pub struct SocketBody<'a> {
    /// Where they come from.
    pub(crate) from: &'a TcpStream,
    /// How many.
    pub(crate) left: &'a mut u64,
}

/// The way through a pipe, for one body.
#[derive(Default)]
pub(crate) struct Passage {
    /// None while there is nothing in it.
    pipe: Option<pipe::Pipe>,
    /// Bytes that are in it.
    held: usize,
}

/// Why a body was not moved to its end.
pub(crate) enum Broken {
    /// It could not be read.
    Read(io::Error),
    /// It could not be written.
    Write(io::Error),
}

impl Passage {
    /// Moves what is left of `body` to `to`, adding to `sent`. Ready where nothing is left, and also where no more can
    /// be moved this way, such as after an early end: then the body is to be read, which tells why.
    pub(crate) fn poll_move(
        &mut self,
        cx: &mut Context<'_>,
        body: SocketBody<'_>,
        to: &TcpStream,
        sent: &mut u64,
    ) -> Poll<Result<(), Broken>> {
        let SocketBody { from, left } = body;
        loop {
            while let (Some(pipe), 1..) = (&self.pipe, self.held) {
                match ready!(pipe.poll_drain(cx, to, self.held)) {
                    Ok(0) => return Poll::Ready(Err(Broken::Write(io::ErrorKind::WriteZero.into()))),
                    Ok(n) => {
                        self.held -= n.min(self.held);
                        *sent += n as u64;
                    }
                    Err(e) => return Poll::Ready(Err(Broken::Write(e))),
                }
            }
            let most = usize::try_from((*left).min(ROOM as u64)).unwrap_or(usize::MAX);
            let Some(pipe) = self.pipe.take().or_else(pipe::Pipe::lend) else { return Poll::Ready(Ok(())) };
            let filled = if most == 0 { Poll::Ready(Ok(0)) } else { pipe.poll_fill(cx, from, most) };
            if let Poll::Ready(Ok(n @ 1..)) = filled {
                *left -= (n as u64).min(*left);
                self.held = n;
                self.pipe = Some(pipe);
                continue;
            }
            pipe.give_back();
            return match filled {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(e)) if !is_unknown_call(&e) => Poll::Ready(Err(Broken::Read(e))),
                Poll::Ready(_) => Poll::Ready(Ok(())),
            };
        }
    }
}

/// Some sandboxes do not know how to splice.
fn is_unknown_call(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

#[cfg(target_os = "linux")]
mod pipe {
    use super::{LIMIT, ROOM};
    use rustix::fd::OwnedFd;
    use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
    use std::cell::{Cell, RefCell};
    use std::io;
    use std::task::{Context, Poll, ready};
    use tokio::io::Interest;
    use tokio::net::TcpStream;

    thread_local! {
        static IDLE: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
        static OPEN: Cell<usize> = const { Cell::new(0) };
    }

    /// A pipe of this worker.
    pub(super) struct Pipe {
        read: OwnedFd,
        write: OwnedFd,
    }

    impl Pipe {
        /// An empty one, if there is one to be had.
        pub(super) fn lend() -> Option<Self> {
            if let Some(pipe) = IDLE.with_borrow_mut(Vec::pop) {
                return Some(pipe);
            }
            if OPEN.get() >= LIMIT.get() {
                return None;
            }
            let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
            // A user with many pipes gets no more room: then it takes more turns.
            let _ = fcntl_setpipe_size(&write, ROOM);
            OPEN.set(OPEN.get() + 1);
            Some(Self { read, write })
        }

        /// Keeps it for the next body: nothing may be in it.
        pub(super) fn give_back(self) {
            // A thread that ends keeps none.
            let _ = IDLE.try_with(|idle| idle.borrow_mut().push(self));
        }

        pub(super) fn poll_fill(
            &self,
            cx: &mut Context<'_>,
            from: &TcpStream,
            most: usize,
        ) -> Poll<io::Result<usize>> {
            poll_io(cx, from, Interest::READABLE, || {
                splice(from, None, &self.write, None, most, SpliceFlags::NONBLOCK)
            })
        }

        pub(super) fn poll_drain(
            &self,
            cx: &mut Context<'_>,
            to: &TcpStream,
            held: usize,
        ) -> Poll<io::Result<usize>> {
            poll_io(cx, to, Interest::WRITABLE, || {
                splice(&self.read, None, to, None, held, SpliceFlags::NONBLOCK)
            })
        }
    }

    /// Does `io` as soon as the stream is ready for it; again where it was not, or a signal came.
    fn poll_io(
        cx: &mut Context<'_>,
        stream: &TcpStream,
        interest: Interest,
        io: impl Fn() -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(if interest.is_readable() {
                stream.poll_read_ready(cx)
            } else {
                stream.poll_write_ready(cx)
            })?;
            match stream.try_io(interest, || Ok(io()?)) {
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                done => return Poll::Ready(done),
            }
        }
    }

    impl Drop for Pipe {
        fn drop(&mut self) {
            let _ = OPEN.try_with(|open| open.set(open.get() - 1));
        }
    }
}

/// Elsewhere bodies are copied.
#[cfg(not(target_os = "linux"))]
mod pipe {
    use std::io;
    use std::task::{Context, Poll};
    use tokio::net::TcpStream;

    pub(super) enum Pipe {}

    impl Pipe {
        pub(super) fn lend() -> Option<Self> {
            None
        }

        pub(super) fn give_back(self) {}

        pub(super) fn poll_fill(
            &self,
            _: &mut Context<'_>,
            _: &TcpStream,
            _: usize,
        ) -> Poll<io::Result<usize>> {
            match *self {}
        }

        pub(super) fn poll_drain(
            &self,
            _: &mut Context<'_>,
            _: &TcpStream,
            _: usize,
        ) -> Poll<io::Result<usize>> {
            match *self {}
        }
    }
}
