//! What `bfe.conf` says about TLS, as far as it can be had (tls 2, 16).

use crate::p521::SECP521R1;
use crate::protocol::Protocol;
use crate::session_cache::CacheSettings;
use std::path::PathBuf;
use tokio_rustls::rustls::crypto::SupportedKxGroup;
use tokio_rustls::rustls::crypto::aws_lc_rs::{cipher_suite as suites, kx_group};
use tokio_rustls::rustls::{NamedGroup, SupportedCipherSuite};

/// TLS as `bfe.conf` wants it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder that names of files in `server_cert_conf.data` are relative to.
    pub conf_root: PathBuf,
    /// `server_cert_conf.data`
    pub server_cert_conf: PathBuf,
    /// `tls_rule_conf.data`
    pub tls_rule_conf: PathBuf,
    /// `ClientCABaseDir`
    pub client_ca_base_dir: PathBuf,
    /// `ClientCRLBaseDir`
    pub client_crl_base_dir: PathBuf,
    /// `session_ticket_key.data`; `None` where tickets are disabled.
    pub session_ticket_key: Option<PathBuf>,
    /// Sessions in Redis; `None` where that is disabled.
    pub session_cache: Option<CacheSettings>,
    /// Cipher suites of TLS 1.2 by preference; those of a group are equal. What is not supported is passed over.
    pub cipher_suites: Vec<Vec<u16>>,
    /// Curves by preference, by their numbers. What is not supported is passed over.
    pub curves: Vec<u16>,
    /// Oldest version, by its number. Whatever it is, nothing before TLS 1.2 is spoken.
    pub min_version: u16,
    /// Newest version, by its number.
    pub max_version: u16,
    /// Protocols that are served inside TLS. Others are not offered.
    pub protocols: Vec<Protocol>,
    /// Whether clients by IPv4 count as IPv6 for the choice of protocols: so on a listener on all addresses.
    pub mapped_addresses: bool,
}

/// Whether a cipher suite of TLS 1.2 is supported, by its number.
#[must_use]
pub fn supports_cipher_suite(id: u16) -> bool {
    suite(id).is_some()
}

/// Whether a curve is supported in TLS 1.2, by its number.
#[must_use]
pub fn supports_curve(id: u16) -> bool {
    matches!(id, 23..=25)
}

pub(crate) fn suite(id: u16) -> Option<SupportedCipherSuite> {
    Some(match id {
        0xc02f => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        0xc02b => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        0xcca8 => suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        0xcca9 => suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        _ => return None,
    })
}

/// Suites of TLS 1.3. The client's order decides.
pub(crate) const SUITES_13: [SupportedCipherSuite; 3] = [
    suites::TLS13_AES_128_GCM_SHA256,
    suites::TLS13_AES_256_GCM_SHA384,
    suites::TLS13_CHACHA20_POLY1305_SHA256,
];

/// X25519, which `bfe.conf` cannot name: the last resort in TLS 1.2.
pub(crate) const X25519: u16 = 29;

/// The group of a number, of those that TLS 1.2 can use.
pub(crate) fn group(id: u16) -> Option<&'static dyn SupportedKxGroup> {
    match NamedGroup::from(id) {
        NamedGroup::secp256r1 => Some(kx_group::SECP256R1),
        NamedGroup::secp384r1 => Some(kx_group::SECP384R1),
        NamedGroup::secp521r1 => Some(SECP521R1),
        NamedGroup::X25519 => Some(kx_group::X25519),
        _ => None,
    }
}

impl Settings {
    /// Groups of TLS 1.3: the one that holds against quantum computers, X25519, and those of the file.
    pub(crate) fn groups_13(&self) -> Vec<&'static dyn SupportedKxGroup> {
        let mut groups: Vec<&'static dyn SupportedKxGroup> = vec![kx_group::X25519MLKEM768, kx_group::X25519];
        groups.extend(self.curves.iter().filter_map(|id| group(*id)));
        groups
    }
}
