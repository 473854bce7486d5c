//! Times and sizes of a request.

use std::time::Instant;

/// Times and sizes of a request, for logs and delay counters (lifecycle 22.2).
#[derive(Clone, Debug, Default)]
pub struct RequestStat {
    /// First byte of the request read.
    pub read_req_start: Option<Instant>,
    /// Head parsed.
    pub read_req_end: Option<Instant>,
    /// Product lookup began.
    pub find_product_start: Option<Instant>,
    /// Product lookup ended.
    pub find_product_end: Option<Instant>,
    /// Cluster lookup began.
    pub locate_start: Option<Instant>,
    /// Cluster lookup ended.
    pub locate_end: Option<Instant>,
    /// Work with backends began.
    pub cluster_start: Option<Instant>,
    /// Work with backends ended.
    pub cluster_end: Option<Instant>,
    /// Last attempt: before the connect.
    pub backend_start: Option<Instant>,
    /// Last attempt: response head or error.
    pub backend_end: Option<Instant>,
    /// Start of the first attempt.
    pub backend_first: Option<Instant>,
    /// Before the response was written; absent where none was.
    pub response_start: Option<Instant>,
    /// After the response was handed over.
    pub response_end: Option<Instant>,
    /// Bytes of the request head (HTTP/1).
    pub header_len_in: u64,
    /// Bytes of the request body as sent to a backend; 0 for chunked bodies.
    pub body_len_in: u64,
    /// Bytes of the response head, with status line and empty line (HTTP/1).
    pub header_len_out: u64,
    /// Bytes of the response body, without chunk framing (HTTP/1).
    pub body_len_out: u64,
    /// Whether another sub-cluster was tried.
    pub is_cross_cluster: bool,
}
