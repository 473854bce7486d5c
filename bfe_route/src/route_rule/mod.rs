//! `route_rule.data`: basic rules (host and path) and product rules (conditions), to clusters (config 7, 13.2).

mod basic;
mod check;
mod path;
mod pattern;
mod raw;
mod table;

pub(crate) use basic::Target;
pub use table::RouteError;
pub(crate) use table::RouteTable;

use bfe_basic::conf::json::{self, Source};
use bfe_basic::conf::{ConfError, ConfErrors};
use std::path::Path;

/// In a basic rule, the cluster that sends a request on to the product rules.
pub const ADVANCED_MODE: &str = "ADVANCED_MODE";

/// Loads the file; also returns the source, for the places of errors that are found later, and warnings.
pub(crate) fn load(path: &Path) -> Result<(RouteTable, Source, Vec<ConfError>), ConfErrors> {
    check::check(json::read_file(path)?)
}

#[cfg(test)]
mod tests;
