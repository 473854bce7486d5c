//! `server_cert_conf.data`: certificates and their keys (tls 3.1).

mod check;
mod der;
mod key_pair;
mod ocsp;
mod raw;
mod table;

pub(crate) use key_pair::KeyType;
pub(crate) use table::{Cert, CertTable, Stapling};

use bfe_basic::conf::{ConfError, ConfErrors, json};
use std::path::Path;

/// Loads the file and all files that it names; also returns warnings. File names in it are relative to
/// `conf_root`.
pub(crate) fn load(path: &Path, conf_root: &Path) -> Result<(CertTable, Vec<ConfError>), ConfErrors> {
    let (certs, warnings) = check::check(json::read_file(path)?, conf_root)?;
    let none = || ConfError::of_file(&path.display().to_string(), "no default certificate");
    Ok((CertTable::new(certs).ok_or_else(none)?, warnings))
}

#[cfg(test)]
mod tests;
