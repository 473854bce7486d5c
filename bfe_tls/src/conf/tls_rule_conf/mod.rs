//! `tls_rule_conf.data`: what applies to which connections (tls 3.2).

mod check;
mod next_proto;
mod raw;
mod table;

pub(crate) use check::Rules;
pub(crate) use next_proto::Level;
pub(crate) use table::{Rule, RuleTable};

use crate::conf::client_auth;
use crate::conf::server_cert_conf::CertTable;
use bfe_basic::conf::{ConfError, ConfErrors, json};
use std::path::Path;

/// Loads the file, and checks it against certificates and CA sets; also returns warnings.
pub(crate) fn load(
    path: &Path,
    certs: &CertTable,
    folders: &client_auth::Folders,
) -> Result<(RuleTable, Vec<ConfError>), ConfErrors> {
    let (rules, mut warnings) = check::check(json::read_file(path)?)?;
    let (authorities, more) = client_auth::load(&rules, folders)?;
    warnings.extend(more);
    check::against_certs(&rules, certs)?;
    Ok((RuleTable::new(rules, certs, &authorities), warnings))
}

#[cfg(test)]
mod tests;
