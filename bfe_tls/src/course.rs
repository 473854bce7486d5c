//! What all handshakes have in common, by TCP and by QUIC: what they begin with, and what is known and counted once
//! they are over (tls 17.2).

use crate::conf::client_auth::Authority;
use crate::conf::server_cert_conf::Stapling;
use crate::counters::tls_state as s;
use crate::hello::ClientHello;
use crate::key_log::{self, Secrets};
use crate::select::{Cipher, Selection};
use crate::server::{Tables, TlsServer};
use crate::x509_text::text;
use bfe_basic::{ClientAuth, ClientCert, TlsState};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::{CipherSuite, CommonState, Error, HandshakeKind, ServerConfig};

/// A handshake under way, after the decision.
pub(crate) struct Course {
    begin: Instant,
    /// The client has shown a ticket.
    pub(crate) presented: bool,
    stapling: Stapling,
    /// Where the secrets of the connection gather, if somebody logs them.
    secrets: Option<Arc<Secrets>>,
}

impl Course {
    /// The configuration for the library, and what is to be remembered of a handshake that began at `begin`.
    ///
    /// # Errors
    /// Where the library refuses the configuration.
    pub(crate) fn begin(
        server: &TlsServer,
        tables: &Tables,
        hello: &ClientHello,
        selection: &Selection,
        begin: Instant,
    ) -> Result<(Arc<ServerConfig>, Self), Error> {
        let stapling =
            if hello.status_request { selection.cert.stapling(SystemTime::now()) } else { Stapling::None };
        let config = server.config(tables, selection, stapling == Stapling::Current)?;
        let (config, secrets) = if server.keeps_secrets() {
            let (config, secrets) = key_log::of_one_connection(&config);
            (config, Some(secrets))
        } else {
            (config, None)
        };
        let presented = hello.has_ticket && server.has_tickets();
        Ok((config, Self { begin, presented, stapling, secrets }))
    }

    /// Counts a full handshake that has begun, and came to nothing.
    pub(crate) fn count_full(&self, hello: &ClientHello) {
        count_full(hello.status_request, self.stapling);
    }

    /// Counts a handshake that is over; gives what modules get to know.
    ///
    /// # Errors
    /// Where a session was resumed whose client certificate is not good any more.
    pub(crate) fn finish(
        self,
        hello: ClientHello,
        selection: &Selection,
        connection: &CommonState,
        server_random: Option<[u8; 32]>,
    ) -> Result<TlsState, Error> {
        let did_resume = did_resume(connection);
        count_kind(did_resume, self.presented, hello.status_request, self.stapling);
        let authority = selection.rule.authority.as_deref();
        if let (true, Some(authority)) = (did_resume, authority) {
            check_again(authority, connection)?;
        }
        Ok(TlsState {
            did_resume,
            server_random: server_random.unwrap_or_default(),
            ocsp_stapled: self.stapling == Stapling::Current && !did_resume,
            handshake_time: self.begin.elapsed(),
            secrets: self.secrets.map(|secrets| secrets.take()).unwrap_or_default(),
            ..tls_state(hello, selection, connection, authority)
        })
    }
}

/// Whether a handshake has resumed a session.
pub(crate) fn did_resume(connection: &CommonState) -> bool {
    connection.handshake_kind() == Some(HandshakeKind::Resumed)
}

/// Counts an attempt at resumption. It counts whether anything else fits or not.
pub(crate) fn count_check(hello: &ClientHello, has_tickets: bool) {
    if hello.has_ticket && has_tickets {
        s::group().inc(s::TLS_HANDSHAKE_CHECK_RESUME_SESSION_TICKET);
    } else if !hello.session_id.is_empty() {
        s::group().inc(s::TLS_HANDSHAKE_CHECK_RESUME_SESSION_CACHE);
    }
}

fn count_kind(did_resume: bool, presented: bool, status_request: bool, stapling: Stapling) {
    let group = s::group();
    if did_resume {
        if presented {
            group.inc(s::TLS_HANDSHAKE_SHOULD_RESUME_SESSION_TICKET);
        }
        group.inc(s::TLS_HANDSHAKE_RESUME_ALL);
        group.inc(s::TLS_HANDSHAKE_RESUME_SUCC);
        return;
    }
    group.inc(s::TLS_HANDSHAKE_FULL_SUCC);
    count_full(status_request, stapling);
}

/// Counts a full handshake that has begun.
fn count_full(status_request: bool, stapling: Stapling) {
    let group = s::group();
    group.inc(s::TLS_HANDSHAKE_FULL_ALL);
    if status_request {
        group.inc(s::TLS_STATUS_REQUEST_EXT_COUNT);
    }
    if stapling == Stapling::OutOfTime {
        group.inc(s::TLS_HANDSHAKE_OCSP_TIME_ERR);
    }
}

/// The certificate of a resumed session has been checked when the session began; since then it may have run
/// out.
fn check_again(authority: &Authority, connection: &CommonState) -> Result<(), Error> {
    let certs: &[CertificateDer<'_>] = connection.peer_certificates().unwrap_or_default();
    let (leaf, chain) = certs.split_first().ok_or(Error::NoCertificatesPresented)?;
    authority.verifier.verify_client_cert(leaf, chain, UnixTime::now()).map(drop)
}

fn tls_state(
    mut hello: ClientHello,
    selection: &Selection,
    connection: &CommonState,
    authority: Option<&Authority>,
) -> TlsState {
    if selection.assumed_points {
        // The reference notes what it took for granted as if the client had said it.
        hello.groups.push(23);
        hello.points.push(0);
    }
    let (ja3_raw, ja3_hash) = hello.ja3();
    let client_auth = authority.map(|authority| ClientAuth {
        authenticated: true,
        ca_name: authority.name.clone(),
        cert: connection
            .peer_certificates()
            .and_then(<[_]>::first)
            .and_then(|c| client_cert(c))
            .map(Box::new),
    });
    TlsState {
        version: if selection.cipher == Cipher::Tls13 { "TLS1.3" } else { "TLS1.2" },
        cipher: connection.negotiated_cipher_suite().map_or("", |suite| cipher_name(suite.suite())),
        server_name: hello.server_name,
        negotiated_protocol: selection.alpn_name().map(str::to_owned).unwrap_or_default(),
        client_auth: client_auth.unwrap_or_default(),
        ja3_raw,
        ja3_hash,
        client_random: hello.random,
        ..TlsState::default()
    }
}

/// The registered name of a suite.
fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
        }
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        }
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        _ => "",
    }
}

fn client_cert(der: &[u8]) -> Option<ClientCert> {
    let (_, cert) = x509_parser::parse_x509_certificate(der).ok()?;
    let subject = cert.subject();
    let title = x509_parser::oid_registry::OID_X509_TITLE;
    Some(ClientCert {
        serial_number: cert.tbs_certificate.serial.to_string(),
        title: first(subject.iter_by_oid(&title)),
        // Of several names it is the last, of everything else the first.
        common_name: subject.iter_common_name().last().map(text).unwrap_or_default(),
        organization: first(subject.iter_organization()),
        organizational_unit: first(subject.iter_organizational_unit()),
        province: first(subject.iter_state_or_province()),
        country: first(subject.iter_country()),
        locality: first(subject.iter_locality()),
    })
}

fn first<'n>(mut values: impl Iterator<Item = &'n x509_parser::x509::AttributeTypeAndValue<'n>>) -> String {
    values.next().map(text).unwrap_or_default()
}
