//! The sockets of QUIC, and what all their connections have in common.

use super::router::{self, Ids, Router};
use super::serve;
use crate::config::Http3Conf;
use crate::listener;
use crate::server::Server;
use crate::worker::Worker;
use aws_lc_rs::{hkdf, hmac};
use bfe_tls::{QuicKeys, TlsServer};
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, Runtime as _, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use std::io;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Version 1 of QUIC, which is all that is spoken.
const VERSIONS: [u32; 1] = [1];
/// What a client may send of one request body before it has been read on, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for all requests of a connection.
const CONNECTION_WINDOW: u32 = 2 << 20;
/// What of the responses of a connection may be on its way, in bytes.
const SEND_WINDOW: u64 = 4 << 20;
/// Streams other than requests that a client may have open. It needs three.
const CONTROL_STREAMS: u32 = 16;
/// Clients that wait to be accepted by a worker, and what all of them may have sent, in bytes.
const WAITING: (usize, u64) = (4096, 8 << 20);
/// What one of them may have sent.
const WAITING_EACH: u64 = 64 << 10;
/// A connection without a packet for longer than this is over, whatever `ClientReadTimeout` says.
const MAX_IDLE: Duration = Duration::from_secs(3600);
/// How long the last packets get at the end of the process.
const PART: Duration = Duration::from_secs(1);

/// The port of a worker, as the main thread opens it.
pub(crate) struct Port {
    socket: UdpSocket,
    router: Router,
    setup: Arc<Setup>,
}

/// What all workers share.
pub(super) struct Setup {
    pub(super) keys: QuicKeys,
    reset_key: [u8; 64],
    token_key: Arc<hkdf::Prk>,
    transport: Arc<TransportConfig>,
}

/// Opens the ports of so many workers; none where HTTP/3 is not served.
pub(crate) fn ports(server: &Server, workers: usize) -> io::Result<Vec<Port>> {
    let Some(conf) = &server.config.https_basic.http3 else { return Ok(Vec::new()) };
    let setup = Arc::new(Setup::new(conf, &server.live.tls, server.config.server.client_read_timeout)?);
    let sockets = listener::datagrams(&server.config.server.https, workers)?;
    let routers = router::routers(workers);
    let ports = sockets.into_iter().zip(routers);
    Ok(ports.map(|(socket, router)| Port { socket, router, setup: Arc::clone(&setup) }).collect())
}

impl Setup {
    /// With secrets that a process has in common with the one before it, clients of that one hear at once that their
    /// connections are gone, instead of waiting for answers.
    fn new(conf: &Http3Conf, tls: &TlsServer, idle: Duration) -> io::Result<Self> {
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(conf.max_streams.into())
            .max_concurrent_uni_streams(CONTROL_STREAMS.into())
            .stream_receive_window(STREAM_WINDOW.into())
            .receive_window(CONNECTION_WINDOW.into())
            .send_window(SEND_WINDOW)
            // Nothing of HTTP/3 that is served goes in datagrams.
            .datagram_receive_buffer_size(None)
            .max_idle_timeout(IdleTimeout::try_from(idle.min(MAX_IDLE)).ok());
        let reset_key = tls.quic_secret("bfe quic stateless reset").map_err(io::Error::other)?;
        let token_key = tls.quic_secret("bfe quic address token").map_err(io::Error::other)?;
        let token_key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&token_key);
        Ok(Self {
            keys: QuicKeys::new().map_err(io::Error::other)?,
            reset_key,
            token_key: Arc::new(token_key),
            transport: Arc::new(transport),
        })
    }

    /// The configuration of a connection by that client.
    pub(super) fn config(&self, worker: &Worker, client: IpAddr) -> ServerConfig {
        let peer = bfe_tls::Peer { ip: client, vip: None, by_proxy_header: false };
        let crypto = worker.tls().quic(&self.keys, peer);
        let mut config = ServerConfig::new(crypto, Arc::clone(&self.token_key) as _);
        config
            .transport_config(Arc::clone(&self.transport))
            .max_incoming(WAITING.0)
            .incoming_buffer_size(WAITING_EACH)
            .incoming_buffer_size_total(WAITING.1);
        config
    }
}

/// The endpoint of a worker.
pub(crate) struct Serving {
    endpoint: Endpoint,
    accepting: JoinHandle<()>,
}

impl Serving {
    /// Begins to accept connections.
    ///
    /// # Errors
    /// Where the socket cannot be registered with the runtime.
    pub(crate) fn begin(worker: &Rc<Worker>, port: Port) -> io::Result<Self> {
        let Port { socket, router, setup } = port;
        let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &setup.reset_key)));
        let index = router.index();
        config.cid_generator(move || Box::new(Ids::new(index))).supported_versions(VERSIONS.to_vec());
        // Of this one no more is used than what concerns first packets.
        let server = setup.config(worker, IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let socket = TokioRuntime.wrap_udp_socket(socket)?;
        let endpoint = Endpoint::new_with_abstract_socket(
            config,
            Some(server),
            router.around(socket),
            Arc::new(TokioRuntime),
        )?;
        let accepting =
            tokio::task::spawn_local(serve::accept_loop(Rc::clone(worker), endpoint.clone(), setup));
        Ok(Self { endpoint, accepting })
    }

    /// Turns new connections away.
    pub(crate) fn accept_no_more(&self) {
        self.accepting.abort();
        self.endpoint.set_server_config(None);
    }

    /// Ends what there still is, and waits until the last packets are out.
    pub(crate) async fn part(self) {
        self.endpoint.close(VarInt::from_u32(NO_ERROR), b"");
        let _ = tokio::time::timeout(PART, self.endpoint.wait_idle()).await;
    }
}

/// `H3_NO_ERROR`
const NO_ERROR: u32 = 0x100;
