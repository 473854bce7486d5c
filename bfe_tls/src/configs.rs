//! Configurations of the TLS library, made as they are needed and kept for the life of a table.

use crate::conf::client_auth::Authority;
use crate::conf::server_cert_conf::Cert;
use crate::select::{Cipher, Selection};
use crate::settings::{self, SUITES_13, Settings};
use crate::ticket::{SharedKey, Tickets};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, ServerConfig};

/// Most configurations that are kept. There are as many as certificates times a few choices; what does not fit
/// is made anew each time.
const MAX_KEPT: usize = 16 * 1024;
/// Tickets that a client of TLS 1.3 gets.
const TICKETS_13: usize = 2;

/// What configurations differ in.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    cert: usize,
    stapled: bool,
    authority: Option<[u8; 16]>,
    alpn: Option<&'static str>,
    cipher: Cipher,
}

/// Configurations that have been made.
#[derive(Default)]
pub(crate) struct Configs(RwLock<HashMap<Kind, Arc<ServerConfig>>>);

/// The one certificate of a configuration.
#[derive(Debug)]
struct Chosen(Arc<CertifiedKey>);

impl ResolvesServerCert for Chosen {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl Configs {
    /// The configuration of a connection.
    ///
    /// # Errors
    /// Where the library refuses it.
    pub(crate) fn get(
        &self,
        settings: &Settings,
        tickets: &SharedKey,
        selection: &Selection,
        stapled: bool,
    ) -> Result<Arc<ServerConfig>, Error> {
        let authority = selection.rule.authority.as_deref();
        let kind = Kind {
            cert: selection.cert.index,
            stapled,
            authority: authority.map(|a| a.fingerprint),
            alpn: selection.alpn_name(),
            cipher: selection.cipher,
        };
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&kind) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(make(settings, tickets, &kind, &selection.cert, authority)?);
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.insert(kind, Arc::clone(&made));
        }
        Ok(made)
    }
}

fn make(
    settings: &Settings,
    tickets: &SharedKey,
    kind: &Kind,
    cert: &Cert,
    authority: Option<&Authority>,
) -> Result<ServerConfig, Error> {
    let mut provider = CryptoProvider {
        cipher_suites: SUITES_13.to_vec(),
        kx_groups: settings.groups_13(),
        ..aws_lc_rs::default_provider()
    };
    // A server that could do better says so to clients of TLS 1.2, who then notice meddling.
    let mut versions = Vec::new();
    if settings.max_version >= crate::hello::TLS13 {
        versions.push(&TLS13);
    }
    let tls13 = kind.cipher == Cipher::Tls13;
    if let Cipher::Tls12 { suite, group } = kind.cipher {
        versions.push(&TLS12);
        provider.cipher_suites.extend(settings::suite(suite));
        provider.kx_groups = settings::group(group).into_iter().collect();
    }
    let builder =
        ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&versions)?;
    let builder = match authority {
        Some(authority) => builder.with_client_cert_verifier(Arc::clone(&authority.verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Chosen(Arc::clone(cert.key(kind.stapled)))));
    config.alpn_protocols = kind.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    if settings.session_ticket_key.is_some() {
        let domain = kind.authority.unwrap_or_default();
        config.ticketer = Arc::new(Tickets { key: Arc::clone(tickets), domain, tls13 });
        config.send_tls13_tickets = TICKETS_13;
    }
    Ok(config)
}
