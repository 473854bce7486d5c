//! CA sets and revocation lists for client certificates (tls 9).

mod crl;
mod verifier;

use super::Map;
use super::pem;
use super::tls_rule_conf::Rules;
use bfe_basic::conf::{ConfError, ConfErrors, Faults, read_bytes};
use bfe_basic::json_path;
use crl::Revoked;
use md5::{Digest as _, Md5};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use verifier::RuleVerifier;

/// Where CA sets and revocation lists are.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// `ClientCABaseDir`: `NAME.crt`.
    pub(crate) ca: PathBuf,
    /// `ClientCRLBaseDir`: `NAME/*.crl`.
    pub(crate) crl: PathBuf,
}

/// Who vouches for the clients of a rule.
#[derive(Debug)]
pub(crate) struct Authority {
    /// Name of the CA set.
    pub(crate) name: String,
    /// Checks client certificates.
    pub(crate) verifier: Arc<dyn ClientCertVerifier>,
    /// Changes with the set and with its revocation lists: sessions from before such a change are not resumed.
    pub(crate) fingerprint: [u8; 16],
}

/// CA sets by name.
pub(crate) type Authorities = Map<String, Arc<Authority>>;

/// Loads the CA sets that rules use. The folder of revocation lists must exist even if there are none.
pub(crate) fn load(rules: &Rules, folders: &Folders) -> Result<(Authorities, Vec<ConfError>), ConfErrors> {
    let (mut faults, mut warnings) = (Faults::new(), Vec::new());
    let mut sets = Vec::new();
    for (label, name) in rules.client_cas() {
        let at = json_path!["Config", label, "ClientCAName"];
        let file = folders.ca.join(format!("{name}.crt"));
        match read_bytes(&file) {
            Ok(bytes) => {
                let certs = certificates(&bytes);
                if certs.is_empty() {
                    let reason =
                        format!("{}: no usable certificate: all clients are refused", file.display());
                    warnings.push(rules.source.error(&at, reason));
                }
                sets.push((name, at, certs));
            }
            Err(error) => faults.push_with(|| rules.source.error(&at, error.to_string())),
        }
    }
    faults.into_result()?;
    if !folders.crl.is_dir() {
        let reason = "ClientCRLBaseDir does not exist or is not a directory";
        return Err(ConfError::of_file(&folders.crl.display().to_string(), reason).into());
    }
    let (mut faults, mut authorities) = (Faults::new(), Authorities::default());
    for (name, at, certs) in sets {
        match Revoked::load(&folders.crl.join(name)) {
            Ok(revoked) => {
                authorities.insert(name.to_owned(), Arc::new(authority(name, certs, revoked)));
            }
            Err(reason) => faults.push_with(|| rules.source.error(&at, reason)),
        }
    }
    faults.into_result()?;
    Ok((authorities, warnings))
}

fn authority(name: &str, certs: Vec<CertificateDer<'static>>, revoked: Revoked) -> Authority {
    let mut digest = Md5::new();
    for cert in &certs {
        digest.update((cert.len() as u64).to_be_bytes());
        digest.update(cert);
    }
    revoked.digest(&mut digest);
    let verifier = Arc::new(RuleVerifier::new(certs, revoked));
    Authority { name: name.to_owned(), verifier, fingerprint: digest.finalize().into() }
}

/// All certificates of a file; what is none is passed over, as in the reference.
fn certificates(file: &[u8]) -> Vec<CertificateDer<'static>> {
    pem::blocks(file)
        .into_iter()
        .filter(|b| b.label == "CERTIFICATE" && x509_parser::parse_x509_certificate(&b.der).is_ok())
        .map(|b| b.der.into())
        .collect()
}

/// Files of a folder by name, in the order of names; none where there is no such folder.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> =
        entries.filter_map(Result::ok).map(|e| e.path()).filter(|p| !p.is_dir()).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests;
