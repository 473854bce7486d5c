//! Frames, cut out of the bytes of a stream (RFC 9114, 7).

use super::code::{Code, Fault};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::cell::Cell;
use std::rc::Rc;

/// Kinds of frames.
pub(super) mod kind {
    pub(in crate::h3) const DATA: u64 = 0x0;
    pub(in crate::h3) const HEADERS: u64 = 0x1;
    pub(in crate::h3) const CANCEL_PUSH: u64 = 0x3;
    pub(in crate::h3) const SETTINGS: u64 = 0x4;
    pub(in crate::h3) const PUSH_PROMISE: u64 = 0x5;
    pub(in crate::h3) const GOAWAY: u64 = 0x7;
    pub(in crate::h3) const MAX_PUSH_ID: u64 = 0xd;
}

/// What comes of the bytes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Some bytes of DATA, never none.
    Data(Bytes),
    /// A whole frame of another kind that means something.
    Frame(u64, Bytes),
}

/// What is being read.
#[derive(Debug, Default)]
enum State {
    /// Kind and length of a frame.
    #[default]
    Head,
    /// The rest of a frame of DATA: so many bytes.
    Data(u64),
    /// The rest of a frame that means nothing.
    Skip(u64),
    /// A frame that is taken whole: its kind, its length, and what has come of it.
    Whole(u64, usize, BytesMut),
}

/// What the frames of a connection hold that have not come whole, and how much that may be, in bytes.
#[derive(Debug)]
pub(super) struct Held {
    now: Cell<usize>,
    max: usize,
}

impl Held {
    pub(super) fn new(max: usize) -> Rc<Self> {
        Rc::new(Self { now: Cell::new(0), max })
    }
}

/// Cuts frames out of what a stream brings, piece by piece. DATA passes without a copy.
#[derive(Debug)]
pub(super) struct Frames {
    state: State,
    input: Bytes,
    /// A head of which more is to come.
    head: BytesMut,
    /// Largest frame that is taken whole.
    max: usize,
    held: Rc<Held>,
}

impl Drop for Frames {
    fn drop(&mut self) {
        if let State::Whole(_, _, text) = &self.state {
            self.held.now.set(self.held.now.get() - text.len());
        }
    }
}

impl Frames {
    /// Of a stream whose frames are no larger than `max`, on a connection whose streams hold that much.
    pub(super) fn new(max: usize, held: Rc<Held>) -> Self {
        Self { state: State::Head, input: Bytes::new(), head: BytesMut::new(), max, held }
    }

    /// Takes the next bytes of the stream; those before have been used up.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.input = bytes;
    }

    /// Whether the stream may end here: between two frames.
    pub(super) fn is_between(&self) -> bool {
        let at_end = matches!(self.state, State::Head | State::Data(0) | State::Skip(0));
        at_end && self.head.is_empty() && self.input.is_empty()
    }

    /// What comes next; `None` where more bytes are needed.
    ///
    /// # Errors
    /// Where a frame has no place in HTTP/3, or is too large.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Fault> {
        loop {
            let (state, piece) = match std::mem::take(&mut self.state) {
                State::Head => {
                    let Some((kind, length)) = self.head() else { return Ok(None) };
                    (self.begin(kind, length)?, None)
                }
                State::Data(0) | State::Skip(0) => (State::Head, None),
                State::Whole(kind, length, text) if text.len() == length => {
                    self.held.now.set(self.held.now.get() - length);
                    (State::Head, Some(Piece::Frame(kind, text.freeze())))
                }
                state if self.input.is_empty() => {
                    self.state = state;
                    return Ok(None);
                }
                State::Data(mut left) => {
                    let piece = take(&mut self.input, &mut left);
                    (State::Data(left), Some(Piece::Data(piece)))
                }
                State::Skip(mut left) => {
                    take(&mut self.input, &mut left);
                    (State::Skip(left), None)
                }
                State::Whole(kind, length, mut text) => {
                    let mut missing = (length - text.len()) as u64;
                    let piece = take(&mut self.input, &mut missing);
                    let held = self.held.now.get() + piece.len();
                    text.extend_from_slice(&piece);
                    self.held.now.set(held);
                    if held > self.held.max {
                        self.state = State::Whole(kind, length, text);
                        return Err(Fault::Connection(Code::ExcessiveLoad));
                    }
                    (State::Whole(kind, length, text), None)
                }
            };
            self.state = state;
            if piece.is_some() {
                return Ok(piece);
            }
        }
    }

    /// Kind and length of the next frame.
    fn head(&mut self) -> Option<(u64, u64)> {
        loop {
            let mut text = &self.head[..];
            if let (Some(kind), Some(length)) = (varint(&mut text), varint(&mut text)) {
                self.head.clear();
                return Some((kind, length));
            }
            if self.input.is_empty() {
                return None;
            }
            // A head has 16 bytes at most: it ends with one of them.
            self.head.put_u8(self.input.get_u8());
        }
    }

    fn begin(&self, kind: u64, length: u64) -> Result<State, Fault> {
        match kind {
            kind::DATA => Ok(State::Data(length)),
            kind::HEADERS
            | kind::CANCEL_PUSH
            | kind::SETTINGS
            | kind::PUSH_PROMISE
            | kind::GOAWAY
            | kind::MAX_PUSH_ID => match usize::try_from(length) {
                Ok(length) if length <= self.max => {
                    // What is announced costs nothing before it comes.
                    Ok(State::Whole(kind, length, BytesMut::new()))
                }
                _ if kind == kind::HEADERS => Err(Fault::LongList),
                _ => Err(Fault::Connection(Code::ExcessiveLoad)),
            },
            // Those of HTTP/2.
            0x2 | 0x6 | 0x8 | 0x9 => Err(Fault::Connection(Code::FrameUnexpected)),
            _ => Ok(State::Skip(length)),
        }
    }
}

/// Takes from the front of `input`, and off `left`.
fn take(input: &mut Bytes, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= length as u64;
    input.split_to(length)
}

/// An integer of QUIC from the front of `rest`; `None` where it is cut.
pub(super) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let first = *rest.first()?;
    let length = 1usize << (first >> 6);
    let (text, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    let value = text.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    // Without the two bits that tell the length.
    Some(value & ((1 << (8 * length - 2)) - 1))
}

/// Appends an integer of QUIC; what is beyond 62 bits is cut off.
pub(super) fn put_varint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..0x40 => out.extend_from_slice(&value.to_be_bytes()[7..]),
        0x40..0x4000 => out.extend_from_slice(&(value | 0x4000).to_be_bytes()[6..]),
        0x4000..0x4000_0000 => out.extend_from_slice(&(value | 0x8000_0000).to_be_bytes()[4..]),
        _ => out.extend_from_slice(&(value & (u64::MAX >> 2) | 0xc0 << 56).to_be_bytes()),
    }
}

/// A frame that is written whole.
pub(super) fn whole(kind: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = head(kind, payload.len());
    out.extend_from_slice(payload);
    out
}

/// The head of a frame.
pub(super) fn head(kind: u64, length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    put_varint(&mut out, kind);
    put_varint(&mut out, length as u64);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All pieces, the stream cut into chunks of that size; with what was wrong at the end.
    fn pieces(stream: &[u8], size: usize) -> (Vec<Piece>, Option<Fault>) {
        let mut frames = Frames::new(100, Held::new(1000));
        let mut pieces: Vec<Piece> = Vec::new();
        for chunk in stream.chunks(size) {
            frames.push(Bytes::copy_from_slice(chunk));
            loop {
                match (frames.next(), pieces.last_mut()) {
                    (Err(fault), _) => return (pieces, Some(fault)),
                    (Ok(None), _) => break,
                    (Ok(Some(Piece::Data(more))), Some(Piece::Data(data))) => {
                        *data = [&data[..], &more].concat().into();
                    }
                    (Ok(Some(piece)), _) => pieces.push(piece),
                }
            }
        }
        (pieces, None)
    }

    #[test]
    fn frames_however_they_are_cut() {
        let mut stream = vec![1, 3, b'a', b'b', b'c', 0, 0, 0, 5];
        stream.extend(b"12345");
        // One that means nothing, behind a kind and a length of four bytes each, and an empty one.
        stream.extend([0x80, 0, 0x40, 0x21, 0x80, 0, 0, 2, 9, 9, 4, 0]);
        let want = vec![
            Piece::Frame(kind::HEADERS, Bytes::from_static(b"abc")),
            Piece::Data(Bytes::from_static(b"12345")),
            Piece::Frame(kind::SETTINGS, Bytes::new()),
        ];
        for size in 1..=stream.len() {
            assert_eq!(pieces(&stream, size), (want.clone(), None), "chunks of {size}");
        }
    }

    #[test]
    fn frames_that_have_no_place() {
        for kind in [2, 6, 8, 9] {
            assert_eq!(pieces(&[kind, 0], 2).1, Some(Fault::Connection(Code::FrameUnexpected)));
        }
        assert_eq!(pieces(&[1, 0x40, 101], 3).1, Some(Fault::LongList));
        assert_eq!(pieces(&[1, 0x40, 100], 3), (Vec::new(), None));
        assert_eq!(pieces(&[4, 0x40, 101], 3).1, Some(Fault::Connection(Code::ExcessiveLoad)));
        // It is only announced.
        assert_eq!(pieces(&[0, 0xff, 255, 255, 255, 255, 255, 255, 255], 9), (Vec::new(), None));
    }

    #[test]
    fn what_has_not_come_whole_is_bounded() {
        let held = Held::new(150);
        let mut streams: Vec<_> = (0..4).map(|_| Frames::new(100, Rc::clone(&held))).collect();
        let mut push = |stream: usize, bytes: &[u8]| {
            let frames = &mut streams[stream];
            frames.push(Bytes::copy_from_slice(bytes));
            frames.next().map(|piece| piece.is_some())
        };
        let begun = [&[1, 0x40, 90][..], &[7; 60]].concat();
        assert_eq!((push(0, &begun), push(1, &begun)), (Ok(false), Ok(false)));
        // What is whole counts no more.
        assert_eq!(push(0, &[7; 30]), Ok(true));
        assert_eq!((push(2, &begun), held.now.get()), (Ok(false), 120));
        assert_eq!(push(3, &begun), Err(Fault::Connection(Code::ExcessiveLoad)));
        drop(streams);
        assert_eq!(held.now.get(), 0);
    }

    #[test]
    fn a_stream_ends_between_two_frames() {
        let mut frames = Frames::new(100, Held::new(1000));
        assert!(frames.is_between());
        for (byte, between) in [(0, false), (2, false), (b'x', false), (b'y', true), (0x40, false)] {
            frames.push(Bytes::copy_from_slice(&[byte]));
            while let Ok(Some(_)) = frames.next() {}
            assert_eq!(frames.is_between(), between, "after {byte}");
        }
    }

    proptest! {
        #[test]
        fn integers(value in 0..1u64 << 62) {
            for value in [value, value >> 32, value >> 48, value >> 56] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                let mut rest = &out[..];
                prop_assert_eq!((varint(&mut rest), rest.len()), (Some(value), 0));
                prop_assert_eq!(varint(&mut out.get(..out.len() - 1).unwrap()), None);
            }
        }

        #[test]
        fn no_bytes_are_too_much(stream in prop::collection::vec(any::<u8>(), 0..300), size in 1..300usize) {
            let whole = pieces(&stream, 300);
            prop_assert_eq!(pieces(&stream, size), whole);
        }
    }
}
