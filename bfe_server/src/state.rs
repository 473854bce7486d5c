//! Counters of the core: `/monitor/proxy_state` (lifecycle 24.1).

use bfe_basic::Proto;

bfe_http::counter_group! {
    /// `/monitor/proxy_state`.
    pub proxy_state "proxy_state" {
        /// Panics of a connection.
        PANIC_CLIENT_CONN_SERVE,
        /// Never moves.
        PANIC_BACKEND_WRITE,
        /// Never moves.
        PANIC_BACKEND_READ,
        /// Request targets that are too long.
        ERR_CLIENT_LONG_URL,
        /// Request heads that are too large.
        ERR_CLIENT_LONG_HEADER,
        /// Clients that closed.
        ERR_CLIENT_CLOSE,
        /// Requests that did not come in time.
        ERR_CLIENT_TIMEOUT,
        /// Requests that could not be parsed.
        ERR_CLIENT_BAD_REQUEST,
        /// `Expect: 100-continue` without a body.
        ERR_CLIENT_ZERO_CONTENTLEN,
        /// Other expectations.
        ERR_CLIENT_EXPECT_FAIL,
        /// Connections that could not be accepted.
        ERR_CLIENT_CONN_ACCEPT,
        /// Responses that were not sent whole.
        ERR_CLIENT_WRITE,
        /// Connections reset by the client.
        ERR_CLIENT_RESET,
        /// Requests without a product.
        ERR_BK_FIND_PRODUCT,
        /// Requests without a cluster.
        ERR_BK_FIND_LOCATION,
        /// Clusters without a balancer.
        ERR_BK_NO_BALANCE,
        /// Clusters that are in no table.
        ERR_BK_NO_CLUSTER,
        /// Failures of modules that process bodies.
        ERR_BK_BODY_PROCESS,
        /// Attempts where no connection could be made.
        ERR_BK_CONNECT_BACKEND,
        /// Failed attempts.
        ERR_BK_REQUEST_BACKEND,
        /// Attempts where the request could not be written.
        ERR_BK_WRITE_REQUEST,
        /// Attempts where no response head came.
        ERR_BK_READ_RESP_HEADER,
        /// Attempts where the response head was late.
        ERR_BK_RESP_HEADER_TIMEOUT,
        /// Attempts where the connection broke.
        ERR_BK_TRANSPORT_BROKEN,
        /// TLS handshakes.
        TLS_HANDSHAKE_ALL,
        /// TLS handshakes that succeeded.
        TLS_HANDSHAKE_SUCC,
        /// Connections to the session cache.
        SESSION_CACHE_CONN,
        /// Such that failed.
        SESSION_CACHE_CONN_FAIL,
        /// Sessions written.
        SESSION_CACHE_SET,
        /// Such that failed.
        SESSION_CACHE_SET_FAIL,
        /// Sessions looked up.
        SESSION_CACHE_GET,
        /// Such that failed.
        SESSION_CACHE_GET_FAIL,
        /// Answers of the wrong type.
        SESSION_CACHE_TYPE_NOT_BYTES,
        /// Sessions not found.
        SESSION_CACHE_MISS,
        /// Sessions found.
        SESSION_CACHE_HIT,
        /// No cache server known.
        SESSION_CACHE_NO_INSTANCE,
        /// Certificates asked for.
        TLS_MULTI_CERT_GET,
        /// Connections without a vip.
        TLS_MULTI_CERT_CONN_WITHOUT_VIP,
        /// Connections with a vip that is not known.
        TLS_MULTI_CERT_CONN_VIP_UNKNOWN,
        /// Connections without a server name.
        TLS_MULTI_CERT_CONN_WITHOUT_SNI,
        /// Connections that got the default certificate.
        TLS_MULTI_CERT_USE_DEFAULT,
        /// Certificate reloads.
        TLS_MULTI_CERT_UPDATE,
        /// Such that failed.
        TLS_MULTI_CERT_UPDATE_ERR,
        /// Requests with more than one attempt.
        CLIENT_REQ_WITH_RETRY,
        /// Requests tried in another sub-cluster.
        CLIENT_REQ_WITH_CROSS_RETRY,
        /// Requests that ended with an error code.
        CLIENT_REQ_FAIL,
        /// Attempts that failed and were not retried.
        CLIENT_REQ_FAIL_WITH_NO_RETRY,
        /// Connections on which `100-continue` was expected.
        CLIENT_CONN_USE100_CONTINUE,
        /// Connections that ended in the middle of a request.
        CLIENT_CONN_UNFINISHED_REQ,
        /// Requests.
        CLIENT_REQ_SERVED,
        /// Requests over plain HTTP/1.
        HTTP_CLIENT_REQ_SERVED,
        /// Requests over HTTP/1 and TLS.
        HTTPS_CLIENT_REQ_SERVED,
        /// Requests over HTTP/2.
        HTTP2_CLIENT_REQ_SERVED,
        /// Requests over SPDY.
        SPDY_CLIENT_REQ_SERVED,
        /// Connections.
        CLIENT_CONN_SERVED,
        /// Plain HTTP/1 connections.
        HTTP_CLIENT_CONN_SERVED,
        /// HTTP/1 connections over TLS.
        HTTPS_CLIENT_CONN_SERVED,
        /// HTTP/2 connections.
        HTTP2_CLIENT_CONN_SERVED,
        /// SPDY connections.
        SPDY_CLIENT_CONN_SERVED,
        /// Raw TCP in TLS.
        STREAM_CLIENT_CONN_SERVED,
        /// WebSocket connections.
        WS_CLIENT_CONN_SERVED,
        /// WebSocket connections over TLS.
        WSS_CLIENT_CONN_SERVED,
        /// Event streams.
        SSE_REQ_SERVED,
    }
    gauges {
        /// Requests in the pipeline.
        CLIENT_REQ_ACTIVE,
        /// Of them over plain HTTP/1.
        HTTP_CLIENT_REQ_ACTIVE,
        /// Of them over HTTP/1 and TLS.
        HTTPS_CLIENT_REQ_ACTIVE,
        /// Of them over HTTP/2.
        HTTP2_CLIENT_REQ_ACTIVE,
        /// Of them over SPDY.
        SPDY_CLIENT_REQ_ACTIVE,
        /// Open connections.
        CLIENT_CONN_ACTIVE,
        /// Of them plain HTTP/1.
        HTTP_CLIENT_CONN_ACTIVE,
        /// Of them HTTP/1 over TLS.
        HTTPS_CLIENT_CONN_ACTIVE,
        /// Of them HTTP/2.
        HTTP2_CLIENT_CONN_ACTIVE,
        /// Of them SPDY.
        SPDY_CLIENT_CONN_ACTIVE,
        /// Of them raw TCP in TLS.
        STREAM_CLIENT_CONN_ACTIVE,
        /// Of them WebSocket.
        WS_CLIENT_CONN_ACTIVE,
        /// Of them WebSocket over TLS.
        WSS_CLIENT_CONN_ACTIVE,
        /// Event streams.
        SSE_REQ_ACTIVE,
    }
}

/// Counts one event of the core.
pub(crate) fn count(counter: usize) {
    proxy_state::group().inc(counter);
}

/// What a request of that protocol counts as: served, active.
pub(crate) const fn of_requests(proto: Proto) -> Option<(usize, usize)> {
    use proxy_state as s;
    match proto {
        Proto::Http => Some((s::HTTP_CLIENT_REQ_SERVED, s::HTTP_CLIENT_REQ_ACTIVE)),
        Proto::Https => Some((s::HTTPS_CLIENT_REQ_SERVED, s::HTTPS_CLIENT_REQ_ACTIVE)),
        Proto::H2 => Some((s::HTTP2_CLIENT_REQ_SERVED, s::HTTP2_CLIENT_REQ_ACTIVE)),
        Proto::Spdy31 => Some((s::SPDY_CLIENT_REQ_SERVED, s::SPDY_CLIENT_REQ_ACTIVE)),
        Proto::Unknown | Proto::Stream | Proto::H3 | Proto::Ws | Proto::Wss => None,
    }
}

/// What a connection of that protocol counts as: served, active.
pub(crate) const fn of_connections(proto: Proto) -> Option<(usize, usize)> {
    use proxy_state as s;
    match proto {
        Proto::Http => Some((s::HTTP_CLIENT_CONN_SERVED, s::HTTP_CLIENT_CONN_ACTIVE)),
        Proto::Https => Some((s::HTTPS_CLIENT_CONN_SERVED, s::HTTPS_CLIENT_CONN_ACTIVE)),
        Proto::H2 => Some((s::HTTP2_CLIENT_CONN_SERVED, s::HTTP2_CLIENT_CONN_ACTIVE)),
        Proto::Spdy31 => Some((s::SPDY_CLIENT_CONN_SERVED, s::SPDY_CLIENT_CONN_ACTIVE)),
        Proto::Stream => Some((s::STREAM_CLIENT_CONN_SERVED, s::STREAM_CLIENT_CONN_ACTIVE)),
        Proto::Ws => Some((s::WS_CLIENT_CONN_SERVED, s::WS_CLIENT_CONN_ACTIVE)),
        Proto::Wss => Some((s::WSS_CLIENT_CONN_SERVED, s::WSS_CLIENT_CONN_ACTIVE)),
        Proto::Unknown | Proto::H3 => None,
    }
}

/// Connections and requests by protocol, for pages that show them: how many there have been, and how many there are.
pub(crate) struct Traffic {
    /// The protocol.
    pub(crate) proto: Proto,
    /// Connections.
    pub(crate) connections: [i64; 2],
    /// Requests, where the protocol has any.
    pub(crate) requests: Option<[i64; 2]>,
}

/// What there is of each protocol.
pub(crate) fn traffic() -> impl Iterator<Item = Traffic> {
    use Proto::{H2, Http, Https, Spdy31, Stream, Ws, Wss};
    let values = |(served, active)| [served, active].map(|counter| proxy_state::group().get(counter));
    let of_core = [Http, Https, H2, Spdy31, Stream, Ws, Wss].into_iter().filter_map(move |proto| {
        let connections = values(of_connections(proto)?);
        Some(Traffic { proto, connections, requests: of_requests(proto).map(values) })
    });
    of_core.chain(http3_traffic())
}

#[cfg(feature = "http3")]
fn http3_traffic() -> Option<Traffic> {
    use bfe_http::h3::http3_state as s;
    let values = |counters: [usize; 2]| counters.map(|counter| s::group().get(counter));
    Some(Traffic {
        proto: Proto::H3,
        connections: values([s::H3_CLIENT_CONN_SERVED, s::H3_CLIENT_CONN_ACTIVE]),
        requests: Some(values([s::H3_CLIENT_REQ_SERVED, s::H3_CLIENT_REQ_ACTIVE])),
    })
}

#[cfg(not(feature = "http3"))]
fn http3_traffic() -> Option<Traffic> {
    None
}

/// A gauge that is up as long as this lives, and a counter that went up when it began: nothing can leak.
pub(crate) struct Active {
    gauges: [Option<usize>; 2],
}

impl Active {
    /// Counts the beginning of something, in total and by protocol.
    pub(crate) fn begin(total: (usize, usize), of_proto: Option<(usize, usize)>) -> Self {
        let group = proxy_state::group();
        for (served, active) in [Some(total), of_proto].into_iter().flatten() {
            group.inc(served);
            group.inc(active);
        }
        Self { gauges: [Some(total.1), of_proto.map(|p| p.1)] }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        for gauge in self.gauges.into_iter().flatten() {
            proxy_state::group().dec(gauge);
        }
    }
}
