//! DATA: bodies of requests, taken as they come.

use super::{Fail, PROTOCOL, Step};
use crate::h2::connection::Inner;
use crate::h2::frame::{Code, HEAD, Head, flag, kind};
use crate::h2::stream::{Phase, StreamState, Why};
use bytes::Buf;

/// A frame whose payload is taken as it comes.
pub(in crate::h2) struct OpenPayload {
    /// The stream that it is for; 0 where nobody wants it.
    pub(in crate::h2) stream: u32,
    /// Bytes still to come.
    pub(in crate::h2) left: usize,
    /// Bytes of padding after them.
    pub(in crate::h2) padding: usize,
    /// The body ends with it.
    pub(in crate::h2) ends: bool,
}

impl Inner {
    /// Begins with a payload that need not be there whole.
    pub(super) fn open_payload(&mut self, head: &Head) -> Result<Step, Fail> {
        let is_data = head.kind == kind::DATA;
        let padded = is_data && head.has(flag::PADDED);
        let prefix = usize::from(padded);
        if head.length < prefix {
            return Err(Fail::GoAway(Code::FrameSize));
        }
        if self.input.len() < HEAD + prefix {
            return Ok(Step::More);
        }
        let padding = if padded { usize::from(self.input.get(HEAD).copied().unwrap_or_default()) } else { 0 };
        let Some(left) = (head.length - prefix).checked_sub(padding) else { return Err(PROTOCOL) };
        let stream = if is_data { self.data(head, left)? } else { 0 };
        self.input.advance(HEAD + prefix);
        self.payload = Some(OpenPayload { stream, left, padding, ends: head.has(flag::END_STREAM) });
        if stream != 0 {
            let padding = u32::try_from(prefix + padding).unwrap_or_default();
            self.give_credit(stream, padding);
        }
        Ok(Step::Next)
    }

    /// Says which stream a DATA frame with so many bytes of a body is for; 0 where it is for none.
    pub(in crate::h2) fn data(&mut self, head: &Head, bytes: usize) -> Result<u32, Fail> {
        let length = i64::try_from(head.length).unwrap_or(i64::MAX);
        if length > self.connection_window {
            return Err(Fail::GoAway(Code::FlowControl));
        }
        if head.stream > self.last_stream && !self.going_away {
            // A stream that is not there yet cannot have a body.
            return Err(PROTOCOL);
        }
        self.connection_window -= length;
        if bytes == 0 && !head.has(flag::END_STREAM) && !self.empties.take() {
            return Err(Fail::Calm);
        }
        let may_overdraw = self.may_overdraw();
        let refused = match self.streams.get_mut(&head.stream) {
            Some(stream) if stream.phase == Phase::Open => {
                stream.received += bytes as u64;
                if length > stream.window && (stream.window <= 0 || !may_overdraw) {
                    Some(Code::FlowControl)
                } else if stream.declared.is_some_and(|declared| stream.received > declared) {
                    Some(Code::Protocol)
                } else {
                    stream.window -= length;
                    if stream.window < 0 {
                        self.overdrawn = head.stream;
                    }
                    return Ok(head.stream);
                }
            }
            Some(StreamState { phase: Phase::Closed(Why::Refused | Why::Timeout | Why::Done), .. }) => None,
            _ if head.stream > self.last_stream => None,
            _ => Some(Code::StreamClosed),
        };
        if let Some(code) = refused {
            self.reset(head.stream, code, Why::Refused);
        }
        self.give_credit(0, u32::try_from(head.length).unwrap_or_default());
        Ok(0)
    }

    /// Whether a frame may end beyond the window of its stream. The announced size of a frame is larger than such
    /// a window, and some clients take the one for the other; it is for the receiver to say whether it can take
    /// what comes (RFC 9113, 6.9). One stream of a connection can: that bounds what all of them hold.
    fn may_overdraw(&self) -> bool {
        self.streams.get(&self.overdrawn).is_none_or(|s| s.is_closed() || s.window >= 0)
    }

    pub(in crate::h2) fn take_payload(&mut self) -> Step {
        let Some(payload) = &mut self.payload else { return Step::Next };
        let bytes = payload.left.min(self.input.len());
        if let Some(body) = self.input.get(..bytes).filter(|b| !b.is_empty()) {
            if let Some(stream) = self.streams.get_mut(&payload.stream).filter(|s| s.phase == Phase::Open) {
                stream.body.extend_from_slice(body);
                stream.wake();
            } else if payload.stream != 0 {
                let unread = u32::try_from(bytes).unwrap_or_default();
                payload.left -= bytes;
                self.input.advance(bytes);
                self.give_credit(0, unread);
                return Step::Next;
            }
        }
        payload.left -= bytes;
        self.input.advance(bytes);
        if payload.left == 0 {
            let skipped = payload.padding.min(self.input.len());
            payload.padding -= skipped;
            self.input.advance(skipped);
            if payload.padding == 0 {
                let (stream, ends) = (payload.stream, payload.ends);
                self.payload = None;
                if ends {
                    self.end_body(stream);
                }
                return Step::Next;
            }
        }
        Step::More
    }

    /// The client has sent all of its request.
    pub(in crate::h2) fn end_body(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id).filter(|s| s.phase == Phase::Open) {
            stream.phase = Phase::Ended;
            stream.wake();
        }
    }
}
