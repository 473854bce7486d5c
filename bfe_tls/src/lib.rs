//! TLS towards clients: rules, certificates, session tickets, and the handshake.
//!
//! A connection goes through [`TlsServer::handshake`]. The client's first message is read before the TLS library
//! sees it, as rule, certificate, protocols, version, cipher suite and group all hang on it and the reference
//! decides them in an order of its own. One pure function decides; the library then gets a configuration
//! in which exactly that one choice is left.
//!
//! The library speaks TLS 1.2 and 1.3 with forward secrecy and authenticated encryption. What else a
//! configuration names is taken, but has no effect.
//!
//! Tables are replaced whole; a handshake keeps those it began with.

mod alert;
mod conf;
mod configs;
mod counters;
mod course;
mod failure;
mod handshake;
mod handshake_thread;
mod hello;
mod key_log;
mod murmur3;
mod p521;
mod protocol;
#[cfg(feature = "quic")]
mod quic;
mod select;
mod server;
mod session_cache;
mod settings;
mod stream;
#[cfg(test)]
mod testing;
mod ticket;
mod x509_text;

pub use counters::tls_state;
pub use handshake::{Established, Handshake, HandshakeError, ProtocolParams};
pub use handshake_thread::HandshakeThread;
pub use protocol::Protocol;
#[cfg(feature = "quic")]
pub use quic::{QuicKeys, QuicState};
pub use select::{CertLookup, Peer};
pub use server::{TlsServer, Versions};
pub use session_cache::{CacheEvent, CacheSettings};
pub use settings::{Settings, supports_cipher_suite, supports_curve};
pub use stream::ClientStream;

/// Has the calling thread do now what would make its first handshake slow.
pub fn warm_up() {
    // A failure would show in the handshakes.
    let _ = aws_lc_rs::rand::fill(&mut [0; 32]);
}
