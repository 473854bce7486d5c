//! `mod_block.conf`.

use bfe_basic::conf::ini::{self, Section};
use bfe_basic::conf::{ConfErrors, conf_path};
use std::path::{Path, PathBuf};

/// The checked configuration; paths are resolved.
pub(super) struct Conf {
    pub(super) product_rules: PathBuf,
    pub(super) ip_blocklist: PathBuf,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let mut product_rules = String::from("mod_block/block_rules.data");
    let mut ip_blocklist = String::from("mod_block/ip_blocklist.data");
    let mut debug = false;
    let file = conf_root.join("mod_block/mod_block.conf");
    ini::read_file(
        &file,
        &mut [
            Section::new("Basic")
                .string("ProductRulePath", &mut product_rules)
                .string("IPBlocklistPath", &mut ip_blocklist),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    let resolve =
        |value: &str, default: &str| conf_path(conf_root, if value.is_empty() { default } else { value });
    Ok(Conf {
        product_rules: resolve(&product_rules, "mod_block/block_rules.data"),
        ip_blocklist: resolve(&ip_blocklist, "mod_block/ip_blocklist.data"),
    })
}
