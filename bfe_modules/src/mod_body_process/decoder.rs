//! Taking bodies apart (ai-gateway 11.3).

use super::event::{Event, SseEvent, is_content, without_end};
use super::json::{Scanner, Step};
use super::rule::Form;
use bytes::{Buf as _, Bytes, BytesMut};

/// The longest piece that is waited for, in bytes.
pub(super) const MAX_EVENT: usize = 8 * 1024 * 1024;

/// What comes out of a body.
#[derive(Debug)]
pub(super) enum Decoded {
    Event(Event),
    /// Part of a piece that is longer than [`MAX_EVENT`].
    Part(Bytes),
}

/// Takes a body apart.
pub(super) enum Decoder {
    Line {
        /// How far there is no end of a line.
        scanned: usize,
    },
    Json {
        scanner: Scanner,
        /// How far the value has been followed.
        scanned: usize,
        /// Whether part of it has been passed on.
        is_part: bool,
    },
    Sse {
        /// Where the line begins that is looked at.
        line: usize,
        /// How far there is no end of it.
        scanned: usize,
        /// Whether the lines before it make an event.
        has_content: bool,
    },
}

impl Decoder {
    /// For a form, or where that leaves it open for a content type: as it is written, parameters and all.
    pub(super) fn new(form: Form, content_type: &[u8]) -> Self {
        let form = match (form, content_type) {
            (Form::ByType, b"application/sse" | b"text/event-stream" | b"application/x-sse") => Form::Sse,
            (Form::ByType, b"application/json" | b"application/ndjson" | b"application/x-ndjson") => {
                Form::Json
            }
            (Form::ByType, _) => Form::Line,
            (form, _) => form,
        };
        match form {
            Form::Json => Self::Json { scanner: Scanner::default(), scanned: 0, is_part: false },
            Form::Sse => Self::Sse { line: 0, scanned: 0, has_content: false },
            Form::Line | Form::ByType => Self::Line { scanned: 0 },
        }
    }

    /// Takes the next piece from `buffer`; `None` where there has to be more first. With `ended` there will be no
    /// more.
    ///
    /// # Errors
    /// Why what is there is none.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut, ended: bool) -> Result<Option<Decoded>, String> {
        let found = match self {
            Self::Line { scanned } => decode_line(buffer, scanned, ended),
            Self::Json { scanner, scanned, is_part } => {
                decode_json(buffer, scanner, scanned, is_part, ended)?
            }
            Self::Sse { line, scanned, has_content } => decode_sse(buffer, line, scanned, has_content, ended),
        };
        if found.is_some() || buffer.len() < MAX_EVENT {
            return Ok(found);
        }
        match self {
            Self::Line { scanned } => *scanned = 0,
            Self::Json { scanned, is_part, .. } => (*scanned, *is_part) = (0, true),
            Self::Sse { line, scanned, has_content } => (*line, *scanned, *has_content) = (0, 0, false),
        }
        Ok(Some(Decoded::Part(buffer.split().freeze())))
    }
}

fn raw(bytes: BytesMut) -> Decoded {
    Decoded::Event(Event::Raw(bytes.freeze()))
}

fn decode_line(buffer: &mut BytesMut, scanned: &mut usize, ended: bool) -> Option<Decoded> {
    let rest = buffer.get(*scanned..).unwrap_or_default();
    if let Some(at) = memchr::memchr(b'\n', rest) {
        let end = *scanned + at + 1;
        *scanned = 0;
        return Some(raw(buffer.split_to(end)));
    }
    *scanned = buffer.len();
    if ended && !buffer.is_empty() {
        *scanned = 0;
        return Some(raw(buffer.split()));
    }
    None
}

fn decode_json(
    buffer: &mut BytesMut,
    scanner: &mut Scanner,
    scanned: &mut usize,
    is_part: &mut bool,
    ended: bool,
) -> Result<Option<Decoded>, String> {
    let mut end = None;
    while let Some(byte) = buffer.get(*scanned) {
        match scanner.step(*byte)? {
            Step::Skip => buffer.advance(1),
            Step::Inside => *scanned += 1,
            Step::End => {
                end = Some(*scanned + 1);
                break;
            }
            Step::EndBefore => {
                end = Some(*scanned);
                break;
            }
        }
    }
    if end.is_none() && ended {
        if scanner.may_end() {
            *scanner = Scanner::default();
            end = Some(buffer.len());
        } else if !buffer.is_empty() || *is_part {
            return Err("unexpected EOF".into());
        }
    }
    let Some(end) = end else { return Ok(None) };
    *scanned = 0;
    let value = buffer.split_to(end);
    // What the rest of a value says by itself means nothing.
    let of_part = std::mem::take(is_part);
    Ok(Some(if of_part { Decoded::Part(value.freeze()) } else { raw(value) }))
}

fn decode_sse(
    buffer: &mut BytesMut,
    line: &mut usize,
    scanned: &mut usize,
    has_content: &mut bool,
    ended: bool,
) -> Option<Decoded> {
    loop {
        let rest = buffer.get(*scanned..).unwrap_or_default();
        let end = match memchr::memchr(b'\n', rest) {
            Some(at) => *scanned + at + 1,
            None if ended && *line < buffer.len() => buffer.len(),
            None => break,
        };
        let text = without_end(buffer.get(*line..end).unwrap_or_default());
        let is_end = text.is_empty() && *has_content;
        *has_content |= is_content(text);
        (*line, *scanned) = (end, end);
        if is_end {
            (*line, *scanned, *has_content) = (0, 0, false);
            let event = SseEvent::new(buffer.split_to(end).freeze(), false);
            return Some(Decoded::Event(Event::Sse(Box::new(event))));
        }
    }
    *scanned = buffer.len();
    if !ended {
        return None;
    }
    let last = buffer.split().freeze();
    (*line, *scanned) = (0, 0);
    // Blank lines behind the last event are lost.
    std::mem::take(has_content).then(|| Decoded::Event(Event::Sse(Box::new(SseEvent::new(last, true)))))
}
