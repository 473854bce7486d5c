//! Frames in (RFC 9113, 5 and 6): what each of them does to the connection and its streams.

use super::connection::{Inner, MAX_FRAME, Opened, Stage};
use super::frame::{self, Code, HEAD, Head, flag, kind, setting};
use super::head::{Collector, Fault, Parts};
use super::hpack;
use super::state::{count, http2_state};
use super::stream::{Phase, StreamState, Why};
use bytes::{Buf, Bytes};

/// What every connection of a client begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Largest window there is.
const MAX_WINDOW: i64 = (1 << 31) - 1;
/// Most settings in a frame.
const MAX_SETTINGS: usize = 128;
/// Room for the text of a head.
const HEAD_TEXT: usize = 4096;

/// What came of looking at the input.
pub(super) enum Step {
    /// A request.
    Opened(Opened),
    /// Something has been dealt with; look again.
    Next,
    /// There is nothing whole: read more.
    More,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fail {
    /// It is closed without a word.
    Silent,
    /// The client broke the rules.
    GoAway(Code),
    /// The client does what nobody has any use for, over and over.
    Calm,
}

const PROTOCOL: Fail = Fail::GoAway(Code::Protocol);

/// A frame whose payload is taken as it comes.
pub(super) struct OpenPayload {
    /// The stream that it is for; 0 where nobody wants it.
    pub(super) stream: u32,
    /// Bytes still to come.
    pub(super) left: usize,
    /// Bytes of padding after them.
    pub(super) padding: usize,
    /// The body ends with it.
    pub(super) ends: bool,
}

/// A header block of which more is to come.
pub(super) struct OpenBlock {
    stream: u32,
    ends: bool,
    /// The stream depends on itself.
    selfish: bool,
    text: Vec<u8>,
}

impl Inner {
    /// Deals with the next frame that is there.
    pub(super) fn step(&mut self) -> Result<Step, Fail> {
        if self.stage == Stage::Preface {
            return self.preface();
        }
        if self.payload.is_some() {
            return Ok(self.take_payload());
        }
        let Some(head) = Head::parse(&self.input) else { return Ok(Step::More) };
        self.check(&head)?;
        if self.stage == Stage::FirstFrame {
            self.settle();
        }
        let known = head.kind <= kind::CONTINUATION;
        if !known || matches!(head.kind, kind::DATA | kind::GOAWAY) {
            return self.open_payload(&head);
        }
        if self.input.len() < HEAD + head.length {
            return Ok(Step::More);
        }
        self.input.advance(HEAD);
        let payload = self.input.split_to(head.length).freeze();
        match head.kind {
            kind::HEADERS => return self.headers(&head, payload),
            kind::CONTINUATION => return self.continuation(&head, &payload),
            kind::PRIORITY => self.priority(&head, &payload)?,
            kind::RST_STREAM => self.rst_stream(&head)?,
            kind::SETTINGS => self.settings(&head, &payload)?,
            kind::PING => self.ping(&head, &payload)?,
            kind::WINDOW_UPDATE => self.window_update(&head, &payload)?,
            _ => return Err(PROTOCOL),
        }
        Ok(Step::Next)
    }

    fn preface(&mut self) -> Result<Step, Fail> {
        let there = self.input.len().min(PREFACE.len());
        if self.input.get(..there) != PREFACE.get(..there) {
            return Err(Fail::Silent);
        }
        if there < PREFACE.len() {
            return Ok(Step::More);
        }
        self.input.advance(there);
        self.greet();
        Ok(Step::Next)
    }

    /// What is wrong with a frame by its head alone.
    fn check(&self, head: &Head) -> Result<(), Fail> {
        if head.length > MAX_FRAME {
            return Err(Fail::GoAway(Code::FrameSize));
        }
        if self.stage == Stage::FirstFrame && head.kind != kind::SETTINGS {
            return Err(PROTOCOL);
        }
        let continues = head.kind == kind::CONTINUATION;
        match &self.block {
            Some(block) if !continues || head.stream != block.stream => return Err(PROTOCOL),
            None if continues => return Err(PROTOCOL),
            _ => {}
        }
        let of_stream = match head.kind {
            kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM | kind::CONTINUATION => Some(true),
            kind::SETTINGS | kind::PING | kind::GOAWAY => Some(false),
            kind::PUSH_PROMISE => return Err(PROTOCOL),
            _ => None,
        };
        if of_stream.is_some_and(|of_stream| of_stream != (head.stream != 0)) {
            return Err(PROTOCOL);
        }
        let fits = match head.kind {
            kind::RST_STREAM | kind::WINDOW_UPDATE => head.length == 4,
            kind::PING => head.length == 8,
            kind::SETTINGS if head.has(flag::ACK) => head.length == 0,
            kind::SETTINGS => head.length.is_multiple_of(6),
            kind::GOAWAY => head.length >= 8,
            _ => true,
        };
        if !fits {
            return Err(Fail::GoAway(Code::FrameSize));
        }
        match head.kind {
            kind::SETTINGS if head.length > MAX_SETTINGS * 6 => Err(Fail::Calm),
            kind::HEADERS | kind::CONTINUATION => {
                let before = self.block.as_ref().map_or(0, |b| b.text.len());
                if before + head.length > 2 * self.settings.max_list() { Err(PROTOCOL) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    // --- bodies ---

    /// Begins with a payload that need not be there whole.
    fn open_payload(&mut self, head: &Head) -> Result<Step, Fail> {
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
    pub(super) fn data(&mut self, head: &Head, bytes: usize) -> Result<u32, Fail> {
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
        let refused = match self.streams.get_mut(&head.stream) {
            Some(stream) if stream.phase == Phase::Open => {
                stream.received += bytes as u64;
                if length > stream.window {
                    Some(Code::FlowControl)
                } else if stream.declared.is_some_and(|declared| stream.received > declared) {
                    Some(Code::Protocol)
                } else {
                    stream.window -= length;
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

    pub(super) fn take_payload(&mut self) -> Step {
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
    pub(super) fn end_body(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id).filter(|s| s.phase == Phase::Open) {
            stream.phase = Phase::Ended;
            stream.wake();
        }
    }

    // --- heads ---

    fn headers(&mut self, head: &Head, mut payload: Bytes) -> Result<Step, Fail> {
        let padding = if head.has(flag::PADDED) {
            if payload.is_empty() {
                return Err(Fail::GoAway(Code::FrameSize));
            }
            usize::from(payload.get_u8())
        } else {
            0
        };
        let mut selfish = false;
        if head.has(flag::PRIORITY) {
            if payload.len() < 5 {
                return Err(Fail::GoAway(Code::FrameSize));
            }
            let parent = frame::number(&payload);
            let weight = payload.get(4).copied().unwrap_or_default();
            payload.advance(5);
            self.fingerprint.priority(head.stream, parent, weight);
            selfish = parent.0 == head.stream;
        }
        let Some(length) = payload.len().checked_sub(padding) else { return Err(PROTOCOL) };
        payload.truncate(length);
        let ends = head.has(flag::END_STREAM);
        if head.has(flag::END_HEADERS) {
            return self.block(head.stream, &payload, ends, selfish);
        }
        if payload.is_empty() && !self.empties.take() {
            return Err(Fail::Calm);
        }
        self.block = Some(OpenBlock { stream: head.stream, ends, selfish, text: payload.to_vec() });
        Ok(Step::Next)
    }

    fn continuation(&mut self, head: &Head, payload: &[u8]) -> Result<Step, Fail> {
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
    fn block(&mut self, id: u32, block: &[u8], ends: bool, selfish: bool) -> Result<Step, Fail> {
        if self.heads.capacity() < HEAD_TEXT / 4 {
            self.heads.reserve(HEAD_TEXT);
        }
        self.heads.clear();
        let max_list = self.settings.max_list();
        let mut fields =
            Collector::new(&mut self.heads, &mut self.fingerprint, max_list, self.settings.max_uri_bytes);
        self.decoder
            .decode(block, max_list, &mut fields)
            .map_err(|hpack::Broken| Fail::GoAway(Code::Compression))?;
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
        let sound = fields.fault.is_none() && !selfish;
        if id > self.last_stream && self.going_away {
            return Ok(Step::Next);
        }
        if id.is_multiple_of(2) {
            return Err(PROTOCOL);
        }
        if id <= self.last_stream {
            let is_trailers = sound && ends && fields.is_trailers();
            return self.late_block(id, is_trailers);
        }
        let size = fields.size;
        let request = if sound { fields.request(ends) } else { Err(Fault::Malformed) };
        self.last_stream = id;
        let Ok(Parts { request, expects }) = request else {
            self.refuse_stream(id);
            return Ok(Step::Next);
        };
        let counters = http2_state::group();
        counters.add(http2_state::H2_REQ_HEADER_ORIGINAL_SIZE, size as u64);
        counters.add(http2_state::H2_REQ_HEADER_COMPRESS_SIZE, block.len() as u64);
        if self.open >= self.settings.max_streams {
            count(http2_state::H2_ERR_MAX_STREAM_PER_CONN);
            return Err(Fail::Silent);
        }
        let stream = self.open_stream(id, ends)?;
        stream.declared = if ends { None } else { u64::try_from(request.content_length).ok() };
        stream.continue_due = expects;
        let mut request = Box::new(request);
        request.state.serial_number = id / 2 + 1;
        Ok(Step::Opened(Opened { id, request, has_body: !ends || expects }))
    }

    /// Enters a new stream.
    pub(super) fn open_stream(&mut self, id: u32, ends: bool) -> Result<&mut StreamState, Fail> {
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
    pub(super) fn refuse_stream(&mut self, id: u32) {
        self.note_closed(id);
        self.reset(id, Code::Protocol, Why::Refused);
        self.busy();
        if self.open == 0 {
            self.rest();
        }
    }

    /// A header block of a stream that has begun: trailers, or something wrong.
    fn late_block(&mut self, id: u32, is_trailers: bool) -> Result<Step, Fail> {
        let was_there = self.was_there(id);
        match self.streams.get_mut(&id).map(|s| (s.phase, s)) {
            Some((Phase::Open, stream)) => {
                stream.trailers = true;
                if is_trailers {
                    self.end_body(id);
                } else {
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

    // --- the rest ---

    fn priority(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
        if payload.len() != 5 {
            self.reset(head.stream, Code::FrameSize, Why::Refused);
            return Ok(());
        }
        let parent = frame::number(payload);
        self.fingerprint.priority(head.stream, parent, payload.get(4).copied().unwrap_or_default());
        if parent.0 == head.stream {
            self.reset(head.stream, Code::Protocol, Why::Refused);
        }
        // They change nothing; there may be many of them, but not without end.
        if self.pings.take() { Ok(()) } else { Err(Fail::Calm) }
    }

    fn rst_stream(&mut self, head: &Head) -> Result<(), Fail> {
        count(http2_state::H2_ERR_GOT_RESET);
        if head.stream > self.last_stream {
            return if self.going_away { Ok(()) } else { Err(PROTOCOL) };
        }
        if self.streams.get(&head.stream).is_some_and(|s| !s.is_closed()) {
            self.close_stream(head.stream, Why::Gone);
            if !self.resets.take() {
                return Err(Fail::Calm);
            }
        }
        Ok(())
    }

    fn settings(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
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
    pub(super) fn set_first_window(&mut self, window: i64) -> Result<(), Fail> {
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

    fn ping(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
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

    fn window_update(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fail> {
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
    pub(super) fn add_to_window(&mut self, id: u32, increment: u32) -> Result<(), Fail> {
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
pub(super) fn first_window(value: u32) -> Result<i64, Fail> {
    let window = i64::from(value);
    if window > MAX_WINDOW { Err(Fail::GoAway(Code::FlowControl)) } else { Ok(window) }
}
