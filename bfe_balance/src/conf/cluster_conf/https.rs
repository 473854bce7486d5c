//! Section `HTTPSConf` (config 8.6): TLS towards backends, for requests and for health checks.

mod roots;
mod verify;

use super::raw::RawHttpsConf;
use bfe_basic::conf::json::{Path, Source};
use bfe_basic::conf::{Faults, read_bytes};
use bfe_http::transport::TlsBackend;
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig};
use verify::{AnyServer, ListedServer};

/// TLS towards the backends of a cluster.
///
/// Two are equal where their texts are: what the files contain is not compared (balance 12).
#[derive(Clone, Debug)]
pub struct HttpsConf {
    /// Name for SNI and verification; absent or empty stands for the host of the backend's address.
    pub rs_host: Option<String>,
    /// Whether any certificate will do.
    pub insecure_skip_verify: bool,
    /// Files of the certificates to trust; none stands for those of the system.
    pub ca_files: Vec<String>,
    /// File of the client certificate.
    pub cert_file: Option<String>,
    /// File of its key.
    pub key_file: Option<String>,
    /// All this made into a configuration to connect with.
    pub tls: Arc<ClientConfig>,
}

impl PartialEq for HttpsConf {
    fn eq(&self, other: &Self) -> bool {
        let texts = |c: &Self| {
            (
                c.rs_host.clone(),
                c.insecure_skip_verify,
                c.ca_files.clone(),
                c.cert_file.clone(),
                c.key_file.clone(),
            )
        };
        texts(self) == texts(other)
    }
}

impl Eq for HttpsConf {}

impl HttpsConf {
    /// What a transport needs of it.
    #[must_use]
    pub fn backend(&self) -> TlsBackend {
        TlsBackend {
            name: self.rs_host.clone(),
            insecure: self.insecure_skip_verify,
            config: Arc::clone(&self.tls),
        }
    }

    /// Reads the files that the section names. What is wrong with them goes into `faults`; the result is
    /// then not to be used.
    pub(super) fn load(
        raw: RawHttpsConf,
        with_files: bool,
        at: &Path,
        source: &Source,
        faults: &mut Faults,
    ) -> Self {
        let skip = raw.rs_insecure_skip_verify.unwrap_or(false);
        let mut roots = None;
        let mut identity = None;
        if with_files {
            if !skip && !raw.rs_ca_list.is_empty() {
                roots = Some(load_cas(&raw.rs_ca_list, &at.then("RSCAList"), source, faults));
            }
            identity = load_identity(&raw, at, source, faults);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier: Result<Arc<dyn ServerCertVerifier>, String> = match roots {
            _ if skip => Ok(Arc::new(AnyServer::new(&provider))),
            Some(cas) => ListedServer::new(cas, &provider).map(|listed| Arc::new(listed) as _),
            None => roots::system(&provider),
        };
        let tls = verifier.and_then(|verifier| client_config(provider, verifier, identity)).unwrap_or_else(
            |reason| {
                faults.push_with(|| source.error(at, reason));
                unusable()
            },
        );
        Self {
            rs_host: raw.rs_host,
            insecure_skip_verify: skip,
            ca_files: raw.rs_ca_list,
            cert_file: raw.bfe_cert_file,
            key_file: raw.bfe_key_file,
            tls,
        }
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_config(
    provider: Arc<rustls::crypto::CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<Identity>,
) -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match identity {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("BFECertFile and BFEKeyFile do not fit: {error}"))?,
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// TLS that takes any certificate, and offers one protocol inside.
///
/// # Errors
/// What the TLS library says.
pub(crate) fn unverified(protocol: &[u8]) -> Result<TlsBackend, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyServer::new(&provider));
    let mut config = client_config(provider, verifier, None)?;
    Arc::make_mut(&mut config).alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsBackend { name: None, insecure: true, config })
}

/// Stands in where the load failed; trusts nobody.
fn unusable() -> Arc<ClientConfig> {
    let config = ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty());
    Arc::new(config.with_no_client_auth())
}

/// All certificates of the files; other blocks in them are skipped.
fn load_cas(
    files: &[String],
    at: &Path,
    source: &Source,
    faults: &mut Faults,
) -> Vec<CertificateDer<'static>> {
    let mut cas = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match read(file).and_then(|pem| certificates(file, &pem)) {
            Ok(certificates) => cas.extend(certificates),
            Err(reason) => faults.push_with(|| source.error(&at.then(index), reason)),
        }
    }
    cas
}

/// The client certificate, where both files are given.
fn load_identity(raw: &RawHttpsConf, at: &Path, source: &Source, faults: &mut Faults) -> Option<Identity> {
    let mut load = |file: &Option<String>, key: &str| {
        let file = file.clone().filter(|file| !file.is_empty())?;
        match read(&file) {
            Ok(pem) => Some((file, pem)),
            Err(reason) => {
                faults.push_with(|| source.error(&at.then(key), reason));
                None
            }
        }
    };
    let cert = load(&raw.bfe_cert_file, "BFECertFile");
    let key = load(&raw.bfe_key_file, "BFEKeyFile");
    let ((cert_file, cert), (key_file, key)) = (cert?, key?);
    let chain = match certificates(&cert_file, &cert) {
        Ok(chain) if !chain.is_empty() => chain,
        Ok(_) => {
            let reason = format!("{cert_file}: no certificate in this file");
            faults.push_with(|| source.error(&at.then("BFECertFile"), reason));
            return None;
        }
        Err(reason) => {
            faults.push_with(|| source.error(&at.then("BFECertFile"), reason));
            return None;
        }
    };
    match PrivateKeyDer::from_pem_slice(&key) {
        Ok(key) => Some((chain, key)),
        Err(error) => {
            let reason = format!("{key_file}: no private key that can be read: {error}");
            faults.push_with(|| source.error(&at.then("BFEKeyFile"), reason));
            None
        }
    }
}

/// File names are relative to the working directory.
fn read(file: &str) -> Result<Vec<u8>, String> {
    read_bytes(std::path::Path::new(file)).map_err(|error| error.to_string())
}

fn certificates(file: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .enumerate()
        .map(|(index, der)| {
            let der = der.map_err(|error| format!("{file}: bad PEM block: {error}"))?;
            x509_parser::parse_x509_certificate(&der)
                .map_err(|error| format!("{file}: certificate {} is malformed: {error}", index + 1))?;
            Ok(der)
        })
        .collect()
}
