//! Counters of HTTP/2 towards clients (lifecycle 24.2).

crate::counter_group! {
    /// `/monitor/http2_state`.
    pub http2_state "proxy_state" {
        /// Connections that did not begin with the preface in time.
        H2_TIMEOUT_PREFACE,
        /// Connections whose first frame did not come in time.
        H2_TIMEOUT_SETTING,
        /// Connections that were idle for too long.
        H2_TIMEOUT_CONN,
        /// Streams whose request body did not come in time.
        H2_TIMEOUT_READ_STREAM,
        /// Streams whose response was not taken in time.
        H2_TIMEOUT_WRITE_STREAM,
        /// RST_STREAM frames received.
        H2_ERR_GOT_RESET,
        /// Connections with more streams at once than allowed.
        H2_ERR_MAX_STREAM_PER_CONN,
        /// Connections with more header fields than allowed.
        H2_ERR_MAX_HEADER_LIST_SIZE,
        /// Connections with a longer path than allowed.
        H2_ERR_MAX_HEADER_URI_SIZE,
        /// Never moves: panics of a connection are counted in `proxy_state`.
        H2_PANIC_CONN,
        /// Panics while a request was served.
        H2_PANIC_STREAM,
        /// Bytes of request headers, names and values.
        H2_REQ_HEADER_ORIGINAL_SIZE,
        /// Bytes of the same as they came.
        H2_REQ_HEADER_COMPRESS_SIZE,
        /// Bytes of response headers, names and values.
        H2_RES_HEADER_ORIGINAL_SIZE,
        /// Bytes of the same as they were sent.
        H2_RES_HEADER_COMPRESS_SIZE,
        /// Connections that were closed because the client asked for work without use for it: floods of
        /// resets, of empty frames, of pings or settings.
        H2_CONN_OVERLOAD,
        /// Never moves.
        H2_REQ_OVERLOAD,
        /// Connections with too many frames waiting that the client does not read.
        H2_CONN_EXCEED_MAX_QUEUED_CONTROL_FRAMES,
    }
}

/// Counts one event.
pub(super) fn count(counter: usize) {
    http2_state::group().inc(counter);
}
