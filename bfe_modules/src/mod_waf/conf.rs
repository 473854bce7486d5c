//! `mod_waf.conf`.

use crate::module_conf;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use bfe_module::log_file::{LogKeys, LogTarget};
use std::path::{Path, PathBuf};

/// The checked configuration.
#[derive(Debug)]
pub(super) struct Conf {
    pub(super) rules: PathBuf,
    pub(super) log: LogTarget,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut rules, mut keys) = (String::new(), LogKeys::default());
    // A single file for ever is not for this log.
    let ini = ini::read_file(
        &module_conf::file(conf_root, "mod_waf"),
        &mut [Section::new("Basic").string("ProductRulePath", &mut rules), keys.section_rotating()],
    )?;
    let log = keys.check(&ini, Some(conf_root))?;
    Ok(Conf { rules: module_conf::resolve(conf_root, &rules, "mod_waf/waf_rule.data"), log })
}
