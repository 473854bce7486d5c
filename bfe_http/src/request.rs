//! A request as the client sent it.

use crate::{Body, Header, Url};
use bytes::Bytes;
use std::rc::Rc;
use std::time::Instant;

/// The HTTP version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The number before the dot.
    pub major: u32,
    /// The number after the dot.
    pub minor: u32,
}

impl Version {
    /// HTTP/1.0
    pub const HTTP_10: Self = Self { major: 1, minor: 0 };
    /// HTTP/1.1
    pub const HTTP_11: Self = Self { major: 1, minor: 1 };
    /// HTTP/2.0
    pub const HTTP_2: Self = Self { major: 2, minor: 0 };
    /// HTTP/3.0
    pub const HTTP_3: Self = Self { major: 3, minor: 0 };

    /// Whether this is at least HTTP/1.1: what is newer behaves as that.
    #[must_use]
    pub fn is_11(self) -> bool {
        self >= Self::HTTP_11
    }
}

/// A request as the client sent it; modules may change it before it is forwarded.
#[derive(Debug)]
pub struct Request {
    /// Method, any bytes of a token, case kept. Empty means `GET`.
    pub method: Bytes,
    /// The request target, byte for byte as received; no module changes it.
    pub request_uri: Bytes,
    /// The target taken apart. What modules rewrite is here.
    pub url: Url,
    /// Protocol version as text (`HTTP/1.1`), as the client wrote it.
    pub proto: Bytes,
    /// Protocol version as numbers.
    pub version: Version,
    /// Header fields; `Host`, and what frames the body, are not among them.
    pub header: Header,
    /// The host: of an absolute target, else of the first `Host` field. Port and case as sent; may be empty.
    pub host: Bytes,
    /// Length of the body: -1 where it is chunked or not known.
    pub content_length: i64,
    /// Whether the client gave a `Content-Length`, also of 0.
    pub has_content_length: bool,
    /// The body, streamed.
    pub body: Body,
    /// Facts on the way of the request that modules and logs read.
    pub state: RequestState,
}

/// Facts on the way of a request (lifecycle 22.2).
#[derive(Clone, Debug, Default)]
pub struct RequestState {
    /// Number of this request on its connection, from 1.
    pub serial_number: u32,
    /// When the first line of the request was there.
    pub start_time: Option<Instant>,
    /// When its head was there; absent where that is not told apart from the start.
    pub head_time: Option<Instant>,
    /// Bytes of the head as received, with its empty line.
    pub header_size: u32,
    /// When the last connect (or taking from the pool) of a backend connection began.
    pub connect_backend_start: Option<Instant>,
    /// When it ended.
    pub connect_backend_end: Option<Instant>,
    /// HTTP/2 only: settings, window, priorities and order of pseudo headers (lifecycle 16).
    pub h2_fingerprint: Option<Rc<str>>,
    /// Names of trailer fields that an HTTP/2 client announced, canonical and joined by commas; else empty.
    pub declared_trailers: Bytes,
}

impl Request {
    /// Whether the URL still says what the client sent, so that the target can be forwarded byte for byte.
    #[must_use]
    pub fn is_target_unchanged(&self) -> bool {
        let target = self.request_uri.as_ref();
        let (path, query) = match memchr::memchr(b'?', target) {
            Some(at) => (target.get(..at), target.get(at + 1..)),
            None => (Some(target), Some(&b""[..])),
        };
        let (path, query) = (path.unwrap_or_default(), query.unwrap_or_default());
        query == self.url.raw_query.as_ref()
            && (path == self.url.path.as_ref()
                || crate::url::unescape(path, false).is_some_and(|p| p.as_ref() == self.url.path.as_ref()))
    }

    /// A request for tests and for requests that BFE makes itself: HTTP/1.1, no header fields, no body.
    ///
    /// # Errors
    /// When `target` is not a request target, see [`Url::parse_request_uri`].
    pub fn new(method: &str, target: &str, host: &str) -> Result<Self, crate::url::UrlError> {
        let target = Bytes::copy_from_slice(target.as_bytes());
        Ok(Self {
            method: Bytes::copy_from_slice(method.as_bytes()),
            url: Url::parse_request_uri(&target)?,
            request_uri: target,
            proto: Bytes::from_static(b"HTTP/1.1"),
            version: Version::HTTP_11,
            header: Header::new(),
            host: Bytes::copy_from_slice(host.as_bytes()),
            content_length: 0,
            has_content_length: false,
            body: Body::Empty,
            state: RequestState::default(),
        })
    }
}
