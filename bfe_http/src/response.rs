//! A response on its way to the client.

use crate::{Body, Header, Version, status};
use bytes::Bytes;

/// A response: from a backend, a module or the proxy itself.
#[derive(Debug)]
pub struct Response {
    /// Status code; any number that a backend sends is passed on.
    pub status: u16,
    /// Version of the answer of a backend; `None` for what the proxy makes itself.
    pub version: Option<Version>,
    /// Header fields without those that frame the body.
    pub header: Header,
    /// The body, streamed.
    pub body: Body,
    /// Length of the body as the header told it; -1 where it is not known before it has been read.
    pub content_length: i64,
    /// Whether the body is an event stream (lifecycle 14): limits on read and write time do not hold.
    pub is_sse: bool,
}

impl Response {
    /// An empty response with that status.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            version: None,
            header: Header::new(),
            body: Body::Empty,
            content_length: 0,
            is_sse: false,
        }
    }

    /// The answer that BFE gives itself when it has nothing better: `Server: bfe` and no body.
    #[must_use]
    pub fn internal(status: u16) -> Self {
        let mut response = Self::new(status);
        response.header.set("Server", "bfe");
        response
    }

    /// A whole answer made by a module (lifecycle 11.1): `Server: bfe`, and a body of that type. An empty
    /// `content_type` leaves the type to be sniffed.
    #[must_use]
    pub fn with_content(status: u16, content_type: &'static str, content: impl Into<Bytes>) -> Self {
        let content: Bytes = content.into();
        let mut response = Self::internal(status);
        if !content_type.is_empty() {
            response.header.set("Content-Type", content_type);
        }
        response.header.set("Content-Length", content.len().to_string());
        response.content_length = i64::try_from(content.len()).unwrap_or(i64::MAX);
        response.body = Body::Full(content);
        response
    }

    /// The reason phrase of the status, see [`status::reason`].
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        status::reason(self.status)
    }
}
