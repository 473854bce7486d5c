//! How a connection ends.

use super::connection::{Inner, Stage};
use super::frame::Code;
use super::input::Fail;
use super::state::{count, http2_state};
use super::stream::Why;
use super::wire::Event;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;

/// From the last GOAWAY to the end of our side: the client may still be writing.
const PART: Duration = Duration::from_millis(50);
/// What the client gets to read what has been said last.
const LINGER: Duration = Duration::from_millis(250);

impl Inner {
    /// The client took too long.
    pub(super) fn late(&mut self) {
        match self.stage {
            Stage::Preface => count(http2_state::H2_TIMEOUT_PREFACE),
            Stage::FirstFrame => count(http2_state::H2_TIMEOUT_SETTING),
            _ if !self.going_away => self.count(Event::LateConnection),
            _ => {}
        }
        self.close();
    }

    pub(super) fn fail(&mut self, fail: Fail) {
        let code = match fail {
            Fail::Silent => return self.close(),
            Fail::GoAway(code) => code,
            Fail::Calm => {
                self.count(Event::Overload);
                Code::EnhanceYourCalm
            }
        };
        self.push_goaway(code);
        self.close();
        self.stage = Stage::Parting;
        self.deadline.set(Instant::now().checked_add(PART));
    }

    /// Ends the connection, after what has been said already.
    pub(super) fn close(&mut self) {
        if matches!(self.stage, Stage::Parting | Stage::Closing | Stage::Gone) {
            return;
        }
        self.end_streams();
        self.stage = Stage::Closing;
        self.deadline.set(Instant::now().checked_add(LINGER));
        self.wake_writer();
    }

    /// The client has gone.
    pub(super) fn gone(&mut self) {
        self.end_streams();
        self.stage = Stage::Gone;
    }

    pub(super) fn end_streams(&mut self) {
        let open: Vec<_> = self.streams.iter().filter(|(_, s)| !s.is_closed()).map(|(id, _)| *id).collect();
        for id in open {
            self.close_stream(id, Why::Gone);
        }
        self.payload = None;
        self.block = None;
    }

    /// Writes what is left, says goodbye, and drops what still comes, so that no reset overtakes the answer.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let written = self.out.poll_write(&mut self.io, cx);
        if self.stage == Stage::Parting && self.deadline.poll_passed(cx).is_ready() {
            self.stage = Stage::Closing;
            self.deadline.set(Instant::now().checked_add(LINGER));
        }
        let said = match &written {
            Poll::Ready(Ok(())) if self.stage == Stage::Parting => Poll::Pending,
            Poll::Ready(Ok(())) => Pin::new(&mut self.io).poll_shutdown(cx),
            Poll::Ready(Err(_)) => written,
            Poll::Pending => Poll::Pending,
        };
        let mut over = matches!(said, Poll::Ready(Err(_)));
        while !over {
            self.input.clear();
            match self.poll_fill(cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => over = true,
                Poll::Pending => break,
            }
        }
        if !over && self.deadline.poll_passed(cx).is_pending() {
            return Poll::Pending;
        }
        self.stage = Stage::Gone;
        Poll::Ready(())
    }
}
