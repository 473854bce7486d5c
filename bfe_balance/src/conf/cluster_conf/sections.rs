//! The sections of a cluster, checked: every default filled in, durations as such, names as enums.

use super::{OutlierCodes, StatusExpect, StatusRange};
use bfe_http::transport::fcgi::FcgiConf;
use std::time::Duration;

/// Protocol towards backends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1
    #[default]
    Http,
    /// Accepted in the file, but no request can be forwarded this way.
    Tcp,
    /// Accepted in the file, but no request can be forwarded this way.
    Ws,
    /// FastCGI
    Fcgi,
    /// HTTP/2 in the clear, by prior knowledge
    H2c,
    /// HTTP/1.1 over TLS
    Https,
}

impl Protocol {
    /// The protocol of that name; names are lower case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "http" => Self::Http,
            "tcp" => Self::Tcp,
            "ws" => Self::Ws,
            "fcgi" => Self::Fcgi,
            "h2c" => Self::H2c,
            "https" => Self::Https,
            _ => return None,
        })
    }

    /// Its name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Ws => "ws",
            Self::Fcgi => "fcgi",
            Self::H2c => "h2c",
            Self::Https => "https",
        }
    }
}

/// Which failed attempts may be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryLevel {
    /// Those where no connection could be made.
    #[default]
    Connect,
    /// Also `GET` requests without a body, whatever went wrong.
    Get,
}

/// Section `BackendConf` (config 8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendConf {
    /// Protocol towards backends.
    pub protocol: Protocol,
    /// Limit on the TCP connect; `None` is without limit, zero fails at once (written as a negative number).
    pub connect_timeout: Option<Duration>,
    /// Limit from the end of the request to the head of the response; `None` is without limit.
    pub response_header_timeout: Option<Duration>,
    /// Idle connections kept per backend; 0 keeps none.
    pub max_idle_conns_per_host: usize,
    /// Open connections per backend, idle ones included; 0 is without limit.
    pub max_conns_per_host: usize,
    /// Which failed attempts may be repeated.
    pub retry_level: RetryLevel,
    /// How long a new or recovered backend takes to its full weight; zero is off.
    pub slow_start: Duration,
    /// Responses that count as failures.
    pub outlier_codes: OutlierCodes,
    /// For protocol `fcgi`.
    pub fcgi: FcgiConf,
}

impl Default for BackendConf {
    fn default() -> Self {
        Self {
            protocol: Protocol::Http,
            connect_timeout: Some(Duration::from_millis(2000)),
            response_header_timeout: Some(Duration::from_millis(60000)),
            max_idle_conns_per_host: 2,
            max_conns_per_host: 0,
            retry_level: RetryLevel::Connect,
            slow_start: Duration::ZERO,
            outlier_codes: OutlierCodes::default(),
            fcgi: FcgiConf::default(),
        }
    }
}

/// What a health check does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckScheme {
    /// A `GET` whose status decides.
    Http,
    /// The same over TLS.
    Https,
    /// A TLS handshake.
    Tls,
    /// A TCP connect.
    Tcp,
}

/// Where the name for TLS and the `Host` field of an `https` or `tls` check come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostType {
    /// `Host` of the section, verbatim.
    Host,
    /// IP address of the backend.
    InstanceIp,
}

/// Section `CheckConf` (config 8.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckConf {
    /// What a check does.
    pub scheme: CheckScheme,
    /// Request target of `http` and `https` checks.
    pub uri: String,
    /// `Host` field; a value `name:port` also replaces the port that is checked.
    pub host: String,
    /// Source of the name in `https` and `tls` checks.
    pub host_type: HostType,
    /// Status of a good answer.
    pub status: StatusExpect,
    /// Status of a good answer to an `https` check, instead of `status`.
    pub status_range: Option<StatusRange>,
    /// Failed requests in a row that take a backend down; 0 and less act as 1.
    pub fail_num: i64,
    /// Good checks in a row that bring it back; at least 1.
    pub succ_num: i64,
    /// Limit on a check in milliseconds, as written: what absence and 0 mean depends on the scheme.
    pub timeout_ms: Option<i64>,
    /// Pause after a check that did not bring the backend back.
    pub interval: Duration,
}

impl Default for CheckConf {
    fn default() -> Self {
        Self {
            scheme: CheckScheme::Http,
            uri: "/health_check".to_owned(),
            host: String::new(),
            host_type: HostType::Host,
            status: StatusExpect::ANY,
            status_range: None,
            fail_num: 5,
            succ_num: 1,
            timeout_ms: None,
            interval: Duration::from_millis(1000),
        }
    }
}

/// How a backend is chosen among those of a sub-cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BalanceMode {
    /// Weighted round robin.
    #[default]
    Wrr,
    /// Least connections by weight.
    Wlc,
    /// External endpoint picker. There is none yet: weighted round robin decides.
    Epp,
}

/// What the hash of a request is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashStrategy {
    /// Header or cookie that tells the client.
    ClientIdOnly,
    /// Client address.
    ClientIpOnly,
    /// Header or cookie where present, else client address.
    ClientIdPreferred,
    /// Request target.
    RequestUri,
}

/// Header or cookie that tells the client (`HashHeader`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashHeader {
    /// Header, in canonical form.
    pub name: String,
    /// Cookie to look at where the header is not there: what follows the first colon, if there is one.
    pub cookie: Option<String>,
}

impl HashHeader {
    /// Reads `Name`, or `Cookie:key`. `None` where the text is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let name = match bfe_http::canonical(text.as_bytes()) {
            std::borrow::Cow::Borrowed(_) => text.to_owned(),
            std::borrow::Cow::Owned(name) => String::from_utf8_lossy(&name).into_owned(),
        };
        Some(Self { name, cookie: text.split_once(':').map(|(_, key)| key.trim().to_owned()) })
    }
}

/// Section `GslbBasic.HashConf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashConf {
    /// What the hash is made of.
    pub strategy: HashStrategy,
    /// For the strategies that look at a header.
    pub header: Option<HashHeader>,
    /// Whether the backend, too, is chosen by the hash.
    pub session_sticky: bool,
}

impl Default for HashConf {
    fn default() -> Self {
        Self { strategy: HashStrategy::ClientIpOnly, header: None, session_sticky: false }
    }
}

/// Section `GslbBasic` (config 8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GslbBasic {
    /// More attempts in another sub-cluster; 0 and less is off.
    pub cross_retry: i64,
    /// More attempts in the chosen sub-cluster.
    pub retry_max: i64,
    /// How a backend is chosen.
    pub mode: BalanceMode,
    /// Addresses of the external picker.
    pub epp_addr: Vec<String>,
    /// What a request is hashed by.
    pub hash: HashConf,
}

impl Default for GslbBasic {
    fn default() -> Self {
        Self {
            cross_retry: 0,
            retry_max: 2,
            mode: BalanceMode::Wrr,
            epp_addr: Vec::new(),
            hash: HashConf::default(),
        }
    }
}

/// When a response is flushed to the client (`ResFlushInterval`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushMode {
    /// After the head and after each piece of the body.
    EachWrite,
    /// When the buffer is full.
    Buffered,
    /// At this interval.
    Every(Duration),
}

/// Section `ClusterBasic` (config 8.4). Of the client limits, `None` is without limit (written as a
/// negative number) and zero expires at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterBasic {
    /// Limit on reading the body of a request.
    pub read_client: Option<Duration>,
    /// Limit on writing the response.
    pub write_client: Option<Duration>,
    /// Limit on the wait for the next request of a connection.
    pub read_client_again: Option<Duration>,
    /// Size of the buffer in front of a backend connection, in bytes.
    pub req_write_buffer_size: usize,
    /// Interval at which a request body is flushed; `None` is none.
    pub req_flush_interval: Option<Duration>,
    /// When a response is flushed.
    pub res_flush: FlushMode,
    /// Whether to stop reading from the backend when the client has gone.
    pub cancel_on_client_close: bool,
    /// Whether the backend sees its own address as `Host` rather than what the client sent.
    pub disable_host_header: bool,
    /// Whether failures never take a backend down.
    pub disable_health_check: bool,
}

impl Default for ClusterBasic {
    fn default() -> Self {
        Self {
            read_client: Some(Duration::from_millis(30000)),
            write_client: Some(Duration::from_millis(60000)),
            read_client_again: Some(Duration::from_millis(60000)),
            req_write_buffer_size: 512,
            req_flush_interval: None,
            res_flush: FlushMode::EachWrite,
            cancel_on_client_close: false,
            disable_host_header: false,
            disable_health_check: false,
        }
    }
}
