//! Counters of the protocols that come after a TLS handshake (lifecycle 24.2). Each protocol moves its own.

crate::counter_group! {
    /// `/monitor/spdy_state`.
    pub spdy_state "proxy_state" {
        /// Connections that were idle for too long.
        SPDY_TIMEOUT_CONN,
        /// Streams whose request did not come in time.
        SPDY_TIMEOUT_READ_STREAM,
        /// Streams whose response could not be written in time.
        SPDY_TIMEOUT_WRITE_STREAM,
        /// Streams that began in a wrong way.
        SPDY_ERR_INVALID_SYN_STREAM,
        /// Data for streams that take none.
        SPDY_ERR_INVALID_DATA_STREAM,
        /// Windows that were overrun.
        SPDY_ERR_FLOW_CONTROL,
        /// Requests that could not be parsed.
        SPDY_ERR_BAD_REQUEST,
        /// Frames for streams that had ended.
        SPDY_ERR_STREAM_ALREADY_CLOSED,
        /// Streams that the client cancelled.
        SPDY_ERR_STREAM_CANCEL,
        /// Streams beyond the limit of a connection.
        SPDY_ERR_MAX_STREAM_PER_CONN,
        /// Streams that the client reset.
        SPDY_ERR_GOT_RESET,
        /// Connections without a framer.
        SPDY_ERR_NEW_FRAMER,
        /// Frames of unknown kinds.
        SPDY_UNKNOWN_FRAME,
        /// Panics of a connection.
        SPDY_PANIC_CONN,
        /// Panics of a stream.
        SPDY_PANIC_STREAM,
        /// Bytes of request headers as they came.
        SPDY_REQ_HEADER_COMPRESS_SIZE,
        /// Bytes of request headers.
        SPDY_REQ_HEADER_ORIGINAL_SIZE,
        /// Bytes of response headers as they were sent.
        SPDY_RES_HEADER_COMPRESS_SIZE,
        /// Bytes of response headers.
        SPDY_RES_HEADER_ORIGINAL_SIZE,
        /// Requests refused because of load.
        SPDY_REQ_OVERLOAD,
        /// Connections refused because of load.
        SPDY_CONN_OVERLOAD,
    }
}

crate::counter_group! {
    /// `/monitor/stream_state`.
    pub stream_state "proxy_state" {
        /// Tries without a backend.
        STREAM_ERR_BALANCE,
        /// Backends that could not be connected.
        STREAM_ERR_CONNECT,
        /// Connections for which all tries failed.
        STREAM_ERR_PROXY,
        /// Failures while bytes were passed on.
        STREAM_ERR_TRANSFER,
        /// Panics of a connection.
        STREAM_PANIC_CONN,
        /// Bytes from clients.
        STREAM_BYTES_RECV,
        /// Bytes to clients.
        STREAM_BYTES_SENT,
    }
}
