//! The frames of a connection, in the form that it speaks: HTTP/2, or SPDY/3.1.

use super::connection::Inner;
use super::frame::{self, Code, flag, kind};
use super::spdy;
use super::state::http2_state;
use crate::protocol_state::spdy_state;

impl Inner {
    /// Gives the client more to send; on stream 0 on all of them.
    pub(super) fn push_window_update(&mut self, id: u32, credit: u32) {
        let out = self.out.frames();
        match self.spdy {
            None => frame::push_numbers(out, kind::WINDOW_UPDATE, id, &[credit]),
            Some(_) => spdy::push_window_update(out, id, credit),
        }
    }

    /// Tells the client that a stream is over.
    pub(super) fn push_reset(&mut self, id: u32, code: Code) {
        let out = self.out.control();
        match self.spdy {
            None => frame::push_numbers(out, kind::RST_STREAM, id, &[code as u32]),
            Some(_) => spdy::push_reset(out, id, code),
        }
    }

    /// Tells the client that no stream after the last one is heard.
    pub(super) fn push_goaway(&mut self, code: Code) {
        let (last, out) = (self.last_stream, self.out.frames());
        match self.spdy {
            None => frame::push_numbers(out, kind::GOAWAY, 0, &[last, code as u32]),
            Some(_) => spdy::push_goaway(out, last, code),
        }
    }

    /// Begins a frame with so many bytes of a body.
    pub(super) fn push_data_head(&mut self, id: u32, bytes: usize, end: bool) {
        let out = self.out.frames();
        match self.spdy {
            None => frame::push_head(out, bytes, kind::DATA, if end { flag::END_STREAM } else { 0 }, id),
            Some(_) => spdy::push_data_head(out, bytes, end, id),
        }
    }

    /// Counts one event, on the page of the protocol.
    pub(super) fn count(&self, event: Event) {
        let (of_h2, of_spdy) = event.counters();
        match self.spdy {
            None => http2_state::group().inc(of_h2),
            Some(_) => spdy_state::group().inc(of_spdy),
        }
    }
}

/// What both protocols count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The client paused for too long between two requests.
    LateConnection,
    /// A request body took too long.
    LateBody,
    /// The client took too long over a response.
    LateResponse,
    /// A panic while a request was served.
    Panic,
    /// A flood.
    Overload,
    /// The client does not read the answers to its frames.
    Deaf,
}

impl Event {
    const fn counters(self) -> (usize, usize) {
        use http2_state as h;
        use spdy_state as s;
        match self {
            Self::LateConnection => (h::H2_TIMEOUT_CONN, s::SPDY_TIMEOUT_CONN),
            Self::LateBody => (h::H2_TIMEOUT_READ_STREAM, s::SPDY_TIMEOUT_READ_STREAM),
            Self::LateResponse => (h::H2_TIMEOUT_WRITE_STREAM, s::SPDY_TIMEOUT_WRITE_STREAM),
            Self::Panic => (h::H2_PANIC_STREAM, s::SPDY_PANIC_STREAM),
            Self::Overload => (h::H2_CONN_OVERLOAD, s::SPDY_CONN_OVERLOAD),
            Self::Deaf => (h::H2_CONN_EXCEED_MAX_QUEUED_CONTROL_FRAMES, s::SPDY_CONN_OVERLOAD),
        }
    }
}
