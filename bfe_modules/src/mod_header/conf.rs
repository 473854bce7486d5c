//! `mod_header.conf`.

use crate::module_conf;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use std::path::{Path, PathBuf};

/// The checked configuration.
pub(super) struct Conf {
    pub(super) rules: PathBuf,
    pub(super) default_headers: bool,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut rules, mut disable_default, mut debug) = (String::new(), false, false);
    ini::read_file(
        &module_conf::file(conf_root, "mod_header"),
        &mut [
            Section::new("Basic")
                .string("DataPath", &mut rules)
                .bool("DisableDefaultHeader", &mut disable_default),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    Ok(Conf {
        rules: module_conf::resolve(conf_root, &rules, "mod_header/mod_header.data"),
        default_headers: !disable_default,
    })
}
