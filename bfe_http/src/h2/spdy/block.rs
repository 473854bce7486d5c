//! Header blocks: fields behind their lengths, in one compressed stream a direction.

use super::dictionary::dictionary;
use crate::header_list::request::{content_length, is_visible, join_cookies};
use crate::{Body, Header, Request, RequestState, Url, Version, canonical, is_token};
use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::time::Instant;

/// Most fields in a block.
const MAX_FIELDS: usize = 1024;
/// What a block may have beyond the limit on its fields: their lengths.
const SLACK: usize = 16 * 1024;
/// Room that output is given at once.
const PIECE: usize = 4096;

/// Why a block is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It cannot be read: both sides are out of step.
    Broken,
    /// It breaks the rules: this request is refused.
    Malformed,
    /// The path is too long: the connection ends.
    LongPath,
}

/// The compressed streams of a connection: some 32 KiB to read, and 16 KiB to write.
pub(in crate::h2) struct Codec {
    read: Decompress,
    write: Compress,
}

impl Default for Codec {
    fn default() -> Self {
        let mut write = Compress::new(Compression::fast(), true);
        // A dictionary at the start cannot fail.
        let _ = write.set_dictionary(&dictionary());
        Self { read: Decompress::new(true), write }
    }
}

impl Codec {
    /// Reads a block, of which at most so many bytes may come.
    pub(super) fn read(&mut self, block: &[u8], max: usize) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        let mut rest = block;
        loop {
            if out.len() > max.saturating_add(SLACK) {
                return Err(Fault::Broken);
            }
            out.reserve(PIECE);
            let (before, room) = (self.read.total_in(), out.capacity());
            let status = match self.read.decompress_vec(rest, &mut out, FlushDecompress::Sync) {
                Ok(status) => status,
                Err(e) if e.needs_dictionary().is_some() => {
                    self.read.set_dictionary(&dictionary()).map_err(|_| Fault::Broken)?;
                    Status::Ok
                }
                Err(_) => return Err(Fault::Broken),
            };
            let used = usize::try_from(self.read.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(used..).ok_or(Fault::Broken)?;
            let full = out.len() == room;
            if rest.is_empty() && !full {
                return Ok(out);
            }
            if status == Status::StreamEnd || (used == 0 && !full && status == Status::BufError) {
                return Err(Fault::Broken);
            }
        }
    }

    /// Appends a block of these fields.
    pub(super) fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let mut rest = plain;
        loop {
            out.reserve(PIECE);
            let (before, room) = (self.write.total_in(), out.capacity());
            let _ = self.write.compress_vec(rest, out, FlushCompress::Sync);
            let used = usize::try_from(self.write.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(used..).unwrap_or_default();
            if rest.is_empty() && out.len() < room {
                return;
            }
        }
    }
}

/// Appends a field to a block that is not compressed yet.
pub(super) fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for text in [name, value] {
        out.extend_from_slice(&u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
        out.extend_from_slice(text);
    }
}

/// The fields of a block, names as they came; the values of a name are separated by zeros.
fn fields(block: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut rest = block;
    let mut number = || -> Option<usize> {
        let (number, tail) = rest.split_first_chunk::<4>()?;
        rest = tail;
        usize::try_from(u32::from_be_bytes(*number)).ok()
    };
    let count = number().filter(|count| *count <= MAX_FIELDS)?;
    let mut text = || -> Option<&[u8]> {
        let (number, tail) = rest.split_first_chunk::<4>()?;
        let (text, tail) = tail.split_at_checked(usize::try_from(u32::from_be_bytes(*number)).ok()?)?;
        rest = tail;
        Some(text)
    };
    (0..count).map(|_| Some((text()?, text()?))).collect()
}

/// The request of a block. `ended` where it has no body.
pub(super) fn request(block: &[u8], ended: bool, max_path: usize) -> Result<Request, Fault> {
    let fields = fields(block).ok_or(Fault::Broken)?;
    let mut header = Header::new();
    let (mut method, mut path, mut version, mut host, mut scheme) = Default::default();
    for (i, (name, value)) in fields.iter().enumerate() {
        let twice = fields.iter().take(i).any(|(before, _)| before == name);
        let place: Option<&mut &[u8]> = match *name {
            b":method" => Some(&mut method),
            b":path" => Some(&mut path),
            b":version" => Some(&mut version),
            b":host" => Some(&mut host),
            b":scheme" => Some(&mut scheme),
            _ => None,
        };
        let refused: [&[u8]; 5] =
            [b"connection", b"host", b"keep-alive", b"proxy-connection", b"transfer-encoding"];
        let sound = value.iter().all(|b| *b >= b' ' && *b != 0x7f || matches!(b, b'\t' | 0));
        if let Some(place) = place {
            *place = value;
            if twice || !sound || value.contains(&0) {
                return Err(Fault::Malformed);
            }
            continue;
        }
        let lower = !name.iter().any(u8::is_ascii_uppercase);
        if twice || !sound || !lower || !is_token(name) || refused.contains(name) {
            return Err(Fault::Malformed);
        }
        let name = Bytes::from(canonical(name).into_owned());
        for value in value.split(|b| *b == 0) {
            header.add(name.clone(), Bytes::copy_from_slice(value));
        }
    }
    if path.len() > max_path {
        return Err(Fault::LongPath);
    }
    let complete = [method, path, version, host].iter().all(|text| !text.is_empty());
    if !complete
        || !matches!(scheme, b"https" | b"http")
        || ![method, path, version].iter().all(|text| is_visible(text))
        || (method == b"HEAD" && !ended)
    {
        return Err(Fault::Malformed);
    }
    let request_uri = Bytes::copy_from_slice(path);
    let url = Url::parse_request_uri(&request_uri).map_err(|_| Fault::Malformed)?;
    header.set("Host", Bytes::copy_from_slice(host));
    join_cookies(&mut header);
    if header.get("Expect") == Some(b"100-continue") {
        header.del("Expect");
    }
    let length = content_length(&header).map_err(|_| Fault::Malformed)?;
    Ok(Request {
        method: Bytes::copy_from_slice(method),
        request_uri,
        url,
        proto: Bytes::copy_from_slice(version),
        version: Version::HTTP_11,
        header,
        host: Bytes::copy_from_slice(host),
        content_length: if ended { 0 } else { length.unwrap_or(-1) },
        has_content_length: length.is_some_and(|n| n >= 0),
        body: Body::Empty,
        state: RequestState { start_time: Some(Instant::now()), ..RequestState::default() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut out = u32::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
        for (name, value) in fields {
            push_field(&mut out, name.as_bytes(), value.as_bytes());
        }
        out
    }

    #[test]
    fn blocks_there_and_back() {
        // What one side writes the other reads, block after block, with the dictionary of the protocol.
        let (mut ours, mut theirs) = (Codec::default(), Codec::default());
        for i in 0..50 {
            let plain =
                block(&[(":status", "200"), ("x-number", &i.to_string()), ("x-long", &"y".repeat(9000))]);
            let mut packed = Vec::new();
            ours.write(&plain, &mut packed);
            assert_eq!(theirs.read(&packed, 10_000), Ok(plain));
        }
        let mut packed = Vec::new();
        ours.write(&vec![0; 1 << 20], &mut packed);
        assert_eq!(theirs.read(&packed, 10_000), Err(Fault::Broken), "a bomb");
        assert_eq!(Codec::default().read(b"no zlib", 10_000), Err(Fault::Broken));
    }

    #[test]
    fn life_17_requests() {
        let good = [
            (":method", "GET"),
            (":path", "/x?y"),
            (":version", "HTTP/1.1"),
            (":host", "ok"),
            (":scheme", "https"),
        ];
        let with = |name: &'static str, value: &'static str| {
            let mut fields = good.to_vec();
            match fields.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => fields.push((name, value)),
            }
            request(&block(&fields), true, 100)
        };
        let req = with("x-a", "1\x002").unwrap();
        assert_eq!((req.host.as_ref(), req.proto.as_ref()), (&b"ok"[..], &b"HTTP/1.1"[..]));
        assert_eq!(req.header.get_all("X-A").collect::<Vec<_>>(), [b"1", b"2"]);
        for (name, value) in [
            (":method", ""),
            (":method", "GET /evil"),
            (":path", "/a b"),
            (":path", "/\r\n"),
            (":host", "a\r\nb"),
            (":host", "a\0b"),
            (":scheme", "ftp"),
            (":version", ""),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("X-Upper", "1"),
            ("x-a", "1\r\nx: y"),
        ] {
            assert_eq!(with(name, value).err(), Some(Fault::Malformed), "{name} {value:?}");
        }
        assert_eq!(request(&block(&good)[..40], true, 100).err(), Some(Fault::Broken));
        assert_eq!(request(&block(&good), true, 3).err(), Some(Fault::LongPath));
    }
}
