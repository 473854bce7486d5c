//! Frames about the connection, and those that end a stream or let it go on.

use super::{Fail, PROTOCOL};
use crate::h2::connection::Inner;
use crate::h2::frame::{self, Code, Head, flag, kind, setting};
use crate::h2::state::{count, http2_state};
use crate::h2::stream::Why;

/// Largest window there is.
const MAX_WINDOW: i64 = (1 << 31) - 1;

impl Inner {
    pub(super) fn priority(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
        if payload.len() != 5 {
            return Err(Fail::GoAway(Code::FrameSize));
        }
        let parent = frame::number(payload);
        self.fingerprint.priority(head.stream, parent, payload.get(4).copied().unwrap_or_default());
        if parent.0 == head.stream {
            self.reset(head.stream, Code::Protocol, Why::Refused);
        }
        // They change nothing; there may be many of them, but not without end.
        if self.pings.take() { Ok(()) } else { Err(Fail::Calm) }
    }

    pub(super) fn rst_stream(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
        count(http2_state::H2_ERR_GOT_RESET);
        if head.stream > self.last_stream {
            return if self.going_away { Ok(()) } else { Err(PROTOCOL) };
        }
        if let Some(stream) = self.streams.get_mut(&head.stream).filter(|s| !s.is_closed()) {
            stream.reset_code = payload.first_chunk().map(|code| u32::from_be_bytes(*code));
            self.close_stream(head.stream, Why::Gone);
            if !self.resets.take() {
                return Err(Fail::Calm);
            }
        }
        Ok(())
    }

    pub(super) fn settings(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
        if head.has(flag::ACK) {
            self.unacknowledged = self.unacknowledged.checked_sub(1).ok_or(PROTOCOL)?;
            return Ok(());
        }
        let mut window = None;
        for (id, value) in frame::settings(payload) {
            self.fingerprint.setting(id, value);
            match id {
                setting::HEADER_TABLE_SIZE => self.encoder.set_max_size(value as usize),
                setting::ENABLE_PUSH if value > 1 => return Err(PROTOCOL),
                setting::INITIAL_WINDOW_SIZE => window = Some(first_window(value)?),
                setting::MAX_FRAME_SIZE if !(16_384..1 << 24).contains(&value) => return Err(PROTOCOL),
                _ => {}
            }
        }
        // Once a frame, however often it is in there: it is about all streams.
        if let Some(window) = window {
            self.set_first_window(window)?;
        }
        if !self.pings.take() {
            return Err(Fail::Calm);
        }
        frame::push_head(self.out.control(), 0, kind::SETTINGS, flag::ACK, 0);
        Ok(())
    }

    /// Takes the window that the client gives to new streams; the others get as much more, or less.
    pub(in crate::h2) fn set_first_window(&mut self, window: i64) -> Result<(), Fail> {
        let more = window - self.first_send_window;
        self.first_send_window = window;
        for stream in self.streams.values_mut() {
            stream.send_window += more;
            if stream.send_window > MAX_WINDOW {
                return Err(Fail::GoAway(Code::FlowControl));
            }
            stream.wake();
        }
        Ok(())
    }

    pub(super) fn ping(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
        if head.has(flag::ACK) {
            return Ok(());
        }
        if !self.pings.take() {
            return Err(Fail::Calm);
        }
        let out = self.out.control();
        frame::push_head(out, payload.len(), kind::PING, flag::ACK, 0);
        out.extend_from_slice(payload);
        if self.open == 0 {
            self.rest();
        }
        Ok(())
    }

    pub(super) fn window_update(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
        let (increment, _) = frame::number(payload);
        if increment == 0 {
            if head.stream == 0 {
                return Err(PROTOCOL);
            }
            self.reset(head.stream, Code::Protocol, Why::Refused);
            return Ok(());
        }
        self.fingerprint.window(increment);
        if head.stream > self.last_stream && !self.going_away {
            return Err(PROTOCOL);
        }
        self.add_to_window(head.stream, increment)
    }

    /// The client takes more, on a stream or, as stream 0, on all of them.
    pub(in crate::h2) fn add_to_window(&mut self, id: u32, increment: u32) -> Result<(), Fail> {
        if id == 0 {
            self.send_window += i64::from(increment);
            if self.send_window > MAX_WINDOW {
                return Err(Fail::GoAway(Code::FlowControl));
            }
            self.wake_next();
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&id).filter(|s| !s.is_closed()) else {
            return Ok(());
        };
        stream.send_window += i64::from(increment);
        if stream.send_window > MAX_WINDOW {
            self.reset(id, Code::FlowControl, Why::Refused);
        } else {
            stream.wake();
        }
        Ok(())
    }
}

/// A window of new streams, if it is one.
pub(in crate::h2) fn first_window(value: u32) -> Result<i64, Fail> {
    let window = i64::from(value);
    if window > MAX_WINDOW { Err(Fail::GoAway(Code::FlowControl)) } else { Ok(window) }
}
