//! A stream that carries another protocol than HTTP (RFC 8441): bytes both ways, in DATA frames.

#[cfg(test)]
mod tests;

use super::connection::Inner;
use super::exchange::StreamExchange;
use super::frame::Code;
use super::stream::{Phase, Why};
use crate::Header;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The client's end of a tunnel. What has come and was not read is at most the window of a stream; a write goes
/// as far as the windows of the client and the room in the output of the connection allow.
///
/// The end of what is written is END_STREAM. Dropped after that it closes the stream; dropped before, it resets
/// it with CANCEL, which stands for the reset of a TCP connection. All that is done with it has to be done by one
/// task.
pub struct Tunnel {
    exchange: StreamExchange,
    /// END_STREAM has been sent.
    ended: bool,
}

impl StreamExchange {
    /// Agrees to what the client [wants to speak](Self::protocol): sends 200 with these fields, without those
    /// that are about one connection. From then on the stream carries bytes.
    #[must_use]
    pub fn into_tunnel(self, header: &Header) -> Tunnel {
        let mut inner = self.inner.borrow_mut();
        if inner.streams.get(&self.id).is_some_and(|s| !s.is_closed()) {
            inner.push_agreement(self.id, header);
        }
        drop(inner);
        Tunnel { exchange: self, ended: false }
    }
}

// === impl Tunnel ===

impl AsyncRead for Tunnel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let exchange = &self.get_mut().exchange;
        exchange.inner.borrow_mut().poll_bytes(cx, exchange.id, buf)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut inner = this.exchange.inner.borrow_mut();
        let written = inner.poll_piece(cx, this.exchange.id, data, false, false);
        if written.is_ready() {
            inner.wake_next();
            inner.wake_writer();
        }
        written.map_err(broken)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The driver of the connection sends what has gathered.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(Ok(()));
        }
        // Without bytes this needs no window, and waits for nothing.
        let mut inner = this.exchange.inner.borrow_mut();
        let sent = inner.poll_piece(cx, this.exchange.id, &[], true, false);
        inner.wake_writer();
        drop(inner);
        this.ended = matches!(sent, Poll::Ready(Ok(_)));
        sent.map(|sent| sent.map(|_| ())).map_err(broken)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // After a panic the exchange resets the stream itself, and counts that.
        if !std::thread::panicking() {
            self.exchange.inner.borrow_mut().end_tunnel(self.exchange.id, self.ended);
        }
    }
}

// === impl Inner ===

impl Inner {
    /// Takes what has come on a stream, as far as there is room for it; nothing at its end.
    fn poll_bytes(&mut self, cx: &Context<'_>, id: u32, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = self.streams.get_mut(&id) else { return Poll::Ready(Err(broken(Why::Gone))) };
        if let Phase::Closed(why) = stream.phase {
            return Poll::Ready(Err(broken(why)));
        }
        if stream.body.is_empty() {
            if stream.phase == Phase::Ended {
                return Poll::Ready(Ok(()));
            }
            stream.wait(cx);
            return Poll::Pending;
        }
        let piece = stream.body.split_to(stream.body.len().min(buf.remaining()));
        stream.read += piece.len() as u64;
        buf.put_slice(&piece);
        self.give_credit(id, u32::try_from(piece.len()).unwrap_or(u32::MAX));
        Poll::Ready(Ok(()))
    }

    fn end_tunnel(&mut self, id: u32, ended: bool) {
        if ended {
            self.done(id);
        } else if self.streams.get(&id).is_some_and(|s| !s.is_closed()) {
            self.reset(id, Code::Cancel, Why::Done);
        }
    }
}

fn broken(why: Why) -> io::Error {
    let text = match why {
        Why::Gone | Why::Done => "the client has gone",
        Why::Refused => "the client broke the rules of its stream",
        Why::Timeout => "the client took too long",
    };
    io::Error::new(io::ErrorKind::ConnectionReset, text)
}
