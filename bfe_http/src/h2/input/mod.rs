//! Frames in (RFC 9113, 5 and 6): what each of them does to the connection and its streams.

mod bodies;
mod control;
mod heads;

pub(super) use bodies::OpenPayload;
pub(super) use control::first_window;
pub(super) use heads::OpenBlock;

use super::connection::{Inner, MAX_FRAME, Opened, Stage};
use super::frame::{Code, HEAD, Head, flag, kind};
use bytes::Buf;

/// What every connection of a client begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Most settings in a frame.
const MAX_SETTINGS: usize = 128;

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
            kind::RST_STREAM => self.rst_stream(&head, &payload)?,
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
}
