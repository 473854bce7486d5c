//! The chunked transfer coding, decoded (lifecycle 5.3).

use crate::BodyError;
use bytes::{Bytes, BytesMut};

/// Longest chunk size line or trailer line, in bytes.
const MAX_LINE: usize = 4096;
/// Most trailer lines; they are read and dropped.
const MAX_TRAILER_LINES: usize = 128;

/// Decodes a chunked body from a buffer that is filled from outside.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    trailer_lines: usize,
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
        Self { state: State::Size, trailer_lines: 0 }
    }
}

impl Decoder {
    /// Whether the last chunk and its trailer have been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The error for a peer that closes now.
    #[must_use]
    pub fn eof(&self) -> BodyError {
        match self.state {
            State::Data(_) | State::DataEnd => BodyError::UnexpectedEof,
            State::Size | State::Trailer | State::Done => BodyError::UnexpectedEofTrailer,
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
                    let Some(line) = take_line(buf)? else { return Ok(Decoded::NeedMore) };
                    if !line.is_empty() {
                        return Err(BodyError::MalformedChunk);
                    }
                    self.state = State::Size;
                }
                State::Size => {
                    let Some(line) = take_line(buf)? else { return Ok(Decoded::NeedMore) };
                    let size = chunk_size(&line).ok_or(BodyError::ChunkLength)?;
                    self.state = if size == 0 { State::Trailer } else { State::Data(size) };
                }
                State::Trailer => {
                    let Some(line) = take_line(buf)? else { return Ok(Decoded::NeedMore) };
                    self.trailer_lines += 1;
                    if line.is_empty() {
                        self.state = State::Done;
                    } else if self.trailer_lines > MAX_TRAILER_LINES {
                        return Err(BodyError::LineTooLong);
                    }
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

/// A chunk size: hexadecimal, blanks around it allowed, no extensions (the reference has none either).
fn chunk_size(line: &[u8]) -> Option<u64> {
    // Blanks only: a stray CR or the like may be a line end to somebody else.
    let digits = trim_blanks(line);
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| Some(n << 4 | u64::from(char::from(*b).to_digit(16)?)))
}

fn trim_blanks(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = line {
        line = rest;
    }
    line
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
        let text = b"3\r\nabc\r\n A \n0123456789\r\n0\r\nX-T: 1\r\n\r\nnext";
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
            b"11111111111111111\r\n",
            b"-1\r\n",
            b"\r5\r\nhello\r\n",
            b"5\r\r\nhello\r\n",
            b"5\x0b\r\nhello\r\n",
        ] {
            assert!(decode(bad, 4).is_err(), "{bad:?}");
        }
        assert!(matches!(decode(&[b'1'; 5000], 100), Err(BodyError::LineTooLong)));
        let endless = [&b"0\r\n"[..], &b"a: b\r\n".repeat(200)].concat();
        assert!(decode(&endless, 100).is_err());
    }
}
