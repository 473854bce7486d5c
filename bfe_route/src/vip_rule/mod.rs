//! `vip_rule.data`: addresses that requests came to, to products (config 6, 13.1).

mod check;
mod raw;
mod table;

pub(crate) use check::VipRules;
pub(crate) use table::VipTable;

use bfe_basic::conf::{ConfError, ConfErrors, json};
use std::path::Path;

/// Loads the file; also returns warnings.
pub(crate) fn load(path: &Path) -> Result<(VipRules, Vec<ConfError>), ConfErrors> {
    check::check(json::read_file(path)?)
}

#[cfg(test)]
mod tests;
