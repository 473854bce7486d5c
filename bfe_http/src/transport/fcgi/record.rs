//! FastCGI records: a header of eight bytes, content, padding.

use bytes::{Buf, Bytes, BytesMut};

const VERSION: u8 = 1;
const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDERR: u8 = 7;
const HEADER: usize = 8;
/// The only request of a connection.
const REQUEST: [u8; 2] = [0, 1];
/// The role of a script that answers.
const RESPONDER: u8 = 1;
/// Largest content of a record: what keeps it aligned, so that no record needs padding but the last.
const MAX_CONTENT: usize = 65_528;

fn header(out: &mut Vec<u8>, kind: u8, content: usize) {
    let padding = padding(content);
    let length = u16::try_from(content).unwrap_or(u16::MAX).to_be_bytes();
    out.extend_from_slice(&[VERSION, kind, REQUEST[0], REQUEST[1], length[0], length[1], padding, 0]);
}

/// Bytes that bring content to a multiple of eight.
fn padding(content: usize) -> u8 {
    u8::try_from(content.wrapping_neg() % 8).unwrap_or(0)
}

/// Begins the request; the connection ends after it.
pub(super) fn push_begin(out: &mut Vec<u8>) {
    header(out, BEGIN_REQUEST, 8);
    out.extend_from_slice(&[0, RESPONDER, 0, 0, 0, 0, 0, 0]);
}

fn push_stream(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    for part in content.chunks(MAX_CONTENT) {
        header(out, kind, part.len());
        out.extend_from_slice(part);
        out.resize(out.len() + usize::from(padding(part.len())), 0);
    }
}

/// All variables, and their end. `params` is made by [`push_pair`].
pub(super) fn push_params(out: &mut Vec<u8>, params: &[u8]) {
    push_stream(out, PARAMS, params);
    header(out, PARAMS, 0);
}

/// A piece of the body.
pub(super) fn push_stdin(out: &mut Vec<u8>, piece: &[u8]) {
    push_stream(out, STDIN, piece);
}

/// The end of the body.
pub(super) fn push_stdin_end(out: &mut Vec<u8>) {
    header(out, STDIN, 0);
}

/// A variable: the lengths of name and value, then both.
pub(super) fn push_pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for length in [name.len(), value.len()] {
        match u8::try_from(length) {
            Ok(short) if short < 128 => out.push(short),
            _ => {
                let long = u32::try_from(length).unwrap_or(u32::MAX) | 0x8000_0000;
                out.extend_from_slice(&long.to_be_bytes());
            }
        }
    }
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

/// What a backend says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// More bytes have to come first.
    NeedMore,
    /// Output: never empty.
    Output(Bytes),
    /// A message for a log: never empty.
    Complaint(Bytes),
    /// The request is over.
    End,
    /// Not FastCGI.
    Malformed(&'static str),
}

/// Takes records apart. Content is given on as it comes, without waiting for the whole record.
#[derive(Default)]
pub(super) struct Reader {
    kind: u8,
    /// Content and padding of the current record that have not come yet.
    content: usize,
    padding: usize,
}

impl Reader {
    /// Whether there has been a record.
    pub(super) fn has_begun(&self) -> bool {
        self.kind != 0
    }

    /// What the next bytes of `buf` say.
    pub(super) fn next(&mut self, buf: &mut BytesMut) -> Said {
        loop {
            if self.content > 0 {
                if buf.is_empty() {
                    return Said::NeedMore;
                }
                let n = self.content.min(buf.len());
                self.content -= n;
                let piece = buf.split_to(n).freeze();
                match self.kind {
                    // Its content says how the script ended; the answer is complete either way.
                    END_REQUEST => {}
                    STDERR => return Said::Complaint(piece),
                    // The reference takes any other kind of record for output.
                    _ => return Said::Output(piece),
                }
                continue;
            }
            if self.padding > 0 {
                let n = self.padding.min(buf.len());
                buf.advance(n);
                self.padding -= n;
                if self.padding > 0 {
                    return Said::NeedMore;
                }
            }
            if self.kind == END_REQUEST {
                return Said::End;
            }
            let Some(&[version, kind, _, _, high, low, padding, _]) = buf.first_chunk::<HEADER>() else {
                return Said::NeedMore;
            };
            if version != VERSION {
                return Said::Malformed("fcgi: invalid header version");
            }
            buf.advance(HEADER);
            self.kind = kind;
            self.content = usize::from(u16::from_be_bytes([high, low]));
            self.padding = usize::from(padding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stdout(content: &[u8], padding: u8) -> Vec<u8> {
        let mut out = vec![1, 6, 0, 1, 0, u8::try_from(content.len()).unwrap(), padding, 0];
        out.extend_from_slice(content);
        out.resize(out.len() + usize::from(padding), 9);
        out
    }

    #[test]
    fn records_come_apart_wherever_they_are_cut() {
        let mut wire = stdout(b"abc", 5);
        wire.extend([1, 7, 0, 1, 0, 2, 0, 0, b'n', b'o']);
        wire.extend([1, 6, 0, 1, 0, 0, 0, 0]);
        wire.extend([1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for step in 1..wire.len() {
            let (mut reader, mut buf) = (Reader::default(), BytesMut::new());
            let (mut output, mut complaint, mut ended) = (Vec::new(), Vec::new(), false);
            for part in wire.chunks(step) {
                buf.extend_from_slice(part);
                loop {
                    match reader.next(&mut buf) {
                        Said::NeedMore => break,
                        Said::Output(piece) => output.extend_from_slice(&piece),
                        Said::Complaint(piece) => complaint.extend_from_slice(&piece),
                        Said::End => {
                            ended = true;
                            break;
                        }
                        Said::Malformed(why) => panic!("{why}"),
                    }
                }
            }
            assert_eq!((output.as_slice(), complaint.as_slice(), ended), (&b"abc"[..], &b"no"[..], true));
        }
    }

    #[test]
    fn what_is_no_record_is_noticed() {
        let mut buf = BytesMut::from(&b"HTTP/1.1 200 OK\r\n"[..]);
        assert_eq!(Reader::default().next(&mut buf), Said::Malformed("fcgi: invalid header version"));
    }

    #[test]
    fn long_content_is_split_and_padded() {
        let mut out = Vec::new();
        push_stdin(&mut out, &[b'x'; 70_001]);
        assert_eq!(out.get(..8), Some(&[1, 5, 0, 1, 0xff, 0xf8, 0, 0][..]));
        assert_eq!(out.get(65_536..65_544), Some(&[1, 5, 0, 1, 0x11, 0x79, 7, 0][..]));
        assert_eq!(out.len(), 65_536 + 8 + 4473 + 7);
    }

    #[test]
    fn pairs_have_short_and_long_lengths() {
        let mut out = Vec::new();
        push_pair(&mut out, b"A", &[b'v'; 200]);
        assert_eq!(out.get(..6), Some(&[1, 0x80, 0, 0, 200, b'A'][..]));
    }
}
