//! `mod_static.conf`.

use crate::module_conf;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use std::path::{Path, PathBuf};

/// The checked configuration.
pub(super) struct Conf {
    pub(super) rules: PathBuf,
    pub(super) mime_types: PathBuf,
    pub(super) enable_compress: bool,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut rules, mut mime_types) = (String::new(), String::new());
    let (mut enable_compress, mut debug) = (false, false);
    ini::read_file(
        &module_conf::file(conf_root, "mod_static"),
        &mut [
            Section::new("Basic")
                .string("DataPath", &mut rules)
                .string("MimeTypePath", &mut mime_types)
                .bool("EnableCompress", &mut enable_compress),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    Ok(Conf {
        rules: module_conf::resolve(conf_root, &rules, "mod_static/static_rule.data"),
        mime_types: module_conf::resolve(conf_root, &mime_types, "mod_static/mime_type.data"),
        enable_compress,
    })
}
