//! Pieces that a body is made of.

use bytes::{BufMut as _, Bytes, BytesMut};

/// A piece: a line, a JSON value, or an event of an event stream.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// As it came.
    Raw(Bytes),
    /// With fields.
    Sse(Box<SseEvent>),
}

impl Event {
    /// As it is passed on.
    pub(super) fn bytes(&self) -> Bytes {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::Sse(event) => event.bytes(),
        }
    }

    /// Where a model tells its usage.
    pub(super) fn content(&self) -> Bytes {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::Sse(event) => event.joined_data(),
        }
    }

    /// Puts a text in its place; in an event of a stream it is the only data.
    pub(super) fn replace(&mut self, text: Bytes) {
        match self {
            Self::Raw(bytes) => *bytes = text,
            Self::Sse(event) => {
                event.data = vec![text];
                event.is_changed = true;
            }
        }
    }
}

/// An event of an event stream.
#[derive(Clone, Debug, Default)]
pub(super) struct SseEvent {
    /// As it came.
    raw: Bytes,
    /// Whether it is no longer as it came.
    is_changed: bool,
    /// Whether the stream ended before the blank line.
    is_cut: bool,
    /// Whether the blank line had a carriage return.
    is_crlf: bool,
    id: Option<Bytes>,
    event: Option<Bytes>,
    data: Vec<Bytes>,
    retry: Option<i64>,
    comments: Vec<Bytes>,
    /// Lines with unknown fields, or without one.
    others: Vec<Bytes>,
}

/// A line without its end: `\n` or `\r\n`.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What a line says.
enum Field<'a> {
    Blank,
    Comment,
    Id(&'a [u8]),
    Event(&'a [u8]),
    Data(&'a [u8]),
    Retry(i64),
    /// `retry` with something else than a number: as if it was not there.
    NoRetry,
    Other,
}

fn field(line: &[u8]) -> Field<'_> {
    let Some(first) = line.first() else { return Field::Blank };
    if *first == b':' {
        return Field::Comment;
    }
    let Some(colon) = memchr::memchr(b':', line) else { return Field::Other };
    let (name, value) = line.split_at(colon);
    let value = value.strip_prefix(b":").unwrap_or_default();
    let value = value.strip_prefix(b" ").unwrap_or(value);
    match name {
        b"id" => Field::Id(value),
        b"event" => Field::Event(value),
        b"data" => Field::Data(value),
        b"retry" => {
            let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            number.map_or(Field::NoRetry, Field::Retry)
        }
        _ => Field::Other,
    }
}

/// Whether a line, without its end, makes an event; blank ones do not.
pub(super) fn is_content(line: &[u8]) -> bool {
    !matches!(field(line), Field::Blank | Field::NoRetry)
}

impl SseEvent {
    /// Takes an event apart.
    pub(super) fn new(raw: Bytes, is_cut: bool) -> Self {
        let mut this = Self { is_cut, ..Self::default() };
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &raw).map(|at| at + 1).chain([raw.len()]) {
            let with_end = raw.get(start..end).unwrap_or_default();
            let line = without_end(with_end);
            let part = |part: &[u8]| raw.slice_ref(part);
            match field(line) {
                // The last one ends it.
                Field::Blank if !with_end.is_empty() => this.is_crlf = with_end == b"\r\n",
                Field::Blank | Field::NoRetry => {}
                Field::Comment => this.comments.push(part(line)),
                Field::Id(value) => this.id = Some(part(value)),
                Field::Event(value) => this.event = Some(part(value)),
                Field::Data(value) => this.data.push(part(value)),
                Field::Retry(number) => this.retry = Some(number),
                Field::Other => this.others.push(part(line)),
            }
            start = end;
        }
        // A cut event has no blank line at its end; those before it say nothing.
        this.is_crlf &= !is_cut;
        Self { raw, ..this }
    }

    fn joined_data(&self) -> Bytes {
        match self.data.as_slice() {
            [] => Bytes::new(),
            [one] => one.clone(),
            all => all.join(&b'\n').into(),
        }
    }

    fn bytes(&self) -> Bytes {
        if !self.is_changed {
            return self.raw.clone();
        }
        let end: &[u8] = if self.is_crlf { b"\r\n" } else { b"\n" };
        let mut out = BytesMut::with_capacity(self.raw.len());
        let mut line = |name: &[u8], value: &[u8]| {
            out.put_slice(name);
            out.put_slice(value);
            out.put_slice(end);
        };
        for comment in &self.comments {
            line(b"", comment);
        }
        if let Some(id) = &self.id {
            line(b"id: ", id);
        }
        if let Some(event) = &self.event {
            line(b"event: ", event);
        }
        for data in &self.data {
            line(b"data: ", data);
        }
        if let Some(retry) = self.retry {
            line(b"retry: ", retry.to_string().as_bytes());
        }
        for other in &self.others {
            line(b"", other);
        }
        if !self.is_cut {
            line(b"", b"");
        }
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aib_13_events() {
        let event =
            |text: &str| Event::Sse(Box::new(SseEvent::new(Bytes::copy_from_slice(text.as_bytes()), false)));
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text(event("data: hello\n\n").bytes()), "data: hello\n\n");
        assert_eq!(text(event("data: hello\ndata:world\n\n").content()), "hello\nworld");
        // An identifier alone, made anew.
        let id = SseEvent { id: Some("1".into()), is_changed: true, ..SseEvent::default() };
        assert_eq!(text(id.bytes()), "id: 1\n\n");
        for (before, after) in [
            ("data: a\n\n", "data: new\n\n"),
            ("data: a\r\n\r\n", "data: new\r\n\r\n"),
            ("data: a\r\n\n", "data: new\n\n"),
            (
                "x\nfoo: bar\nretry:  5\nretry: 7\ndata:a\ndata: b\nevent:e\nid: 1\nid: 2\n: c\n:d\n\n",
                ": c\n:d\nid: 2\nevent: e\ndata: new\nretry: 7\nx\nfoo: bar\n\n",
            ),
        ] {
            let mut changed = event(before);
            changed.replace("new".into());
            assert_eq!(text(changed.bytes()), after, "{before:?}");
        }
        let mut cut = Event::Sse(Box::new(SseEvent::new("\r\nid: 1\r\ndata: a".into(), true)));
        assert_eq!(text(cut.bytes()), "\r\nid: 1\r\ndata: a");
        cut.replace("b".into());
        assert_eq!(text(cut.bytes()), "id: 1\ndata: b\n");
    }
}
