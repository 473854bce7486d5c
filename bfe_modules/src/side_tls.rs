//! TLS to the servers of side requests.

use bfe_http::transport::TlsBackend;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// TLS by the certificates that the system trusts.
///
/// # Errors
/// When there is no protocol version to speak.
pub(crate) fn by_system_roots() -> Result<TlsBackend, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("certificates of the system: {error}");
    }
    roots.add_parsable_certificates(found.certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsBackend { name: None, insecure: false, config: Arc::new(config) })
}
