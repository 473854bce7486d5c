//! Counters of handshakes (tls 13).

bfe_http::counter_group! {
    /// `/monitor/tls_state`.
    pub tls_state "proxy_state" {
        /// Failures up to and including the negotiation.
        TLS_HANDSHAKE_READ_CLIENT_HELLO_ERR,
        /// Full handshakes.
        TLS_HANDSHAKE_FULL_ALL,
        /// Full handshakes that succeeded.
        TLS_HANDSHAKE_FULL_SUCC,
        /// Resumptions.
        TLS_HANDSHAKE_RESUME_ALL,
        /// Resumptions that succeeded.
        TLS_HANDSHAKE_RESUME_SUCC,
        /// Tickets presented.
        TLS_HANDSHAKE_CHECK_RESUME_SESSION_TICKET,
        /// Tickets accepted.
        TLS_HANDSHAKE_SHOULD_RESUME_SESSION_TICKET,
        /// Session ids presented without a ticket.
        TLS_HANDSHAKE_CHECK_RESUME_SESSION_CACHE,
        /// Session ids accepted. Never moves: there is no session cache.
        TLS_HANDSHAKE_SHOULD_RESUME_SESSION_CACHE,
        /// Hellos in SSLv2 form that were taken. Never moves.
        TLS_HANDSHAKE_ACCEPT_SSLV2_CLIENT_HELLO,
        /// Hellos without extensions of elliptic curves that were taken. Never moves.
        TLS_HANDSHAKE_ACCEPT_ECDHE_WITHOUT_EXT,
        /// Hellos in SSLv2 form.
        TLS_HANDSHAKE_SSLV2_NOT_SUPPORT,
        /// Responses not stapled because of their time.
        TLS_HANDSHAKE_OCSP_TIME_ERR,
        /// Clients that asked for a stapled response.
        TLS_STATUS_REQUEST_EXT_COUNT,
        /// No cipher suite in common.
        TLS_HANDSHAKE_NO_SHARED_CIPHER_SUITE,
        /// Connections closed without a byte.
        TLS_HANDSHAKE_ZERO_DATA,
    }
}
