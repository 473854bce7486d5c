//! What a connection gets: rule, certificate, protocols, version, cipher suite, group (tls 4 to 7). One pure
//! function of tables and hello.

use crate::alert::{Alert, NO_VERSION};
use crate::conf::server_cert_conf::{Cert, CertTable, KeyType};
use crate::conf::tls_rule_conf::{Level, Rule, RuleTable};
use crate::hello::{ClientHello, FALLBACK_SCSV, TLS12, TLS13};
use crate::murmur3::hash32;
use crate::protocol::Protocol;
use crate::settings::{self, Settings, X25519};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// Who connects.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The client's address.
    pub ip: IpAddr,
    /// Destination address, where a PROXY header told it.
    pub vip: Option<IpAddr>,
    /// Whether a PROXY header told the client's address.
    pub by_proxy_header: bool,
}

/// How a certificate was found; for counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertLookup {
    /// The connection has a vip.
    pub has_vip: bool,
    /// There is no certificate for the vip.
    pub vip_unknown: bool,
    /// The vip gave none, and the client sent no server name.
    pub without_sni: bool,
    /// It is the default certificate.
    pub default: bool,
}

/// Protocols that a reload has switched off for new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Switches {
    pub(crate) h2_off: bool,
    pub(crate) spdy_off: bool,
}

/// What a connection gets.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) rule: Arc<Rule>,
    pub(crate) cert: Arc<Cert>,
    /// Answer to ALPN.
    pub(crate) alpn: Option<Protocol>,
    /// The connection is one of QUIC, and speaks HTTP/3.
    pub(crate) is_quic: bool,
    pub(crate) cipher: Cipher,
    /// TLS 1.2: the client left out point formats, and uncompressed points were taken for granted.
    pub(crate) assumed_points: bool,
}

/// Version, and what goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cipher {
    /// TLS 1.2 with that suite and group.
    Tls12 { suite: u16, group: u16 },
    /// TLS 1.3; suite and group are found later.
    Tls13,
}

/// Why a connection is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) alert: Alert,
    /// The version that had been agreed on.
    pub(crate) version: u16,
    pub(crate) why: Cow<'static, str>,
    pub(crate) no_shared_suite: bool,
}

fn refused<T>(alert: Alert, version: u16, why: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
    Err(Refusal { alert, version, why: why.into(), no_shared_suite: false })
}

/// Decides. Also says how the certificate was found, where it came to that.
pub(crate) fn select(
    settings: &Settings,
    (certs, rules): (&CertTable, &RuleTable),
    switches: Switches,
    hello: &ClientHello,
    peer: &Peer,
) -> (Option<CertLookup>, Result<Selection, Refusal>) {
    if let Err(refusal) = version(settings, hello) {
        return (None, Err(refusal));
    }
    if !hello.null_compression {
        return (
            None,
            refused(Alert::HandshakeFailure, TLS12, "tls: client does not support uncompressed connections"),
        );
    }
    let rule = Arc::clone(rules.find(peer.vip, &hello.server_name));
    let offered = protocols(&rule, switches, client_share(settings, peer), &settings.protocols);
    let alpn = offered.into_iter().find(|p| hello.alpn.iter().any(|name| name == p.as_str().as_bytes()));
    let (cert, lookup) = certificate(certs, rules, &hello.server_name, peer.vip);
    let cipher = if is_tls13(settings, hello) {
        Some(Cipher::Tls13)
    } else {
        tls12(settings, hello, cert.key_type, rule.chacha20)
    };
    let Some(cipher) = cipher else {
        let offered: Vec<_> = hello.suites.iter().map(u16::to_string).collect();
        let why =
            format!("tls: no cipher suite supported by both client and server: [{}]", offered.join(" "));
        let alert = Alert::HandshakeFailure;
        return (
            Some(lookup),
            Err(Refusal { alert, version: TLS12, why: why.into(), no_shared_suite: true }),
        );
    };
    let assumed_points = cipher != Cipher::Tls13 && hello.points.is_empty();
    (Some(lookup), Ok(Selection { rule, cert, alpn, is_quic: false, cipher, assumed_points }))
}

/// The name of HTTP/3 in ALPN.
pub(crate) const HTTP_3: &str = "h3";

impl Selection {
    /// The answer to ALPN, as it is sent.
    pub(crate) fn alpn_name(&self) -> Option<&'static str> {
        if self.is_quic { Some(HTTP_3) } else { self.alpn.map(Protocol::as_str) }
    }
}

impl Rule {
    /// Whether connections of the rule may speak HTTP/3: unless it insists on a protocol.
    pub(crate) fn allows_http3(&self) -> bool {
        self.mandatory().is_none()
    }
}

/// Decides on a connection of QUIC, where version and protocol are beyond question.
#[cfg(feature = "quic")]
pub(crate) fn select_quic(
    settings: &Settings,
    (certs, rules): (&CertTable, &RuleTable),
    hello: &ClientHello,
    peer: &Peer,
) -> (Option<CertLookup>, Result<Selection, Refusal>) {
    if !is_tls13(settings, hello) {
        return (None, refused(Alert::ProtocolVersion, TLS13, "tls: QUIC needs TLS 1.3"));
    }
    let rule = Arc::clone(rules.find(peer.vip, &hello.server_name));
    if !rule.allows_http3() || !hello.alpn.iter().any(|name| name == HTTP_3.as_bytes()) {
        return (None, refused(Alert::NoApplicationProtocol, TLS13, "tls: no application protocol"));
    }
    let (cert, lookup) = certificate(certs, rules, &hello.server_name, peer.vip);
    let cipher = Cipher::Tls13;
    (Some(lookup), Ok(Selection { rule, cert, alpn: None, is_quic: true, cipher, assumed_points: false }))
}

fn is_tls13(settings: &Settings, hello: &ClientHello) -> bool {
    settings.max_version >= TLS13 && hello.offers_tls13()
}

fn version(settings: &Settings, hello: &ClientHello) -> Result<(), Refusal> {
    if is_tls13(settings, hello) {
        return Ok(());
    }
    let too_old = || {
        let why =
            format!("tls: client offered an unsupported, maximum protocol version of {:x}", hello.version);
        refused(Alert::ProtocolVersion, NO_VERSION, why)
    };
    if hello.version < settings.min_version {
        return too_old();
    }
    // Old versions count as well: the reference would speak them, unless the client itself takes it for a fallback.
    if hello.suites.contains(&FALLBACK_SCSV) && hello.version < settings.max_version {
        // Spelt as the reference spells it.
        return refused(
            Alert::InappropriateFallback,
            hello.version,
            "tls: client using inppropriate protocol fallback",
        );
    }
    let speaks_12 = (settings.min_version..=settings.max_version).contains(&TLS12);
    if hello.version < TLS12 || !speaks_12 { too_old() } else { Ok(()) }
}

/// Where the client stands among all clients, from 0 to 99.
fn client_share(settings: &Settings, peer: &Peer) -> u8 {
    let hash = match peer.ip {
        IpAddr::V4(ip) if settings.mapped_addresses || peer.by_proxy_header => {
            hash32(&ip.to_ipv6_mapped().octets())
        }
        IpAddr::V4(ip) => hash32(&ip.octets()),
        IpAddr::V6(ip) => hash32(&ip.octets()),
    };
    u8::try_from(hash % 100).unwrap_or_default()
}

/// The protocols that the client gets to see, in order of preference.
fn protocols(rule: &Rule, switches: Switches, share: u8, served: &[Protocol]) -> Vec<Protocol> {
    let off = |protocol| match protocol {
        Protocol::H2 => switches.h2_off,
        Protocol::Spdy31 => switches.spdy_off,
        Protocol::Http1 | Protocol::Stream => false,
    };
    let seen: Vec<_> = rule
        .protos
        .iter()
        .filter(|p| p.level != Level::Optional || (share < p.rate && !off(p.protocol)))
        .map(|p| p.protocol)
        .filter(|p| served.contains(p))
        .collect();
    if seen.is_empty() { vec![Protocol::Http1] } else { seen }
}

fn certificate(
    certs: &CertTable,
    rules: &RuleTable,
    server_name: &str,
    vip: Option<IpAddr>,
) -> (Arc<Cert>, CertLookup) {
    let of_vip = vip.and_then(|vip| rules.of_vip(vip)).and_then(|rule| rule.cert.as_ref());
    let mut lookup = CertLookup {
        has_vip: vip.is_some(),
        vip_unknown: vip.is_some() && of_vip.is_none(),
        without_sni: of_vip.is_none() && server_name.is_empty(),
        default: false,
    };
    let found =
        of_vip.or_else(|| if server_name.is_empty() { None } else { certs.for_server_name(server_name) });
    lookup.default = found.is_none();
    (Arc::clone(found.unwrap_or(&certs.default)), lookup)
}

/// Cipher suite and group of TLS 1.2: the first group of suites with one that fits, and in it the one that the
/// client likes best.
fn tls12(settings: &Settings, hello: &ClientHello, key: KeyType, chacha20: bool) -> Option<Cipher> {
    if !(hello.points.is_empty() || hello.points.contains(&0)) {
        return None;
    }
    let known = settings.curves.iter().copied().filter(|id| settings::supports_curve(*id)).chain([X25519]);
    let group = known.into_iter().find(|id| hello.groups.contains(id))?;
    let fits = |id: u16| match id {
        0xc02f => key == KeyType::Rsa,
        0xc02b => key == KeyType::Ecdsa,
        0xcca8 => key == KeyType::Rsa && chacha20,
        0xcca9 => key == KeyType::Ecdsa && chacha20,
        _ => false,
    };
    let suite = if hello.points.is_empty() {
        // What the client left out is taken for granted at a second look, which knows no equals.
        let mut all = settings.cipher_suites.iter().flatten().copied();
        all.find(|id| hello.suites.contains(id) && fits(*id))?
    } else {
        let mut all = settings.cipher_suites.iter();
        all.find_map(|equal| hello.suites.iter().copied().find(|id| equal.contains(id) && fits(*id)))?
    };
    Some(Cipher::Tls12 { suite, group })
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
