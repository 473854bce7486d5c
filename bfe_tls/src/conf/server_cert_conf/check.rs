//! Checks of `server_cert_conf.data`, and the files that it names (tls 3.1).

use super::key_pair::{self, KeyPair};
use super::ocsp::{self, Staple};
use super::raw::{RawCert, RawServerCertConf};
use bfe_basic::conf::json::{Document, Path, Source};
use bfe_basic::conf::{ConfError, ConfErrors, Faults, conf_path, read_bytes};
use bfe_basic::json_path;
use std::path::PathBuf;
use std::time::SystemTime;

/// The name of the default certificate, which TLS rules may use but this file must not give.
pub(super) const RESERVED: &str = "BFE_DEFAULT_CERT";

/// A file that has been checked, and what it names.
pub(super) struct Certs {
    pub(super) version: String,
    pub(super) default: String,
    /// By name, in the order of names.
    pub(super) certs: Vec<(String, KeyPair, Option<Staple>)>,
}

/// The files of one certificate.
struct Files {
    cert: PathBuf,
    key: PathBuf,
    ocsp: Option<PathBuf>,
}

/// Checks the file itself first, and then reads what it names.
pub(super) fn check(
    document: Document<RawServerCertConf>,
    conf_root: &std::path::Path,
) -> Result<(Certs, Vec<ConfError>), ConfErrors> {
    let (raw, source, mut warnings) = document.into_parts();
    let mut faults = Faults::new();
    if raw.version.is_empty() {
        faults.push(source.error(&json_path!["Version"], "no Version"));
    }
    let config = raw.config;
    let mut files = Vec::with_capacity(config.cert_conf.len());
    for (name, cert) in &config.cert_conf {
        let at = json_path!["Config", "CertConf", name];
        if name == RESERVED {
            faults.push_with(|| source.error(&at, format!("CertName should not be {RESERVED}")));
        }
        if let Some(found) = locate(cert, conf_root, &at, &source, &mut faults) {
            files.push((name, at, found));
        }
    }
    if !config.cert_conf.contains_key(&config.default) {
        let reason = format!("default certificate {:?} does not exist in CertConf", config.default);
        faults.push(source.error(&json_path!["Config", "Default"], reason));
    }
    faults.into_result()?;

    let mut faults = Faults::new();
    let mut certs = Vec::with_capacity(files.len());
    for (name, at, files) in files {
        match key_pair::load(&files.cert, &files.key) {
            Ok((pair, complaints)) => {
                warnings.extend(complaints.into_iter().map(|c| source.error(&at, c)));
                let staple = staple(&files, &pair, &at, &source, &mut warnings, &mut faults);
                certs.push((name.clone(), pair, staple));
            }
            Err(reason) => faults.push_with(|| source.error(&at, reason)),
        }
    }
    faults.into_result()?;
    Ok((Certs { version: raw.version, default: config.default, certs }, warnings))
}

/// Names of the files, all of which must exist.
fn locate(
    raw: &RawCert,
    root: &std::path::Path,
    at: &Path,
    source: &Source,
    faults: &mut Faults,
) -> Option<Files> {
    let mut file = |key: &str, value: &str, what: &str| {
        if value.is_empty() {
            faults.push_with(|| source.error(&at.then(key), format!("no {key}")));
            return None;
        }
        let path = conf_path(root, value);
        if matches!(path.try_exists(), Ok(false)) {
            let reason = format!("{what} does not exist: {}", path.display());
            faults.push_with(|| source.error(&at.then(key), reason));
            return None;
        }
        Some(path)
    };
    let cert = file("ServerCertFile", &raw.server_cert_file, "server certificate file");
    let key = file("ServerKeyFile", &raw.server_key_file, "server key file");
    let ocsp = match raw.ocsp_response_file.as_str() {
        "" => None,
        value => Some(file("OcspResponseFile", value, "OCSP response file")?),
    };
    Some(Files { cert: cert?, key: key?, ocsp })
}

/// The response to staple. One that does not fit is a warning, not an error.
fn staple(
    files: &Files,
    pair: &KeyPair,
    at: &Path,
    source: &Source,
    warnings: &mut Vec<ConfError>,
    faults: &mut Faults,
) -> Option<Staple> {
    let file = files.ocsp.as_ref()?;
    let at = at.then("OcspResponseFile");
    let bytes = match read_bytes(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            faults.push_with(|| source.error(&at, error.to_string()));
            return None;
        }
    };
    match ocsp::check(bytes, &pair.serial, SystemTime::now()) {
        Ok(staple) => Some(staple),
        Err(reason) => {
            let reason = format!("{}: invalid OCSP response is not stapled: {reason}", file.display());
            warnings.push(source.error(&at, reason));
            None
        }
    }
}
