//! Transports: from a request to a backend's response.
//!
//! A [`Transport`] holds what all workers share of one cluster's backends: settings, and the limits that
//! count over the whole process. The connections themselves are kept by the [`Pool`] of each worker.

pub mod fcgi;
pub mod grpc;
pub mod h2c;
mod pool;
pub mod side;
mod tls;

pub use tls::{TlsBackend, server_name};

pub use pool::{Pool, PooledConn};

use crate::BodyError;
use crate::h1::Stream;
use fcgi::FcgiConf;
use std::borrow::Cow;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

crate::counter_group! {
    /// `/monitor/http_state`: work with backends over HTTP/1 (lifecycle 24.2).
    pub http_state "proxy_state" {
        /// Connections tried.
        HTTP_BACKEND_CONN_ALL,
        /// Connections made.
        HTTP_BACKEND_CONN_SUCC,
        /// Requests sent.
        HTTP_BACKEND_REQ_ALL,
        /// Requests answered.
        HTTP_BACKEND_REQ_SUCC,
        /// Responses cancelled because the client had gone.
        HTTP_CANCEL_ON_CLIENT_CLOSE,
        /// Never moves: there is no such task here.
        HTTP_PANIC_BACKEND_READ,
        /// Never moves: there is no such task here.
        HTTP_PANIC_BACKEND_WRITE,
        /// Never moves: there is no such task here.
        HTTP_PANIC_CLIENT_FLUSH_LOOP,
        /// Never moves: there is no such task here.
        HTTP_PANIC_CLIENT_WATCH_LOOP,
    }
}

/// Settings of a transport (balance 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportConf {
    /// `TimeoutConnSrv`: TCP connect; `None` for no limit, zero fails at once.
    pub connect_timeout: Option<Duration>,
    /// `TimeoutResponseHeader`: from the request written to the response head read; `None` for no limit.
    pub response_header_timeout: Option<Duration>,
    /// `MaxIdleConnsPerHost`: 0 for a connection a request.
    pub max_idle_per_host: usize,
    /// `MaxConnsPerHost`: 0 for no limit.
    pub max_conns_per_host: usize,
}

/// Why a request got no response (lifecycle 9).
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection to the backend; nothing was sent.
    #[error("ConnectError: {reason}, {addr}")]
    Connect {
        /// Why.
        reason: String,
        /// The backend.
        addr: Arc<str>,
    },
    /// The request could not be written.
    #[error("WriteRequestError: {reason}")]
    WriteRequest {
        /// Why.
        reason: String,
        /// Whether the client is to blame: its body could not be read in time.
        client_timeout: bool,
        /// Whether a module that processes the body gave up.
        processing: bool,
    },
    /// No proper response head came.
    #[error("ReadRespHeaderError: {0}")]
    ReadResponseHead(String),
    /// The response head did not come in time.
    #[error("RespHeaderTimeoutError: timeout awaiting response headers")]
    ResponseHeadTimeout,
}

impl TransportError {
    /// The body of the request could not be read.
    pub(crate) fn of_request_body(error: &BodyError) -> Self {
        Self::WriteRequest {
            reason: error.to_string(),
            client_timeout: matches!(
                error,
                BodyError::Timeout | BodyError::ClientGone | BodyError::Stream(_)
            ),
            processing: matches!(error, BodyError::Processing(_)),
        }
    }
}

/// What is spoken with the backends of a cluster.
#[derive(Clone, Debug)]
pub enum Kind {
    /// HTTP/1.
    Http,
    /// HTTP/1 inside TLS.
    Https(TlsBackend),
    /// FastCGI.
    Fcgi(FcgiConf),
    /// HTTP/2 in the clear.
    H2c,
}

/// What all workers share of one cluster's backends.
#[derive(Debug)]
pub struct Transport {
    id: u64,
    kind: Kind,
    conf: TransportConf,
    /// Whether its work shows in [`http_state`].
    counted: bool,
    hosts: Mutex<Vec<(Arc<str>, Arc<HostCounts>)>>,
}

/// Connections to one backend over all workers.
#[derive(Debug, Default)]
pub(crate) struct HostCounts {
    pub(crate) open: AtomicI64,
    pub(crate) idle: AtomicI64,
    /// Where each worker keeps the idle ones.
    shelves: Mutex<Vec<Arc<pool::Shelf>>>,
}

impl Transport {
    /// A transport with those settings.
    #[must_use]
    pub fn new(kind: Kind, conf: TransportConf) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Relaxed), kind, conf, counted: true, hosts: Mutex::new(Vec::new()) }
    }

    /// A transport whose work is none of the clients', and does not show in [`http_state`].
    pub(crate) fn uncounted(kind: Kind, conf: TransportConf) -> Self {
        Self { counted: false, ..Self::new(kind, conf) }
    }

    /// Counts something, if anything is counted.
    fn count(&self, counter: usize) {
        if self.counted {
            http_state::group().inc(counter);
        }
    }

    /// What it speaks.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Its settings.
    #[must_use]
    pub fn conf(&self) -> &TransportConf {
        &self.conf
    }

    /// The counts of one backend. Asked once by each worker, not once a request.
    fn host(&self, addr: &Arc<str>) -> Arc<HostCounts> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        // Hosts that no pool knows any more have left the cluster.
        hosts.retain(|(known, counts)| known == addr || Arc::strong_count(counts) > 1);
        if let Some((_, counts)) = hosts.iter().find(|(known, _)| known == addr) {
            return counts.clone();
        }
        let counts = Arc::new(HostCounts::default());
        hosts.push((addr.clone(), counts.clone()));
        counts
    }
}

impl Transport {
    /// A new connection to `addr`, ready for its first request.
    async fn dial(&self, addr: &str) -> Result<Stream, String> {
        let tcp = connect(addr, self.conf.connect_timeout).await?;
        match &self.kind {
            // A handshake takes memory that a connection does not.
            Kind::Https(tls) => Box::pin(tls.shake_hands(tcp, addr)).await,
            Kind::Http | Kind::Fcgi(_) | Kind::H2c => Ok(Stream::Tcp(tcp)),
        }
    }
}

/// Connects to `addr` (host or IP, and port) within `timeout`.
///
/// # Errors
/// Why there is no connection.
pub async fn connect(addr: &str, timeout: Option<Duration>) -> Result<tokio::net::TcpStream, String> {
    let dial = async {
        // Only names cost a resolver, and a thread for it; tokio sees an address for what it is.
        let stream = tokio::net::TcpStream::connect(dialled(addr).as_ref()).await;
        stream
            .and_then(|s| s.set_nodelay(true).map(|()| s))
            .map_err(|e| format!("dial tcp {addr}: {}", dial_error(&e)))
    };
    match timeout {
        None => dial.await,
        Some(limit) => tokio::time::timeout(limit, dial)
            .await
            .unwrap_or_else(|_| Err(format!("dial tcp {addr}: i/o timeout"))),
    }
}

/// Where a connection to `addr` goes: a port without a host is one of this machine.
#[must_use]
pub fn dialled(addr: &str) -> Cow<'_, str> {
    let without_host = addr.strip_prefix(':').is_some_and(|port| !port.contains(':'));
    if without_host { Cow::Owned(format!("127.0.0.1{addr}")) } else { Cow::Borrowed(addr) }
}

/// Why a connection was refused, in the words of the reference: `connect: connection refused`.
#[must_use]
pub fn dial_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    // Errors of the system carry their number at the end, and begin with a capital.
    match (error.raw_os_error(), text.split_once(" (os error")) {
        (Some(_), Some((text, _))) => {
            let mut text = text.to_owned();
            if let Some(first) = text.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            format!("connect: {text}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bal_86_a_port_alone_is_of_this_machine() {
        for (addr, want) in
            [(":80", "127.0.0.1:80"), ("a:80", "a:80"), ("::1:80", "::1:80"), ("[::1]:80", "[::1]:80")]
        {
            assert_eq!(super::dialled(addr), want);
        }
    }
}
