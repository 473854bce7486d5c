//! `bfe.conf` as the program uses it: checked, defaults filled in, paths resolved.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// The whole of `bfe.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfeConfig {
    /// `[Server]`
    pub server: ServerConf,
    /// `[HttpsBasic]`
    pub https_basic: HttpsBasicConf,
    /// `[SessionCache]`; `None` where it is disabled.
    pub session_cache: Option<SessionCacheConf>,
    /// `[SessionTicket]`; `None` where tickets are disabled.
    pub session_ticket: Option<SessionTicketConf>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address as it was written; empty for all. IPv6 needs its brackets here, as in `[::1]`.
    pub addr: String,
    /// Port, never 0.
    pub port: u16,
}

/// `addr:port`, as it goes into the bind.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.addr, self.port)
    }
}

/// The load balancer in front, by how it tells the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer4LoadBalancer {
    /// None that tells.
    None,
    /// PROXY header, v1 or v2, optional on each connection.
    Proxy,
}

/// `[Server]` (config 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConf {
    /// HTTP listener.
    pub http: Listen,
    /// HTTPS listener.
    pub https: Listen,
    /// Monitor server; `None` where it is not enabled, and there is no reload then.
    pub monitor: Option<Listen>,
    /// Number of CPUs to use; `None` for as many as there are.
    pub max_cpus: Option<NonZeroUsize>,
    /// The load balancer in front.
    pub layer4_load_balancer: Layer4LoadBalancer,
    /// Accept loops per listener.
    pub accept_num: NonZeroUsize,
    /// Limit of the TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Limit for the first request of a connection and for the PROXY header.
    pub client_read_timeout: Duration,
    /// Checked and kept, but nothing uses it.
    pub client_write_timeout: Duration,
    /// Limit of the draining after SIGQUIT.
    pub graceful_shutdown_timeout: Duration,
    /// Checked and kept, but without effect: counters are always compared over 20 s.
    pub monitor_interval: Duration,
    /// Longest request target, in bytes.
    pub max_header_uri_bytes: usize,
    /// Longest request head, in bytes; 4096 more are let pass.
    pub max_header_bytes: usize,
    /// Largest request body that can be buffered, in bytes.
    pub accessible_body_size: usize,
    /// Cap on the bytes of all buffered bodies; `None` for no cap.
    pub total_body_buffer_size: Option<NonZeroUsize>,
    /// Longest PROXY header, in bytes.
    pub max_proxy_header_bytes: usize,
    /// Whether client connections live on after a response.
    pub keep_alive_enabled: bool,
    /// Whether requests are routed by AI rules.
    pub enable_ai_gateway: bool,
    /// AI gateway: whether token usage is estimated where the response does not tell it.
    pub estimate_token: bool,
    /// Enabled modules: trimmed, none empty, none twice. Not known yet whether they exist.
    pub modules: Vec<String>,
    /// `host_rule.data`
    pub host_rule_conf: PathBuf,
    /// `vip_rule.data`
    pub vip_rule_conf: PathBuf,
    /// `route_rule.data`
    pub route_rule_conf: PathBuf,
    /// `cluster_conf.data`
    pub cluster_conf: PathBuf,
    /// `cluster_table.data`
    pub cluster_table_conf: PathBuf,
    /// `gslb.data`
    pub gslb_conf: PathBuf,
    /// `name_conf.data`; `None` where the feature is turned off.
    pub name_conf: Option<PathBuf>,
    /// More debug lines about serving.
    pub debug_serv_http: bool,
    /// Kept, but nothing uses it.
    pub debug_bfe_route: bool,
    /// More debug lines about balancing.
    pub debug_bal: bool,
    /// More debug lines about health checks.
    pub debug_health_check: bool,
}

/// A cipher suite that `bfe.conf` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherSuite {
    /// Name in `bfe.conf`.
    pub name: &'static str,
    /// Number on the wire.
    pub id: u16,
}

/// A curve that `bfe.conf` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `CurveP256`
    P256,
    /// `CurveP384`
    P384,
    /// `CurveP521`
    P521,
}

/// A protocol version that `bfe.conf` may name, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// `VersionSSL30`
    Ssl30,
    /// `VersionTLS10`
    Tls10,
    /// `VersionTLS11`
    Tls11,
    /// `VersionTLS12`
    Tls12,
    /// `VersionTLS13`
    Tls13,
}

impl TlsVersion {
    /// The number on the wire.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Ssl30 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }
}

impl Curve {
    /// The number on the wire.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::P256 => 23,
            Self::P384 => 24,
            Self::P521 => 25,
        }
    }
}

/// `[HttpsBasic]` (config 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsBasicConf {
    /// `server_cert_conf.data`
    pub server_cert_conf: PathBuf,
    /// `tls_rule_conf.data`
    pub tls_rule_conf: PathBuf,
    /// Folder of CA sets for client certificates.
    pub client_ca_base_dir: PathBuf,
    /// Folder of revocation lists for client certificates.
    pub client_crl_base_dir: PathBuf,
    /// Cipher suites by preference; those in one group are of equal priority.
    pub cipher_suites: Vec<Vec<CipherSuite>>,
    /// Curves by preference.
    pub curve_preferences: Vec<Curve>,
    /// Newest version, not below the oldest.
    pub max_tls_version: TlsVersion,
    /// Oldest version.
    pub min_tls_version: TlsVersion,
    /// Whether a hello in SSLv2 form is taken.
    pub enable_sslv2_client_hello: bool,
    /// Whether clients may ask for a WebSocket on a stream of HTTP/2 (RFC 8441).
    pub enable_http2_websocket: bool,
    /// HTTP/3, on the UDP port of the HTTPS listener; `None` where it is not served.
    pub http3: Option<Http3Conf>,
}

/// HTTP/3, which the original does not speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http3Conf {
    /// Requests that a connection may carry at once.
    pub max_streams: u32,
    /// What `Alt-Svc` tells clients that come by TCP; `None` where they are told nothing.
    pub advertisement: Option<String>,
}

/// `[SessionCache]` (config 3.3), where it is enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCacheConf {
    /// One name, looked up in `name_conf.data`.
    pub servers: String,
    /// Keys are `<prefix>:<id>`.
    pub key_prefix: String,
    /// Limit of a connect; `None` for none.
    pub connect_timeout: Option<Duration>,
    /// Limit of a read.
    pub read_timeout: Duration,
    /// Limit of a write.
    pub write_timeout: Duration,
    /// Idle connections that are kept.
    pub max_idle: NonZeroUsize,
    /// How long a session lives.
    pub session_expire: Duration,
}

/// `[SessionTicket]` (config 3.4), where tickets are enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTicketConf {
    /// File with the key.
    pub key_file: PathBuf,
}
