//! TLS to backends (lifecycle 21.2).

use crate::h1::Stream;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// Limit on a handshake. The reference has none, so that a silent backend holds a request for ever.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How TLS is spoken with the backends of a cluster.
#[derive(Clone, Debug)]
pub struct TlsBackend {
    /// Name to send and to verify; none for the host of the backend's address.
    pub name: Option<String>,
    /// Whether any certificate will do, and so any name.
    pub insecure: bool,
    /// Certificates, and what is verified.
    pub config: Arc<ClientConfig>,
}

impl TlsBackend {
    /// Shakes hands with the backend at `addr`.
    pub(super) async fn shake_hands(&self, tcp: TcpStream, addr: &str) -> Result<Stream, String> {
        let host = match self.name.as_deref() {
            Some(name) if !name.is_empty() => name,
            _ => addr.rsplit_once(':').map_or(addr, |(host, _)| host),
        };
        let name = server_name(host, self.insecure).ok_or_else(|| format!("tls: {host:?} is no name"))?;
        let handshake = TlsConnector::from(Arc::clone(&self.config)).connect(name, tcp);
        match tokio::time::timeout(HANDSHAKE, handshake).await {
            Ok(Ok(tls)) => Ok(Stream::Other(Box::new(tls))),
            Ok(Err(e)) => Err(format!("tls: {e}")),
            Err(_) => Err(format!("tls: no handshake within {HANDSHAKE:?}")),
        }
    }
}

/// Name or address to verify a certificate by. Without verification any text will do: what is no name is not
/// sent as one. `None` where there is none to verify by.
#[must_use]
pub fn server_name(host: &str, insecure: bool) -> Option<ServerName<'static>> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    match ServerName::try_from(bare.to_owned()) {
        Ok(name) => Some(name),
        Err(_) if insecure => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into()),
        Err(_) => None,
    }
}
