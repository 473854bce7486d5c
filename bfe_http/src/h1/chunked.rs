//! The chunked transfer coding, decoded (lifecycle 5.3).

use super::head::printable;
use crate::BodyError;
use bytes::{Buf, Bytes, BytesMut};

/// Longest chunk size line in bytes, and longest trailer, with the empty line at its end.
const MAX_LINE: usize = 4096;

/// Decodes a chunked body from a buffer that is filled from outside.
#[derive(Debug)]
pub struct Decoder {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    Data(u64),
    /// The line end after the data of a chunk.
    DataEnd,
    Trailer,
    Done,
}

/// What the decoder found.
#[derive(Debug)]
pub enum Decoded {
    /// A piece of the body, never empty.
    Data(Bytes),
    /// More bytes are needed.
    NeedMore,
    /// The body is complete.
    End,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::Size }
    }
}

impl Decoder {
    /// Whether the last chunk and its trailer have been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The error for a peer that closes now, with what is left in the buffer. The reference takes data that end
    /// early for the end of the body, and misses its trailer.
    #[must_use]
    pub fn eof(&self, rest: &[u8]) -> BodyError {
        match self.state {
            State::Size => BodyError::UnexpectedEof,
            State::DataEnd if !rest.is_empty() => BodyError::UnexpectedEof,
            State::Trailer if rest.len() > 1 => BodyError::LongTrailer,
            State::Data(_) | State::DataEnd | State::Trailer | State::Done => BodyError::UnexpectedEofTrailer,
        }
    }

    /// Takes the next piece out of `buf`.
    ///
    /// # Errors
    /// When the coding is broken; what follows in `buf` cannot be trusted then.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Decoded, BodyError> {
        loop {
            match self.state {
                State::Done => return Ok(Decoded::End),
                State::Data(0) => self.state = State::DataEnd,
                State::Data(left) => {
                    if buf.is_empty() {
                        return Ok(Decoded::NeedMore);
                    }
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
                    self.state = State::Data(left - n as u64);
                    return Ok(Decoded::Data(buf.split_to(n).freeze()));
                }
                State::DataEnd => {
                    let Some(end) = buf.get(..2) else { return Ok(Decoded::NeedMore) };
                    if end != b"\r\n" {
                        return Err(BodyError::MalformedChunk);
                    }
                    buf.advance(2);
                    self.state = State::Size;
                }
                State::Size => {
                    let Some(line) = take_line(buf)? else { return Ok(Decoded::NeedMore) };
                    let size = chunk_size(&line).ok_or(BodyError::ChunkLength)?;
                    self.state = if size == 0 { State::Trailer } else { State::Data(size) };
                }
                State::Trailer => {
                    let Some(len) = trailer_len(buf)? else { return Ok(Decoded::NeedMore) };
                    // Nobody wants the fields.
                    buf.advance(len);
                    self.state = State::Done;
                }
            }
        }
    }
}

/// Takes a line out of `buf`, without its end; `None` while it is not complete.
fn take_line(buf: &mut BytesMut) -> Result<Option<BytesMut>, BodyError> {
    let Some(lf) = memchr::memchr(b'\n', buf) else {
        return if buf.len() >= MAX_LINE { Err(BodyError::LineTooLong) } else { Ok(None) };
    };
    if lf >= MAX_LINE {
        return Err(BodyError::LineTooLong);
    }
    let mut line = buf.split_to(lf + 1);
    line.truncate(lf);
    if line.ends_with(b"\r") {
        line.truncate(lf - 1);
    }
    Ok(Some(line))
}

/// A chunk size: hexadecimal, blanks after it allowed, no extensions (the reference has none either).
fn chunk_size(line: &[u8]) -> Option<u64> {
    let mut digits = line;
    // Blanks only: a stray CR or the like may be a line end to somebody else.
    while let [rest @ .., b' ' | b'\t'] = digits {
        digits = rest;
    }
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        // A size that no number holds is one number to one reader, and another to the next.
        n.checked_mul(16)?.checked_add(u64::from(char::from(*b).to_digit(16)?))
    })
}

/// Length of the trailer at the start of `buf`, its empty line included; `None` while it is not complete.
fn trailer_len(buf: &[u8]) -> Result<Option<usize>, BodyError> {
    if buf.len() < 2 {
        return Ok(None);
    }
    if buf.starts_with(b"\r\n") {
        return Ok(Some(2));
    }
    let most = buf.get(..MAX_LINE).unwrap_or(buf);
    let Some(end) = memchr::memmem::find(most, b"\r\n\r\n") else {
        return if buf.len() >= MAX_LINE { Err(BodyError::LongTrailer) } else { Ok(None) };
    };
    let mut lines = most.get(..end).unwrap_or_default().split(|b| *b == b'\n').enumerate();
    let is_field = |line: &[u8]| line.contains(&b':');
    // It goes on with the field of the line before it, so that the first cannot be one.
    let goes_on = |line: &[u8]| matches!(line.first(), Some(b' ' | b'\t'));
    let sound = |number: usize, line: &[u8]| if goes_on(line) { number > 0 } else { is_field(line) };
    match lines.find(|(number, line)| !sound(*number, line)) {
        Some((_, line)) => Err(BodyError::MalformedTrailer(printable(line.trim_ascii_end()))),
        None => Ok(Some(end + 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &[u8], step: usize) -> Result<Option<Vec<u8>>, BodyError> {
        let (mut decoder, mut buf, mut out) = (Decoder::default(), BytesMut::new(), Vec::new());
        for part in text.chunks(step) {
            buf.extend_from_slice(part);
            loop {
                match decoder.decode(&mut buf)? {
                    Decoded::Data(data) => out.extend_from_slice(&data),
                    Decoded::NeedMore => break,
                    Decoded::End => return Ok(Some(out)),
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn decodes_in_pieces_of_any_size() {
        let text =
            b"3\r\nabc\r\n0000000000000000000A \n0123456789\r\n0\t\r\nX-T: 1\r\n more\r\nX-U: 2\r\n\r\nnext";
        for step in 1..text.len() {
            assert_eq!(decode(text, step).unwrap().unwrap(), b"abc0123456789", "step {step}");
        }
        assert!(decode(b"3\r\nab", 1).unwrap().is_none());
    }

    #[test]
    fn life_40_extensions_and_other_damage_are_errors() {
        for bad in [
            &b"5;a=b\r\nhello\r\n0\r\n\r\n"[..],
            b"zz\r\n",
            b"\r\n",
            b"3\r\nabcX\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3\r\nab\r\n0\r\n\r\n",
            b" 3\r\nabc\r\n0\r\n\r\n",
            b"0\r\nbad\r\n\r\n",
            b"0\r\n x: 1\r\n\r\n",
            b"0\r\nx: 1\r\nbad\r\n\r\n",
            b"11111111111111111\r\n",
            b"-1\r\n",
            b"\r5\r\nhello\r\n",
            b"5\r\r\nhello\r\n",
            b"5\x0b\r\nhello\r\n",
        ] {
            assert!(decode(bad, 4).is_err(), "{bad:?}");
        }
        assert!(matches!(decode(&[b'1'; 5000], 100), Err(BodyError::LineTooLong)));
        let trailer = |len: usize| [b"0\r\na: ", &b"b".repeat(len - 7)[..], b"\r\n\r\n"].concat();
        assert!(decode(&trailer(MAX_LINE), 100).unwrap().is_some());
        assert!(matches!(decode(&trailer(MAX_LINE + 1), 100), Err(BodyError::LongTrailer)));
        assert!(decode(&[&b"0\r\n"[..], &b"a:\r\n".repeat(600), b"\r\n"].concat(), 100).unwrap().is_some());
        // The end must be whole; what comes instead of it is waited for.
        assert!(decode(b"0\r\n\n", 100).unwrap().is_none());
    }

    #[test]
    fn says_which_line_of_a_trailer_is_no_field() {
        for (trailer, line) in [("bad\r\nA: b", "bad"), ("A: b\r\n c\r\nbad ", "bad"), (" A: b", " A: b")] {
            let error = decode(format!("0\r\n{trailer}\r\n\r\n").as_bytes(), 100).unwrap_err();
            assert_eq!(error.to_string(), format!("malformed MIME header line: {line}"), "{trailer:?}");
        }
    }

    #[test]
    fn says_where_a_body_was_cut() {
        let cut = |text: &[u8]| {
            let (mut decoder, mut buf) = (Decoder::default(), BytesMut::from(text));
            while let Ok(Decoded::Data(_)) = decoder.decode(&mut buf) {}
            decoder.eof(&buf).to_string()
        };
        for text in [&b""[..], b"5", b"5\r\nhello\r", b"5\r\nhello\r\n"] {
            assert_eq!(cut(text), "unexpected EOF", "{text:?}");
        }
        for text in [&b"5\r\n"[..], b"5\r\nhel", b"5\r\nhello", b"0\r\n", b"0\r\nX"] {
            assert_eq!(cut(text), "http: unexpected EOF reading trailer", "{text:?}");
        }
        assert_eq!(cut(b"0\r\nX-T: 1\r\n"), "http: suspiciously long trailer after chunked body");
    }
}
