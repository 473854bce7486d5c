//! The certificates that the system trusts.

use std::sync::{Arc, OnceLock};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::CryptoProvider;

/// A verifier by the certificates of the system, which are read once per process.
pub(super) fn system(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            log::warn!("certificates of the system: {error}");
        }
        roots.add_parsable_certificates(found.certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        // A system may have none; nothing can be verified then, which is no fault of the file.
        return Ok(Arc::new(super::verify::NoServer::new(provider)));
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
    match builder.build() {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(format!("certificates of the system: {error}")),
    }
}
