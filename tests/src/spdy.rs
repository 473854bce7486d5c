//! A raw SPDY/3.1 connection over TLS.

use crate::h2::TlsClient;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::net::SocketAddr;

/// `SYN_STREAM`
pub const SYN_STREAM: u8 = 1;
/// `SYN_REPLY`
pub const SYN_REPLY: u8 = 2;
/// `RST_STREAM`
pub const RST_STREAM: u8 = 3;
/// `SETTINGS`
pub const SETTINGS: u8 = 4;
/// `PING`
pub const PING: u8 = 6;
/// `GOAWAY`
pub const GOAWAY: u8 = 7;
/// `WINDOW_UPDATE`
pub const WINDOW_UPDATE: u8 = 9;
/// The flag of the last frame of a direction.
pub const FIN: u8 = 1;

/// A frame from the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Kind of a control frame; 0 for data.
    pub kind: u8,
    /// Flags.
    pub flags: u8,
    /// The first number: of most frames the stream, of `GOAWAY` the last one.
    pub stream: u32,
    /// What follows it.
    pub rest: Vec<u8>,
}

impl Frame {
    /// The second number: why, in `RST_STREAM` and `GOAWAY`.
    #[must_use]
    pub fn code(&self) -> u32 {
        self.rest.first_chunk().map_or(u32::MAX, |b| u32::from_be_bytes(*b))
    }

    /// Whether the stream ends with it.
    #[must_use]
    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, 0 | SYN_REPLY) && self.flags & FIN != 0
    }
}

/// Names and values of a header block.
pub type Fields = Vec<(String, String)>;

/// The fields of a request for `path` of host `ok`.
#[must_use]
pub fn get(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "GET"), (":path", path), (":version", "HTTP/1.1"), (":host", "ok"), (":scheme", "https")]
}

/// A control frame as bytes.
#[must_use]
pub fn control(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x80, 3, 0, kind, flags], &length[1..], payload].concat()
}

/// A control frame whose payload is two numbers.
#[must_use]
pub fn numbers(kind: u8, first: u32, second: u32) -> Vec<u8> {
    control(kind, 0, &[first.to_be_bytes(), second.to_be_bytes()].concat())
}

/// A data frame as bytes.
#[must_use]
pub fn data(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&stream.to_be_bytes()[..], &[flags], &length[1..], payload].concat()
}

/// Fields behind their number and lengths.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).unwrap().to_be_bytes();
    let mut out = number(fields.len()).to_vec();
    for text in fields.iter().flat_map(|(name, value)| [name, value]) {
        out.extend(number(text.len()));
        out.extend_from_slice(text.as_bytes());
    }
    out
}

/// A connection that speaks SPDY/3.1.
pub struct SpdyClient {
    /// What is under it.
    pub tls: TlsClient,
    read: Decompress,
    write: Compress,
}

impl SpdyClient {
    /// Connects; the proxy has to agree.
    #[must_use]
    pub fn connect(to: SocketAddr) -> Self {
        let mut tls = TlsClient::connect(to, &["spdy/3.1"]);
        assert_eq!(tls.alpn(), Some(&b"spdy/3.1"[..]));
        let mut write = Compress::new(Compression::default(), true);
        write.set_dictionary(&bfe_http::h2::spdy_dictionary()).unwrap();
        Self { tls, read: Decompress::new(true), write }
    }

    /// `SYN_STREAM` with that block, which is compressed.
    #[must_use]
    pub fn syn_stream(&mut self, stream: u32, flags: u8, plain: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(plain.len() + 1024);
        self.write.compress_vec(plain, &mut packed, FlushCompress::Sync).unwrap();
        let payload = [&stream.to_be_bytes()[..], &[0; 6], &packed].concat();
        control(SYN_STREAM, flags, &payload)
    }

    /// Opens a stream that ends at once.
    pub fn request(&mut self, stream: u32, fields: &[(&str, &str)]) {
        let frame = self.syn_stream(stream, FIN, &block(fields));
        self.tls.send(frame);
    }

    /// The next frame; `None` where the connection ended.
    #[track_caller]
    pub fn frame(&mut self) -> Option<Frame> {
        let head = self.tls.try_exact(8)?;
        let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
        let payload = self.tls.try_exact(length)?;
        if head[0] & 0x80 == 0 {
            let stream = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            return Some(Frame { kind: 0, flags: head[4], stream, rest: payload });
        }
        assert_eq!(head[..3], [0x80, 3, 0], "a control frame of SPDY/3");
        let (first, rest) = payload.split_first_chunk::<4>().expect("a number");
        Some(Frame { kind: head[3], flags: head[4], stream: u32::from_be_bytes(*first), rest: rest.to_vec() })
    }

    /// Reads frames until one of them is what is looked for. Header blocks on the way would be lost for those
    /// that follow, so there may be none.
    #[track_caller]
    pub fn find(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> Option<Frame> {
        while let Some(frame) = self.frame() {
            if wanted(&frame) {
                return Some(frame);
            }
            assert_ne!(frame.kind, SYN_REPLY, "an answer that nobody reads");
        }
        None
    }

    /// The fields of a header block.
    #[track_caller]
    pub fn fields(&mut self, block: &[u8]) -> Fields {
        let mut plain = Vec::with_capacity(1 << 20);
        let before = self.read.total_in();
        if let Err(e) = self.read.decompress_vec(block, &mut plain, FlushDecompress::Sync) {
            // What names the dictionary, as the first block does.
            assert_eq!(e.needs_dictionary(), Some(0xe3c6_a7c2), "the dictionary of SPDY/3: {e}");
            self.read.set_dictionary(&bfe_http::h2::spdy_dictionary()).unwrap();
            let used = usize::try_from(self.read.total_in() - before).unwrap();
            self.read.decompress_vec(&block[used..], &mut plain, FlushDecompress::Sync).unwrap();
        }
        let mut rest = plain.as_slice();
        let mut number = || {
            let (number, tail) = rest.split_first_chunk::<4>().unwrap();
            rest = tail;
            u32::from_be_bytes(*number) as usize
        };
        let count = number();
        let mut text = || {
            let (number, tail) = rest.split_first_chunk::<4>().unwrap();
            let (text, tail) = tail.split_at(u32::from_be_bytes(*number) as usize);
            rest = tail;
            String::from_utf8(text.to_vec()).unwrap()
        };
        (0..count).map(|_| (text(), text())).collect()
    }

    /// Reads the answer on a stream, and gives back all that it takes of the window; `None` where the stream was
    /// reset, or the connection ended.
    #[track_caller]
    pub fn answer(&mut self, stream: u32) -> Option<(Fields, Vec<u8>)> {
        let (mut fields, mut body) = (Vec::new(), Vec::new());
        loop {
            let frame = self.frame()?;
            if frame.kind == SYN_REPLY {
                let of_frame = self.fields(&frame.rest);
                assert_eq!(frame.stream, stream, "another answer");
                fields = of_frame;
            } else if frame.stream != stream {
                continue;
            } else if frame.kind == RST_STREAM {
                return None;
            } else if frame.kind == 0 {
                let taken = u32::try_from(frame.rest.len()).unwrap();
                if taken > 0 {
                    let updates = [0, stream].map(|id| numbers(WINDOW_UPDATE, id, taken));
                    let _ = self.tls.try_send(updates.concat());
                }
                body.extend_from_slice(&frame.rest);
            }
            if frame.ends_stream() {
                return Some((fields, body));
            }
        }
    }
}
