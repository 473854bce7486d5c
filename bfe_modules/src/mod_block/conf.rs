//! `mod_block.conf`.

use crate::module_conf;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use std::path::{Path, PathBuf};

/// The checked configuration; paths are resolved.
pub(super) struct Conf {
    pub(super) product_rules: PathBuf,
    pub(super) ip_blocklist: PathBuf,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let mut product_rules = String::new();
    let mut ip_blocklist = String::new();
    let mut debug = false;
    ini::read_file(
        &module_conf::file(conf_root, "mod_block"),
        &mut [
            Section::new("Basic")
                .string("ProductRulePath", &mut product_rules)
                .string("IPBlocklistPath", &mut ip_blocklist),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    Ok(Conf {
        product_rules: module_conf::resolve(conf_root, &product_rules, "mod_block/block_rules.data"),
        ip_blocklist: module_conf::resolve(conf_root, &ip_blocklist, "mod_block/ip_blocklist.data"),
    })
}
