//! A header list becomes a request (lifecycle 16; RFC 9113, 8; RFC 9114, 4).

use super::Sink;
use crate::h2::Fingerprint;
use crate::{Body, Header, Request, RequestState, Url, Version, canonical};
use bytes::{Bytes, BytesMut};
use std::time::Instant;

/// What a field counts beyond its text against the limit on all of them.
pub(crate) const FIELD_OVERHEAD: usize = 32;

/// Why a block is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It breaks the rules: this request is refused.
    Malformed,
    /// The path is too long: the connection ends.
    LongPath,
    /// There are too many fields, or too large ones: the connection ends.
    LongList,
}

type Range = (u32, u32);

/// Takes the fields of a block.
pub(crate) struct Collector<'a> {
    text: &'a mut BytesMut,
    /// Of HTTP/2 only.
    fingerprint: Option<&'a mut Fingerprint>,
    header: Header,
    method: Option<Range>,
    scheme: Option<Range>,
    authority: Option<Range>,
    path: Option<Range>,
    protocol: Option<Range>,
    /// `:protocol` is known, as the client has been told.
    pub(crate) extended_connect: bool,
    /// How much more there may be.
    room: usize,
    max_path: usize,
    /// Bytes of names and values.
    pub(crate) size: usize,
    pub(crate) fault: Option<Fault>,
}

impl<'a> Collector<'a> {
    /// A collector that puts text into `text`, which has to be empty.
    pub(crate) fn new(
        text: &'a mut BytesMut,
        fingerprint: Option<&'a mut Fingerprint>,
        max_list: usize,
        max_path: usize,
    ) -> Self {
        Self {
            text,
            fingerprint,
            header: Header::with_capacity(12),
            method: None,
            scheme: None,
            authority: None,
            path: None,
            protocol: None,
            extended_connect: false,
            room: max_list,
            max_path,
            size: 0,
            fault: None,
        }
    }

    fn keep(&mut self, text: &[u8]) -> Range {
        // The limit on the whole list is far below what these numbers can tell.
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.extend_from_slice(text);
        (start, u32::try_from(text.len()).unwrap_or(u32::MAX))
    }

    fn pseudo(&mut self, name: &[u8], value: &[u8]) {
        let initial = match name {
            b":protocol" if self.extended_connect => {
                let value = self.keep(value);
                if self.protocol.replace(value).is_some() || !self.header.is_empty() {
                    self.refuse();
                }
                return;
            }
            b":method" => 'm',
            b":scheme" => 's',
            b":authority" => 'a',
            b":path" => 'p',
            _ => return self.refuse(),
        };
        if let Some(fingerprint) = &mut self.fingerprint {
            fingerprint.pseudo(initial);
        }
        let value = self.keep(value);
        let place = match initial {
            'm' => &mut self.method,
            's' => &mut self.scheme,
            'a' => &mut self.authority,
            _ => &mut self.path,
        };
        if place.replace(value).is_some() || !self.header.is_empty() {
            self.refuse();
        }
    }

    fn refuse(&mut self) {
        self.fault.get_or_insert(Fault::Malformed);
    }

    /// Whether there are only fields, as in trailers.
    pub(crate) fn is_trailers(&self) -> bool {
        let pseudo = [self.method, self.scheme, self.authority, self.path, self.protocol];
        pseudo.iter().all(Option::is_none)
    }

    /// Whether a request with this method rarely has a body.
    #[cfg(feature = "http3")]
    pub(crate) fn has_body_rarely(&self) -> bool {
        let method = self.method.and_then(|(start, length)| {
            let start = start as usize;
            self.text.get(start..start + length as usize)
        });
        matches!(method, Some(b"GET" | b"HEAD" | b"OPTIONS" | b"DELETE" | b"TRACE" | b"CONNECT"))
    }

    /// The fields, where they are nothing but trailers.
    #[cfg(feature = "http3")]
    pub(crate) fn trailers(self) -> Option<Header> {
        let is_sound = self.fault.is_none() && self.is_trailers();
        is_sound.then(|| self.header.with_head(self.text.split().freeze(), false))
    }

    /// The request of the list, of HTTP/2 or HTTP/3. `ended` where it has no body.
    pub(crate) fn request(self, version: Version, ended: bool) -> Result<Parts, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let head = self.text.split().freeze();
        let of = |range: Option<Range>| {
            range.map_or_else(Bytes::new, |(start, length)| {
                let start = start as usize;
                head.slice(start..start + length as usize)
            })
        };
        let method = match of(self.method) {
            method if method.as_ref() == b"GET" => Bytes::from_static(b"GET"),
            method => method,
        };
        let (scheme, authority, path) = (of(self.scheme), of(self.authority), of(self.path));
        let protocol = of(self.protocol);
        let connects = method.as_ref() == b"CONNECT";
        // Only CONNECT can ask for another protocol, and of a host (RFC 8441, 4).
        if self.protocol.is_some() && (!connects || protocol.is_empty() || authority.is_empty()) {
            return Err(Fault::Malformed);
        }
        let mut header = self.header.with_head(head.clone(), false);
        if !is_visible(&method) || !is_visible(&path) || breaks_the_connection_rules(&header) {
            return Err(Fault::Malformed);
        }
        let (url, request_uri) = if connects && protocol.is_empty() {
            // An empty one counts as none.
            if !scheme.is_empty() || !path.is_empty() || authority.is_empty() {
                return Err(Fault::Malformed);
            }
            (Url { host: authority.clone(), ..Url::default() }, authority.clone())
        } else {
            if method.is_empty() || !matches!(scheme.as_ref(), b"https" | b"http") {
                return Err(Fault::Malformed);
            }
            (Url::parse_request_uri(&path).map_err(|_| Fault::Malformed)?, path)
        };
        // A body of HEAD is refused by the reference, too.
        if !ended && method.as_ref() == b"HEAD" {
            return Err(Fault::Malformed);
        }
        let host = match authority.is_empty() {
            true => Bytes::copy_from_slice(header.get("Host").unwrap_or_default()),
            false => authority,
        };
        join_cookies(&mut header);
        let trailers = declared_trailers(&mut header);
        let expects = header.get("Expect") == Some(b"100-continue") && header.del("Expect");
        if !protocol.is_empty() {
            // What goes through a tunnel has no length.
            header.del("Content-Length");
        }
        let length = content_length(&header)?;
        let content_length = if ended { 0 } else { length.unwrap_or(-1) };
        let has_content_length = header.get("Content-Length").is_some_and(|value| !value.is_empty());
        let request = Request {
            method,
            request_uri,
            url,
            proto: Bytes::from_static(if version == Version::HTTP_3 { b"HTTP/3.0" } else { b"HTTP/2.0" }),
            version,
            header,
            host,
            content_length,
            has_content_length,
            body: Body::Empty,
            state: RequestState {
                start_time: Some(Instant::now()),
                h2_fingerprint: self.fingerprint.map(Fingerprint::get),
                declared_trailers: trailers,
                ..RequestState::default()
            },
        };
        Ok(Parts { request, expects, protocol })
    }
}

/// What a block comes to.
pub(crate) struct Parts {
    pub(crate) request: Request,
    /// The client waits for `100 Continue`.
    pub(crate) expects: bool,
    /// What the client wants to speak on the stream; empty where it is HTTP.
    pub(crate) protocol: Bytes,
}

impl Sink for Collector<'_> {
    fn field(&mut self, name: &[u8], value: &[u8], sound: bool) -> bool {
        self.size += name.len() + value.len();
        if name == b":path" && value.len() > self.max_path {
            self.fault = Some(Fault::LongPath);
            return false;
        }
        if !sound {
            self.refuse();
        }
        if self.fault.is_some() {
            // The rest is read for the sake of the tables alone.
            return true;
        }
        match self.room.checked_sub(name.len() + value.len() + FIELD_OVERHEAD) {
            Some(room) => self.room = room,
            None => {
                self.fault = Some(Fault::LongList);
                return false;
            }
        }
        if name.starts_with(b":") {
            self.pseudo(name, value);
        } else {
            let at = self.keep(name);
            let value = self.keep(value);
            self.header.push_wire(name, at, value);
        }
        true
    }
}

/// Whether a text can stand in a request line: no blanks, nothing that moves the cursor.
pub(crate) fn is_visible(text: &[u8]) -> bool {
    text.iter().all(|b| *b > b' ' && *b != 0x7f)
}

/// Fields that are about one connection have no place in HTTP/2 (RFC 9113, 8.2.2).
fn breaks_the_connection_rules(header: &Header) -> bool {
    header.iter().any(|(name, value)| match name {
        b"Connection" | b"Keep-Alive" | b"Proxy-Connection" | b"Transfer-Encoding" | b"Upgrade" => true,
        b"Te" => value != b"trailers",
        _ => false,
    })
}

/// Cookies may come in several fields; a backend gets one (RFC 9113, 8.2.3).
pub(crate) fn join_cookies(header: &mut Header) {
    if header.get_all("Cookie").nth(1).is_none() {
        return;
    }
    let joined: Vec<_> = header.get_all("Cookie").collect();
    let joined = joined.join(&b"; "[..]);
    header.set("Cookie", joined);
}

/// Takes `Trailer` out; gives the names in it, sorted and joined.
fn declared_trailers(header: &mut Header) -> Bytes {
    if !header.contains("Trailer") {
        return Bytes::new();
    }
    let mut names: Vec<Vec<u8>> = Vec::new();
    for value in header.get_all("Trailer") {
        for name in value.split(|b| *b == b',') {
            let name = canonical(name.trim_ascii()).into_owned();
            let refused: [&[u8]; 4] = [b"", b"Transfer-Encoding", b"Trailer", b"Content-Length"];
            if !refused.contains(&name.as_slice()) {
                names.push(name);
            }
        }
    }
    header.del("Trailer");
    names.sort();
    names.dedup();
    Bytes::from(names.join(&b","[..]))
}

/// The length that the client told: as the reference reads it, but never two different ones.
pub(crate) fn content_length(header: &Header) -> Result<Option<i64>, Fault> {
    let Some(first) = header.get("Content-Length") else { return Ok(None) };
    if header.get_all("Content-Length").any(|other| other != first) {
        return Err(Fault::Malformed);
    }
    let digits = first.strip_prefix(b"+").unwrap_or(first);
    let number = if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        // One that is too large is never reached.
        std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(i64::MAX)
    } else if first == b"-1" {
        -1
    } else if let [b'-', negative @ ..] = first
        && negative.iter().all(u8::is_ascii_digit)
        && negative.iter().any(|b| *b != b'0')
    {
        // The reference fails each such request, once its body has come or not.
        return Err(Fault::Malformed);
    } else {
        0
    };
    Ok(Some(number))
}
