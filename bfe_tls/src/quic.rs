//! The handshake of a QUIC connection (RFC 9001): the same rules, certificates and tickets as for TLS over TCP.
//!
//! Here, too, the client's hello is read before the TLS library sees it, and decides what that gets to work with. QUIC
//! carries the messages of the handshake itself; what comes of them are the keys of its packets.

use crate::alert::Alert;
use crate::counters::tls_state;
use crate::course::{Course, count_check};
use crate::hello::{self, ClientHello, HelloError};
use crate::select::{CertLookup, Peer, Selection};
use crate::server::TlsServer;
use crate::ticket::SECRET;
use aws_lc_rs::error::Unspecified;
use bfe_basic::TlsState;
use quinn_proto::crypto::rustls::QuicServerConfig;
use quinn_proto::crypto::{
    self, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session, UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError, TransportErrorCode};
use std::any::Any;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;
use tokio_rustls::rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use tokio_rustls::rustls::quic::{KeyChange, Secrets, ServerConnection, Suite, Version};
use tokio_rustls::rustls::server::ResolvesServerCertUsingSni;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, AlertDescription, ServerConfig, Tls13CipherSuite};

/// What protects the first packets of all connections, before anything is agreed on.
#[derive(Clone)]
pub struct QuicKeys {
    suite: Suite,
    /// Never shakes hands.
    config: Arc<QuicServerConfig>,
}

/// What is known of a connection of QUIC that has shaken hands.
#[derive(Clone, Debug)]
pub struct QuicState {
    /// What modules get to know.
    pub tls: TlsState,
    /// How the certificate was found.
    pub lookup: CertLookup,
}

/// What the handshake of one connection needs.
struct Handshake {
    server: Arc<TlsServer>,
    keys: QuicKeys,
    peer: Peer,
}

impl QuicKeys {
    /// The keys of version 1.
    ///
    /// # Errors
    /// Where the TLS library lacks what QUIC begins with.
    pub fn new() -> Result<Self, rustls::Error> {
        let missing = || rustls::Error::General("no cipher suite for QUIC".to_owned());
        let suite =
            TLS13_AES_128_GCM_SHA256.tls13().and_then(Tls13CipherSuite::quic_suite).ok_or_else(missing)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
        let config = QuicServerConfig::with_initial(Arc::new(config), suite).map_err(|_| missing())?;
        Ok(Self { suite, config: Arc::new(config) })
    }
}

impl TlsServer {
    /// A secret that another process has as well, after a restart or on another machine, if it has the same key of
    /// session tickets; a random one where tickets are disabled.
    ///
    /// # Errors
    /// Where there is no randomness.
    pub fn quic_secret(&self, purpose: &str) -> Result<[u8; SECRET], Unspecified> {
        if let Some(secret) = self.ticket_key().and_then(|key| key.secret(purpose)) {
            return Ok(secret);
        }
        let mut secret = [0; SECRET];
        aws_lc_rs::rand::fill(&mut secret)?;
        Ok(secret)
    }

    /// What a connection of QUIC shakes hands with. Once it has, its data is a [`QuicState`].
    #[must_use]
    pub fn quic(self: &Arc<Self>, keys: &QuicKeys, peer: Peer) -> Arc<dyn crypto::ServerConfig> {
        Arc::new(Handshake { server: Arc::clone(self), keys: keys.clone(), peer })
    }
}

impl crypto::ServerConfig for Handshake {
    fn initial_keys(&self, version: u32, dst_cid: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        crypto::ServerConfig::initial_keys(&*self.keys.config, version, dst_cid)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.keys.config.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(self: Arc<Self>, _version: u32, params: &TransportParameters) -> Box<dyn Session> {
        let mut encoded = Vec::new();
        params.write(&mut encoded);
        Box::new(QuicSession {
            handshake: self,
            params: encoded,
            begin: Instant::now(),
            state: State::Hello(Vec::new()),
        })
    }
}

/// The handshake of one connection.
struct QuicSession {
    handshake: Arc<Handshake>,
    /// Our transport parameters.
    params: Vec<u8>,
    begin: Instant,
    state: State,
}

enum State {
    /// What has come of the hello.
    Hello(Vec<u8>),
    Begun(Box<Begun>),
}

/// A handshake whose hello has been answered, or can be.
struct Begun {
    tls: ServerConnection,
    /// What the next keys are made of, once there is something to protect.
    next: Option<Secrets>,
    /// What the client said, and what else is to be remembered until the end of the handshake.
    course: Option<(ClientHello, Course)>,
    selection: Selection,
    lookup: CertLookup,
    server_random: Option<[u8; 32]>,
    done: Option<QuicState>,
}

/// What a client is told that is refused.
fn refused(alert: u8, why: impl Into<String>) -> TransportError {
    TransportError { code: TransportErrorCode::crypto(alert), frame: None, reason: why.into() }
}

impl QuicSession {
    /// Decides on what the hello asks for.
    fn begin(&self, hello: ClientHello) -> Result<Begun, TransportError> {
        let server = &self.handshake.server;
        let tables = server.tables();
        let (lookup, selected) = server.select_quic(&tables, &hello, &self.handshake.peer);
        count_check(&hello, server.has_tickets());
        let selection = selected.map_err(|refusal| refused(refusal.alert as u8, refusal.why))?;
        let internal = |e: rustls::Error| refused(Alert::InternalError as u8, e.to_string());
        let (config, course) =
            Course::begin(server, &tables, &hello, &selection, self.begin).map_err(internal)?;
        let tls = ServerConnection::new(config, Version::V1, self.params.clone()).map_err(internal)?;
        Ok(Begun {
            tls,
            next: None,
            course: Some((hello, course)),
            selection,
            lookup: lookup.unwrap_or_default(),
            server_random: None,
            done: None,
        })
    }
}

impl Begun {
    fn read(&mut self, message: &[u8]) -> Result<(), TransportError> {
        self.tls.read_hs(message).map_err(|error| {
            let alert = self.tls.alert().unwrap_or(AlertDescription::InternalError);
            refused(alert.into(), error.to_string())
        })
    }

    /// Notes what has come of the handshake, once it is over.
    fn finish(&mut self) -> Result<(), TransportError> {
        let Some((hello, course)) = self.course.take() else { return Ok(()) };
        let tls = course
            .finish(hello, &self.selection, &self.tls, self.server_random)
            .map_err(|error| refused(AlertDescription::BadCertificate.into(), error.to_string()))?;
        self.done = Some(QuicState { tls, lookup: self.lookup });
        Ok(())
    }
}

impl Session for QuicSession {
    fn initial_keys(&self, dst_cid: &ConnectionId, _: Side) -> Keys {
        let keys = self.handshake.keys.suite.keys(dst_cid, rustls::Side::Server, Version::V1);
        of_library(keys)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        match &self.state {
            State::Begun(begun) => begun.done.clone().map(|done| -> Box<dyn Any> { Box::new(done) }),
            State::Hello(_) => None,
        }
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// Nothing is taken before the handshake is over: it could be a copy of what somebody else has sent.
    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        match &self.state {
            State::Begun(begun) => begun.tls.is_handshaking(),
            State::Hello(_) => true,
        }
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        if let State::Hello(message) = &mut self.state {
            message.extend_from_slice(buf);
            let hello = match hello::whole(message) {
                Ok(Some(hello)) => hello,
                Ok(None) => return Ok(false),
                Err(HelloError::Bad(why, alert)) => return Err(refused(alert as u8, why)),
                Err(error) => return Err(refused(Alert::UnexpectedMessage as u8, error.to_string())),
            };
            let message = std::mem::take(message);
            let mut begun = Box::new(self.begin(hello)?);
            begun.read(&message)?;
            self.state = State::Begun(begun);
        } else if let State::Begun(begun) = &mut self.state {
            begun.read(buf)?;
        }
        let State::Begun(begun) = &mut self.state else { return Ok(false) };
        if begun.course.is_none() || begun.tls.is_handshaking() {
            return Ok(false);
        }
        begun.finish()?;
        Ok(true)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        let State::Begun(begun) = &self.state else { return Ok(None) };
        let Some(encoded) = begun.tls.quic_transport_parameters() else { return Ok(None) };
        Ok(Some(TransportParameters::read(Side::Server, &mut Cursor::new(encoded))?))
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let State::Begun(begun) = &mut self.state else { return None };
        let before = buf.len();
        let change = begun.tls.write_hs(buf);
        if begun.server_random.is_none() {
            begun.server_random = buf.get(before..).and_then(random_of_hello);
        }
        Some(match change? {
            KeyChange::Handshake { keys } => of_library(keys),
            KeyChange::OneRtt { keys, next } => {
                begun.next = Some(next);
                of_library(keys)
            }
        })
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let State::Begun(begun) = &mut self.state else { return None };
        let keys = begun.next.as_mut()?.next_packet_keys();
        Some(KeyPair { local: Box::new(keys.local), remote: Box::new(keys.remote) })
    }

    /// Only servers send such packets.
    fn is_valid_retry(&self, _: &ConnectionId, _: &[u8], _: &[u8]) -> bool {
        false
    }

    /// Nobody asks for that.
    fn export_keying_material(
        &self,
        _: &mut [u8],
        _: &[u8],
        _: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        Err(ExportKeyingMaterialError)
    }
}

impl Drop for QuicSession {
    /// Counts a handshake that came to nothing.
    fn drop(&mut self) {
        match &self.state {
            State::Hello(_) => tls_state::group().inc(tls_state::TLS_HANDSHAKE_READ_CLIENT_HELLO_ERR),
            State::Begun(begun) => {
                if let Some((hello, course)) = &begun.course {
                    course.count_full(hello);
                }
            }
        }
    }
}

/// The server's random, where that is the beginning of a hello.
fn random_of_hello(message: &[u8]) -> Option<[u8; 32]> {
    let (&[2, _, _, _, 3, 3], rest) = message.split_first_chunk()? else { return None };
    rest.first_chunk().copied()
}

fn of_library(keys: rustls::quic::Keys) -> Keys {
    Keys {
        header: KeyPair { local: Box::new(keys.local.header), remote: Box::new(keys.remote.header) },
        packet: KeyPair { local: Box::new(keys.local.packet), remote: Box::new(keys.remote.packet) },
    }
}
