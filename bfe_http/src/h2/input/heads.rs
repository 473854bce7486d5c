//! HEADERS and CONTINUATION: new requests, and trailers.

use super::{Fail, PROTOCOL, Step};
use crate::Version;
use crate::h2::connection::{Inner, Opened};
use crate::h2::frame::{self, Code, Head, flag};
use crate::h2::state::{count, http2_state};
use crate::h2::stream::{Phase, StreamState, Why};
use crate::header_list::coding::Broken;
use crate::header_list::request::{Collector, Fault, Parts};
use bytes::{Buf, Bytes};

/// Room for the text of a head.
const HEAD_TEXT: usize = 4096;

/// A header block of which more is to come.
pub(in crate::h2) struct OpenBlock {
    pub(super) stream: u32,
    ends: bool,
    /// The stream depends on itself.
    selfish: bool,
    pub(super) text: Vec<u8>,
}

impl Inner {
    pub(super) fn headers(&mut self, head: &Head, mut payload: Bytes) -> Result<Step, Fail> {
        let padding = if head.has(flag::PADDED) {
            if payload.is_empty() {
                return Err(Fail::Silent);
            }
            usize::from(payload.get_u8())
        } else {
            0
        };
        let mut selfish = false;
        if head.has(flag::PRIORITY) {
            if payload.len() < 5 {
                return Err(Fail::Silent);
            }
            let parent = frame::number(&payload);
            let weight = payload.get(4).copied().unwrap_or_default();
            payload.advance(5);
            self.fingerprint.priority(head.stream, parent, weight);
            selfish = parent.0 == head.stream;
        }
        let Some(length) = payload.len().checked_sub(padding) else { return Err(PROTOCOL) };
        payload.truncate(length);
        if payload.is_empty() {
            // As the reference has it, whether or not more was to come.
            self.reset(head.stream, Code::Protocol, Why::Refused);
            return if self.empties.take() { Ok(Step::Next) } else { Err(Fail::Calm) };
        }
        let ends = head.has(flag::END_STREAM);
        if head.has(flag::END_HEADERS) {
            return self.block(head.stream, &payload, ends, selfish);
        }
        self.block = Some(OpenBlock { stream: head.stream, ends, selfish, text: payload.to_vec() });
        Ok(Step::Next)
    }

    pub(super) fn continuation(&mut self, head: &Head, payload: &[u8]) -> Result<Step, Fail> {
        let is_last = head.has(flag::END_HEADERS);
        if payload.is_empty() && !is_last && !self.empties.take() {
            return Err(Fail::Calm);
        }
        let Some(mut block) = self.block.take() else { return Err(PROTOCOL) };
        block.text.extend_from_slice(payload);
        if is_last {
            return self.block(block.stream, &block.text, block.ends, block.selfish);
        }
        self.block = Some(block);
        Ok(Step::Next)
    }

    /// A whole header block. It is decoded whatever becomes of it: the tables of both sides have to agree.
    pub(super) fn block(&mut self, id: u32, block: &[u8], ends: bool, selfish: bool) -> Result<Step, Fail> {
        if self.heads.capacity() < HEAD_TEXT / 4 {
            self.heads.reserve(HEAD_TEXT);
        }
        self.heads.clear();
        let max_list = self.settings.max_list();
        let mut fields = Collector::new(
            &mut self.heads,
            Some(&mut self.fingerprint),
            max_list,
            self.settings.max_uri_bytes,
        );
        fields.extended_connect = self.settings.extended_connect;
        self.decoder
            .decode(block, max_list, &mut fields)
            .map_err(|Broken| Fail::GoAway(Code::Compression))?;
        match fields.fault {
            Some(Fault::LongPath) => {
                count(http2_state::H2_ERR_MAX_HEADER_URI_SIZE);
                return Err(Fail::Silent);
            }
            Some(Fault::LongList) => {
                count(http2_state::H2_ERR_MAX_HEADER_LIST_SIZE);
                return Err(Fail::Silent);
            }
            _ => {}
        }
        if fields.fault.is_none() {
            // Whatever becomes of it: trailers count, too, and requests that are refused later.
            let counters = http2_state::group();
            counters.add(http2_state::H2_REQ_HEADER_ORIGINAL_SIZE, fields.size as u64);
            counters.add(http2_state::H2_REQ_HEADER_COMPRESS_SIZE, block.len() as u64);
        }
        let sound = fields.fault.is_none() && !selfish;
        if id > self.last_stream && self.going_away {
            return Ok(Step::Next);
        }
        if id.is_multiple_of(2) {
            return Err(PROTOCOL);
        }
        if id <= self.last_stream {
            let fault = match (sound, ends, fields.is_trailers()) {
                (true, true, true) => None,
                (true, true, false) => Some("MetaHeadersFrame for trailer without fields"),
                (true, false, _) => Some("MetaHeadersFrame for trailer without END_STREAM flag"),
                (false, ..) => Some("malformed trailer"),
            };
            return self.late_block(id, fault);
        }
        let request = if sound { fields.request(Version::HTTP_2, ends) } else { Err(Fault::Malformed) };
        self.last_stream = id;
        let Ok(Parts { request, expects, protocol }) = request else {
            self.refuse_stream(id);
            return Ok(Step::Next);
        };
        if self.open >= self.settings.max_streams {
            count(http2_state::H2_ERR_MAX_STREAM_PER_CONN);
            return Err(Fail::Silent);
        }
        let stream = self.open_stream(id, ends)?;
        stream.declared = if ends { None } else { u64::try_from(request.content_length).ok() };
        let is_tunnel = !protocol.is_empty();
        stream.is_tunnel = is_tunnel;
        stream.continue_due = expects && !is_tunnel;
        let mut request = Box::new(request);
        request.state.serial_number = id / 2 + 1;
        let has_body = (!ends || expects) && !is_tunnel;
        Ok(Step::Opened(Opened { id, request, has_body, protocol }))
    }

    /// Enters a new stream.
    pub(in crate::h2) fn open_stream(&mut self, id: u32, ends: bool) -> Result<&mut StreamState, Fail> {
        // Streams that the client has reset, but whose requests still go on.
        if self.streams.len() >= self.settings.max_streams as usize * 2 {
            return Err(Fail::Calm);
        }
        let phase = if ends { Phase::Ended } else { Phase::Open };
        let stream = StreamState::new(phase, self.first_send_window, i64::from(self.settings.window));
        self.open += 1;
        self.busy();
        Ok(self.streams.entry(id).insert_entry(stream).into_mut())
    }

    /// Refuses a request that breaks the rules.
    pub(in crate::h2) fn refuse_stream(&mut self, id: u32) {
        self.note_closed(id);
        self.reset(id, Code::Protocol, Why::Refused);
        self.busy();
        if self.open == 0 {
            self.rest();
        }
    }

    /// A header block of a stream that has begun: trailers, or something wrong; with what is wrong with it as
    /// trailers.
    pub(super) fn late_block(&mut self, id: u32, fault: Option<&'static str>) -> Result<Step, Fail> {
        let was_there = self.was_there(id);
        match self.streams.get_mut(&id).map(|s| (s.phase, s)) {
            Some((Phase::Open, stream)) => {
                stream.trailers = true;
                // Nothing but data goes through a tunnel (RFC 9113, 8.5).
                if fault.is_none() && !stream.is_tunnel {
                    self.end_body(id);
                } else {
                    stream.refused = fault.unwrap_or(stream.refused);
                    self.reset(id, Code::Protocol, Why::Refused);
                }
            }
            Some((Phase::Ended, stream)) if stream.trailers => return Err(PROTOCOL),
            Some((Phase::Ended, _)) => self.reset(id, Code::StreamClosed, Why::Refused),
            // What the client sent before it heard that the stream is over.
            Some((Phase::Closed(Why::Refused | Why::Timeout), _)) => {}
            _ if was_there => return Err(Fail::GoAway(Code::StreamClosed)),
            _ => return Err(PROTOCOL),
        }
        Ok(Step::Next)
    }
}
