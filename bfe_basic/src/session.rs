//! A client connection.

use crate::{Context, ErrorCode, KeepaliveChange};
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The protocol that a connection speaks, once that is known (lifecycle 22.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proto {
    /// Not known yet.
    #[default]
    Unknown,
    /// HTTP/1 in the clear.
    Http,
    /// HTTP/1 over TLS.
    Https,
    /// HTTP/2 over TLS.
    H2,
    /// SPDY/3.1 over TLS.
    Spdy31,
    /// Raw TCP inside TLS.
    Stream,
    /// HTTP/3 over QUIC, which the original does not speak.
    H3,
    /// WebSocket in the clear.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Proto {
    /// The name that conditions and logs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Http => "http",
            Self::Https => "https",
            Self::H2 => "h2",
            Self::Spdy31 => "spdy/3.1",
            Self::Stream => "stream",
            Self::H3 => "h3",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether a connection carries many requests at once, in frames of its own.
    #[must_use]
    pub const fn is_multiplexed(self) -> bool {
        matches!(self, Self::H2 | Self::Spdy31 | Self::H3)
    }
}

/// What is known of a client's certificate.
#[derive(Clone, Debug, Default)]
pub struct ClientAuth {
    /// Whether the client authenticated itself with a certificate.
    pub authenticated: bool,
    /// Name of the CA set of the TLS rule that vouched for it.
    pub ca_name: String,
    /// What stands in its certificate.
    pub cert: Option<Box<ClientCert>>,
}

/// What stands in a client's certificate (tls 11). Of values that are given more than once, the first.
#[derive(Clone, Debug, Default)]
pub struct ClientCert {
    /// Serial number, in decimal digits.
    pub serial_number: String,
    /// Subject: title.
    pub title: String,
    /// Subject: common name.
    pub common_name: String,
    /// Subject: organization.
    pub organization: String,
    /// Subject: organizational unit.
    pub organizational_unit: String,
    /// Subject: state or province.
    pub province: String,
    /// Subject: country.
    pub country: String,
    /// Subject: locality.
    pub locality: String,
}

/// What the TLS handshake told; absent on plain connections and before the handshake.
#[derive(Clone, Debug, Default)]
pub struct TlsState {
    /// Protocol version as text, such as `TLS1.2`.
    pub version: &'static str,
    /// Registered name of the cipher suite.
    pub cipher: &'static str,
    /// Name that the client asked for (SNI).
    pub server_name: String,
    /// Protocol by ALPN.
    pub negotiated_protocol: String,
    /// Whether an earlier session was resumed.
    pub did_resume: bool,
    /// The client's certificate.
    pub client_auth: ClientAuth,
    /// JA3 fingerprint in full.
    pub ja3_raw: String,
    /// JA3 fingerprint, hashed.
    pub ja3_hash: String,
    /// Random of the client's hello.
    pub client_random: [u8; 32],
    /// Random of the server's hello.
    pub server_random: [u8; 32],
    /// Whether an OCSP response was stapled.
    pub ocsp_stapled: bool,
    /// How long the handshake took.
    pub handshake_time: std::time::Duration,
    /// The secrets of the connection, where a module has asked for them; whoever has used them takes them
    /// away.
    pub secrets: Vec<TlsSecret>,
}

/// A secret of a TLS connection. Whoever knows it can read the connection.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsSecret {
    /// What it is, as NSS key logs name it: `CLIENT_RANDOM` is the master secret of TLS 1.2.
    pub label: String,
    /// The secret.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for TlsSecret {
    /// Only what it is.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.label)
    }
}

/// A client connection: shared by all requests on it, changed through cells, never sent to another worker.
#[derive(Default)]
pub struct Session {
    /// Given by mod_logid: 32 hexadecimal digits; else empty.
    pub id: RefCell<String>,
    /// When the connection was accepted.
    pub start: Option<(Instant, SystemTime)>,
    /// When it ended; set before the Finish handlers run.
    pub end: Cell<Option<Instant>>,
    /// The client, by the PROXY header where there is one.
    pub remote_addr: Option<SocketAddr>,
    /// The proxy's end of the connection.
    pub local_addr: Option<SocketAddr>,
    /// The layer-4 load balancer that sent the PROXY header; `None` without one.
    pub balancer_addr: Option<SocketAddr>,
    /// Destination address by the PROXY header: IPv4 in its own form, never mapped.
    pub vip: Option<IpAddr>,
    /// Destination port by the PROXY header.
    pub vport: u16,
    /// Product of the vip, by the vip table at the time of the accept.
    pub product: RefCell<Option<Arc<str>>>,
    /// Protocol.
    pub proto: Cell<Proto>,
    /// Whether the connection came to the TLS port.
    pub is_secure: bool,
    /// Whether the client is told that it can use HTTP/3 as well.
    pub advertises_http3: Cell<bool>,
    /// Result of the handshake.
    pub tls: RefCell<Option<Box<TlsState>>>,
    /// Whether the peer is trusted to name the client's address (mod_trust_clientip).
    pub trust_source: Cell<bool>,
    /// Whether a request expected `100-continue`.
    pub use_100_continue: Cell<bool>,
    /// TCP keepalive that a module asks for at Accept.
    pub keepalive: Cell<Option<KeepaliveChange>>,
    /// Most bytes of a body that modules and conditions can read; 0 where nothing is configured.
    pub accessible_body_size: usize,
    /// Requests that came to the pipeline.
    pub requests: Cell<u64>,
    /// Requests in the pipeline now.
    pub requests_active: Cell<u64>,
    /// Why the connection ended, or the last thing that went wrong.
    pub error: RefCell<Option<(ErrorCode, String)>>,
    /// What modules leave here.
    pub context: RefCell<Context>,
}

impl Session {
    /// Notes what went wrong.
    pub fn set_error(&self, code: ErrorCode, message: impl Into<String>) {
        *self.error.borrow_mut() = Some((code, message.into()));
    }
}
