//! Counters of HTTP/3.

crate::counter_group! {
    /// `/monitor/http3_state`. Not a page of the original.
    pub http3_state "proxy_state" {
        /// Handshakes that began.
        H3_HANDSHAKE_ALL,
        /// Handshakes that succeeded.
        H3_HANDSHAKE_SUCC,
        /// Clients that were asked to prove their address first, as many handshakes were under way.
        H3_RETRY,
        /// Connections that were turned away without an answer to their hello.
        H3_REFUSED,
        /// Connections.
        H3_CLIENT_CONN_SERVED,
        /// Requests.
        H3_CLIENT_REQ_SERVED,
        /// Connections that ended because the client broke the rules.
        H3_ERR_CONN,
        /// Requests that broke the rules.
        H3_ERR_BAD_REQUEST,
        /// Requests with more or larger fields than allowed.
        H3_ERR_MAX_HEADER_LIST_SIZE,
        /// Requests with a longer path than allowed.
        H3_ERR_MAX_HEADER_URI_SIZE,
        /// Requests that the client gave up before they were complete.
        H3_ERR_GOT_RESET,
        /// Requests whose head did not come in time.
        H3_TIMEOUT_REQUEST,
        /// Requests whose body did not come in time.
        H3_TIMEOUT_READ_STREAM,
        /// Responses that were not taken in time.
        H3_TIMEOUT_WRITE_STREAM,
        /// Panics while a request was served.
        H3_PANIC_STREAM,
        /// Bytes of request headers as they came.
        H3_REQ_HEADER_COMPRESS_SIZE,
        /// Bytes of request headers, names and values.
        H3_REQ_HEADER_ORIGINAL_SIZE,
        /// Bytes of response headers as they were sent.
        H3_RES_HEADER_COMPRESS_SIZE,
        /// Bytes of response headers, names and values.
        H3_RES_HEADER_ORIGINAL_SIZE,
    }
    gauges {
        /// Open connections.
        H3_CLIENT_CONN_ACTIVE,
        /// Requests under way.
        H3_CLIENT_REQ_ACTIVE,
    }
}

/// Counts one event.
pub(super) fn count(counter: usize) {
    http3_state::group().inc(counter);
}
