//! Error codes as they stand in access logs (lifecycle 13).

use std::fmt;

/// A code such as `BK_CONNECT_BACKEND`: what went wrong with a request or a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(&'static str);

impl ErrorCode {
    /// Error while copying the response: the client could not be written to, or the backend not be read.
    pub const CLIENT_WRITE: Self = Self("CLIENT_WRITE");
    /// The TLS handshake failed.
    pub const CLIENT_TLS_HANDSHAKE: Self = Self("CLIENT_TLS_HANDSHAKE");
    /// The client closed between two requests.
    pub const CLIENT_CLOSE: Self = Self("CLIENT_CLOSE");
    /// The request head is too large.
    pub const CLIENT_LONG_HEADER: Self = Self("CLIENT_LONG_HEADER");
    /// The request target is too long.
    pub const CLIENT_LONG_URL: Self = Self("CLIENT_LONG_URL");
    /// The next request did not come in time.
    pub const CLIENT_TIMEOUT: Self = Self("CLIENT_TIMEOUT");
    /// The request could not be parsed.
    pub const CLIENT_BAD_REQUEST: Self = Self("CLIENT_BAD_REQUEST");
    /// The client reset the connection.
    pub const CLIENT_RESET: Self = Self("CLIENT_RESET");
    /// `Expect: 100-continue` without a body.
    pub const CLIENT_ZERO_CONTENTLEN: Self = Self("CLIENT_ZERO_CONTENTLEN");
    /// An expectation other than `100-continue`.
    pub const CLIENT_EXPECT_FAIL: Self = Self("CLIENT_EXPECT_FAIL");
    /// No product for the host.
    pub const BK_FIND_PRODUCT: Self = Self("BK_FIND_PRODUCT");
    /// No route rule of the product matched.
    pub const BK_FIND_LOCATION: Self = Self("BK_FIND_LOCATION");
    /// The cluster is in no cluster or balance table.
    pub const BK_NO_CLUSTER: Self = Self("BK_NO_CLUSTER");
    /// The cluster has no sub-cluster to send to.
    pub const BK_NO_SUB_CLUSTER: Self = Self("BK_NO_SUB_CLUSTER");
    /// There is no other sub-cluster to retry in.
    pub const BK_NO_SUB_CLUSTER_CROSS: Self = Self("BK_NO_SUB_CLUSTER_CROSS");
    /// No backend is available.
    pub const BK_NO_BACKEND: Self = Self("BK_NO_BACKEND");
    /// The black hole was chosen.
    pub const GSLB_BLACKHOLE: Self = Self("GSLB_BLACKHOLE");
    /// The backend could not be connected.
    pub const BK_CONNECT_BACKEND: Self = Self("BK_CONNECT_BACKEND");
    /// The request could not be written to the backend.
    pub const BK_WRITE_REQUEST: Self = Self("BK_WRITE_REQUEST");
    /// The head of the backend's response could not be read.
    pub const BK_READ_RESP_HEADER: Self = Self("BK_READ_RESP_HEADER");
    /// The head of the backend's response did not come in time.
    pub const BK_RESP_HEADER_TIMEOUT: Self = Self("BK_RESP_HEADER_TIMEOUT");
    /// The backend connection ended before a response.
    pub const BK_TRANSPORT_BROKEN: Self = Self("BK_TRANSPORT_BROKEN");
    /// A module that processes the request body gave up.
    pub const BK_BODY_PROCESS: Self = Self("BK_BODY_PROCESS");
    /// Closed by `mod_block`.
    pub const BLOCK: Self = Self("BLOCK");

    /// A module's own code.
    #[must_use]
    pub const fn new(code: &'static str) -> Self {
        Self(code)
    }

    /// The code as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
