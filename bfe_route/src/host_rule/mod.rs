//! `host_rule.data`: hosts to tags, tags to products (config 5, 13.1).

mod check;
mod raw;
mod table;

pub(crate) use table::HostTable;
pub use table::ProductHit;

use bfe_basic::conf::{ConfError, ConfErrors, json};
use std::path::Path;

/// Loads the file; also returns warnings.
pub(crate) fn load(path: &Path) -> Result<(HostTable, Vec<ConfError>), ConfErrors> {
    let (rules, warnings) = check::check(json::read_file(path)?)?;
    Ok((HostTable::new(rules), warnings))
}

#[cfg(test)]
mod tests;
