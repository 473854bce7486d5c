//! Where a head and its lines end: one look at the bytes, eight at a time, which also tells whether there is anything
//! in them that has to be looked at more closely.

use crate::bytes_of_word;
use bytes::BytesMut;

/// Lines whose ends are remembered; a head with more is parsed a little slower.
const REMEMBERED: usize = 32;

/// A head at the start of a buffer: how long it is, and where its lines end.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    /// Offsets of the first line feeds.
    ends: [u16; REMEMBERED],
    known: usize,
    len: usize,
    sound: bool,
}

/// A head with its empty line, and what is known of its lines.
#[derive(Debug)]
pub struct RawHead {
    pub(super) bytes: BytesMut,
    pub(super) lines: Lines,
}

/// Finds where the head at the start of `buf` ends, its empty line included. `scanned` remembers how far earlier calls
/// have looked, so that a slow sender costs no more than a fast one.
#[must_use]
pub fn find_end(buf: &[u8], scanned: &mut usize) -> Option<Lines> {
    if *scanned == 0 {
        let lines = Lines::of(buf);
        if lines.len == 0 {
            *scanned = undecided(buf);
        }
        return (lines.len > 0).then_some(lines);
    }
    let mut at = *scanned;
    while let Some(lf) = memchr::memchr(b'\n', buf.get(at..).unwrap_or_default()).map(|i| at + i) {
        if let Some(end) = end_after(buf, lf) {
            return Some(Lines::of(buf.get(..end).unwrap_or_default()));
        }
        at = lf + 1;
    }
    *scanned = undecided(buf);
    None
}

/// Where a head ends whose line ends at that line feed; `None` where it goes on, or the next bytes have not come.
fn end_after(buf: &[u8], lf: usize) -> Option<usize> {
    match buf.get(lf + 1..) {
        Some([b'\n', ..]) => Some(lf + 2),
        Some([b'\r', b'\n', ..]) => Some(lf + 3),
        // An empty first line is a malformed start line; do not wait for more.
        _ if lf == 0 || lf == 1 && buf.first() == Some(&b'\r') => Some(lf + 1),
        _ => None,
    }
}

/// From where on a head that is not whole has to be looked at once more bytes have come.
fn undecided(buf: &[u8]) -> usize {
    let open = if buf.ends_with(b"\n") { 1 } else { 2 * usize::from(buf.ends_with(b"\n\r")) };
    buf.len() - open
}

impl Lines {
    /// Looks at `buf` up to the end of its head, or all of it where there is none.
    fn of(buf: &[u8]) -> Self {
        let mut lines = Self { ends: [0; REMEMBERED], known: 0, len: 0, sound: true };
        let mut at = 0;
        while let Some(rest) = buf.get(at..) {
            if let Some(word) = rest.first_chunk::<8>() {
                let plain = bytes_of_word::visible_before(u64::from_le_bytes(*word));
                if plain == 8 {
                    at += 8;
                    continue;
                }
                at += plain;
            }
            let lf = match buf.get(at..) {
                Some([b'\r', b'\n', ..]) => at + 1,
                Some([b'\n', ..]) => {
                    lines.sound = false;
                    at
                }
                Some([b, ..]) => {
                    lines.sound &= *b == b'\t' || *b >= b' ' && *b != 0x7f;
                    at += 1;
                    continue;
                }
                _ => break,
            };
            at = lf + 1;
            lines.push(lf);
            if let Some(end) = end_after(buf, lf) {
                lines.len = end;
                if end > at {
                    lines.push(end - 1);
                    lines.sound &= end == at + 2;
                }
                break;
            }
        }
        lines
    }

    fn push(&mut self, at: usize) {
        if let (Some(slot), Ok(at)) = (self.ends.get_mut(self.known), u16::try_from(at)) {
            *slot = at;
            self.known += 1;
        }
    }

    /// How long the head is, its empty line included.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a head has a line at least")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no control characters in it but tabs, and each line ends with CR and LF.
    pub(super) fn are_sound(&self) -> bool {
        self.sound
    }

    /// Where the line that starts at `at` ends: the offset of its line feed. `number` counts lines from 0.
    pub(super) fn end_of(&self, number: usize, at: usize, head: &[u8]) -> Option<usize> {
        match self.ends.get(..self.known).and_then(|ends| ends.get(number)) {
            Some(end) => Some(usize::from(*end)),
            None => memchr::memchr(b'\n', head.get(at..)?).map(|i| at + i),
        }
    }

    /// Takes the head out of the buffer at whose start it was found.
    #[must_use]
    pub fn cut(self, buf: &mut BytesMut) -> RawHead {
        RawHead { bytes: buf.split_to(self.len.min(buf.len())), lines: self }
    }
}

impl From<BytesMut> for RawHead {
    /// A head all of whose bytes are there.
    fn from(bytes: BytesMut) -> Self {
        Self { lines: Lines::of(&bytes), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_however_the_bytes_come() {
        for (text, end) in [
            ("GET / HTTP/1.1\r\nA: b\r\n\r\n", Some(24)),
            ("GET / HTTP/1.1\r\nA: b\r\n\r\nbody", Some(24)),
            ("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", Some(18)),
            ("GET / HTTP/1.1\nA: b\n\n", Some(21)),
            ("GET / HTTP/1.1\nA: b\n\r\n", Some(22)),
            ("GET / HTTP/1.1\r\nA: b\r\n", None),
            ("GET / HTTP/1.1\r\nA: b\r\n\r", None),
            ("\r\nGET / HTTP/1.1\r\n\r\n", Some(2)),
            ("\nGET / HTTP/1.1\r\n\r\n", Some(1)),
        ] {
            // Words begin elsewhere with each length of the first line.
            for more in 0..8 {
                let text = text.replace("GET", &format!("GET{}", "x".repeat(more)));
                let shift = if end.is_some_and(|end| end < 3) {
                    0
                } else {
                    more * text.matches("GET").count().min(1)
                };
                let end = end.map(|end| end + shift);
                assert_eq!(find_end(text.as_bytes(), &mut 0).map(|l| l.len()), end, "{text:?}");
                let mut scanned = 0;
                let found = (0..=text.len()).find_map(|n| find_end(&text.as_bytes()[..n], &mut scanned));
                assert_eq!(found.map(|l| l.len()), end, "byte by byte: {text:?}");
            }
        }
    }

    #[test]
    fn remembers_lines_and_finds_the_others() {
        for lines in [1, 31, 32, 33, 100] {
            let text = format!("GET / HTTP/1.1\r\n{}\r\n", "Name: value\r\n".repeat(lines));
            let found = find_end(text.as_bytes(), &mut 0).unwrap();
            let mut at = 0;
            for (number, line) in text.split_inclusive('\n').enumerate() {
                let end = found.end_of(number, at, text.as_bytes()).unwrap();
                assert_eq!(end, at + line.len() - 1, "line {number} of {lines}");
                at = end + 1;
            }
            assert!(found.are_sound() && found.end_of(lines + 2, at, text.as_bytes()).is_none());
        }
    }

    #[test]
    fn what_could_end_a_line_early_is_seen_wherever_it_stands() {
        let good = "GET /\u{e9} HTTP/1.1\r\nName:\tvalue of it\r\n\r\n";
        assert!(find_end(good.as_bytes(), &mut 0).unwrap().are_sound());
        for bad in ["\0", "\x1f", "\x7f", "\r", "\r\r", "\x0b", "\n"] {
            for (at, _) in good.char_indices().take_while(|(at, _)| *at + 3 < good.len()) {
                let mut text = good.to_owned();
                text.insert_str(at, bad);
                // A CR or LF beside the end of a line may make an end of its own.
                let Some(lines) = find_end(text.as_bytes(), &mut 0) else { continue };
                let seen = &text[..lines.len()];
                let plain = seen.replace("\r\n", "");
                let odd = plain.bytes().any(|b| b != b'\t' && (b < b' ' || b == 0x7f));
                assert_eq!(lines.are_sound(), !odd, "{text:?}");
            }
        }
    }
}
