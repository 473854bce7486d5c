//! Frames in.

use super::block::{self, Fault};
use super::frames::{FIN, INITIAL_WINDOW_SIZE, kind, push_numbers};
use crate::h2::connection::{Inner, MAX_FRAME, Opened};
use crate::h2::frame::{self, Code, Head, flag};
use crate::h2::input::{Fail, OpenPayload, Step, first_window};
use crate::h2::stream::{Phase, Why};
use crate::protocol_state::spdy_state as s;
use bytes::{Buf, Bytes};

/// Bytes of the head of a frame.
const HEAD: usize = 8;
/// Most settings in a frame.
const MAX_SETTINGS: usize = 128;
const PROTOCOL: Fail = Fail::GoAway(Code::Protocol);

fn count(counter: usize) {
    s::group().inc(counter);
}

impl Inner {
    /// Deals with the next frame that is there.
    pub(in crate::h2) fn spdy_step(&mut self) -> Result<Step, Fail> {
        if self.payload.is_some() {
            return Ok(self.take_payload());
        }
        let Some([b0, b1, b2, b3, flags, l2, l1, l0]) = self.input.first_chunk::<HEAD>().copied() else {
            return Ok(Step::More);
        };
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if length > MAX_FRAME {
            return Err(PROTOCOL);
        }
        if b0 & 0x80 == 0 {
            let stream = u32::from_be_bytes([b0, b1, b2, b3]);
            return self.spdy_data(stream, flags, length);
        }
        if (b0 & 0x7f, b1) != (0, 3) {
            return Err(Fail::Silent);
        }
        let max = match b3 {
            kind::SYN_STREAM | kind::HEADERS => 2 * self.settings.max_list(),
            kind::RST_STREAM | kind::GOAWAY | kind::WINDOW_UPDATE => 8,
            kind::PING => 4,
            kind::SETTINGS => 4 + 8 * MAX_SETTINGS,
            kind::SYN_REPLY => return Err(PROTOCOL),
            _ => {
                count(s::SPDY_UNKNOWN_FRAME);
                self.input.advance(HEAD);
                self.payload = Some(OpenPayload { stream: 0, left: length, padding: 0, ends: false });
                return if self.empties.take() { Ok(Step::Next) } else { Err(Fail::Calm) };
            }
        };
        if length > max {
            return Err(PROTOCOL);
        }
        if self.input.len() < HEAD + length {
            return Ok(Step::More);
        }
        self.input.advance(HEAD);
        let payload = self.input.split_to(length).freeze();
        let (id, _) = frame::number(&payload);
        let (second, _) = frame::number(payload.get(4..).unwrap_or_default());
        match b3 {
            kind::SYN_STREAM => return self.syn_stream(id, flags, payload.get(10..).ok_or(PROTOCOL)?),
            kind::HEADERS => {
                // Read for the sake of the compressed stream alone.
                let block = payload.get(4..).ok_or(PROTOCOL)?;
                self.spdy_block(block)?;
                if flags & FIN != 0 {
                    self.end_body(id);
                }
            }
            kind::RST_STREAM => self.spdy_reset(id)?,
            kind::SETTINGS => self.spdy_settings(payload.get(4..).unwrap_or_default())?,
            kind::PING if id % 2 == 1 => {
                if !self.pings.take() {
                    return Err(Fail::Calm);
                }
                push_numbers(self.out.control(), kind::PING, &[id]);
            }
            kind::WINDOW_UPDATE => self.raise_window(id, second)?,
            _ => {}
        }
        Ok(Step::Next)
    }

    fn spdy_data(&mut self, stream: u32, flags: u8, length: usize) -> Result<Step, Fail> {
        let ends = flags & FIN != 0;
        let head = Head {
            length,
            kind: 0,
            flags: if ends { flag::END_STREAM } else { 0 },
            stream: stream.min(self.last_stream),
        };
        let wanted = match self.streams.get(&stream).map(|st| st.phase) {
            Some(Phase::Open) => self.data(&head, length)?,
            known => {
                if i64::try_from(length).is_ok_and(|n| n > self.connection_window) {
                    return Err(PROTOCOL);
                }
                if !self.empties.take() {
                    return Err(Fail::Calm);
                }
                if let Some(Phase::Closed(Why::Refused | Why::Timeout | Why::Done)) = known {
                    // It was on its way when the stream ended.
                } else if known.is_some() {
                    count(s::SPDY_ERR_STREAM_ALREADY_CLOSED);
                    self.reset(stream, Code::StreamClosed, Why::Refused);
                } else {
                    count(s::SPDY_ERR_INVALID_DATA_STREAM);
                    // INVALID_STREAM
                    push_numbers(self.out.control(), kind::RST_STREAM, &[stream, 2]);
                }
                self.connection_window -= i64::try_from(length).unwrap_or_default();
                self.give_credit(0, u32::try_from(length).unwrap_or_default());
                0
            }
        };
        self.input.advance(HEAD);
        self.payload = Some(OpenPayload { stream: wanted, left: length, padding: 0, ends });
        Ok(Step::Next)
    }

    fn spdy_block(&mut self, block: &[u8]) -> Result<Vec<u8>, Fail> {
        let max = self.settings.max_list();
        let codec = self.spdy.as_mut().ok_or(Fail::Silent)?;
        codec.read(block, max).map_err(|_| Fail::Silent)
    }

    fn syn_stream(&mut self, id: u32, flags: u8, block: &[u8]) -> Result<Step, Fail> {
        let plain = self.spdy_block(block)?;
        if self.going_away {
            return Ok(Step::Next);
        }
        if id % 2 != 1 || id < self.last_stream {
            count(s::SPDY_ERR_INVALID_SYN_STREAM);
            return Err(PROTOCOL);
        }
        if id == self.last_stream {
            count(s::SPDY_ERR_INVALID_SYN_STREAM);
            self.reset(id, Code::Protocol, Why::Refused);
            return Ok(Step::Next);
        }
        self.last_stream = id;
        if self.open >= self.settings.max_streams {
            count(s::SPDY_ERR_MAX_STREAM_PER_CONN);
            return Err(Fail::Silent);
        }
        let ends = flags & FIN != 0;
        let request = match block::request(&plain, ends, self.settings.max_uri_bytes) {
            Ok(request) => request,
            Err(Fault::Malformed) => {
                count(s::SPDY_ERR_BAD_REQUEST);
                self.refuse_stream(id);
                return Ok(Step::Next);
            }
            Err(Fault::Broken | Fault::LongPath) => return Err(Fail::Silent),
        };
        s::group().add(s::SPDY_REQ_HEADER_ORIGINAL_SIZE, plain.len() as u64);
        s::group().add(s::SPDY_REQ_HEADER_COMPRESS_SIZE, block.len() as u64);
        let stream = self.open_stream(id, ends)?;
        stream.declared = if ends { None } else { u64::try_from(request.content_length).ok() };
        let mut request = Box::new(request);
        request.state.serial_number = id / 2 + 1;
        Ok(Step::Opened(Opened { id, request, has_body: !ends, protocol: Bytes::new() }))
    }

    fn spdy_reset(&mut self, id: u32) -> Result<(), Fail> {
        if id > self.last_stream {
            return Err(PROTOCOL);
        }
        if self.streams.get(&id).is_some_and(|st| !st.is_closed()) {
            count(s::SPDY_ERR_GOT_RESET);
            self.close_stream(id, Why::Gone);
            if !self.resets.take() {
                return Err(Fail::Calm);
            }
        }
        Ok(())
    }

    fn spdy_settings(&mut self, entries: &[u8]) -> Result<(), Fail> {
        if !self.pings.take() {
            return Err(Fail::Calm);
        }
        let (entries, _) = entries.as_chunks::<8>();
        let mut window = None;
        for [_, i2, i1, i0, value @ ..] in entries {
            if u32::from_be_bytes([0, *i2, *i1, *i0]) == INITIAL_WINDOW_SIZE {
                window = Some(first_window(u32::from_be_bytes(*value))?);
            }
        }
        window.map_or(Ok(()), |window| self.set_first_window(window))
    }

    fn raise_window(&mut self, id: u32, more: u32) -> Result<(), Fail> {
        let raised = self.add_to_window(id, more);
        if raised.is_err() {
            count(s::SPDY_ERR_FLOW_CONTROL);
        }
        raised
    }
}
