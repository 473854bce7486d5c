//! `NAME/NAME.conf` as most modules have it: the path of one data file, and `Log.OpenDebug`.
//!
//! `OpenDebug` is read, so that a file with it loads; there are no messages that it would switch on.

use crate::rule_file::{RawRule, ReloadAnswer, RuleFile};
use bfe_basic::conf::ini::{self, Section};
use bfe_basic::conf::{ConfErrors, conf_path};
use bfe_module::{InitError, WebHandlers};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads the file of a module that has one data file, under `Basic.key`; gives its resolved path.
///
/// # Errors
/// When the file cannot be read, or has anything else in it.
pub fn data_path(
    conf_root: &Path,
    module: &str,
    key: &'static str,
    default: &str,
) -> Result<PathBuf, ConfErrors> {
    let (mut path, mut debug) = (String::new(), false);
    ini::read_file(
        &file(conf_root, module),
        &mut [
            Section::new("Basic").string(key, &mut path),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    Ok(resolve(conf_root, &path, default))
}

/// The rules of a module that is configured by them alone, with `/reload/module`. `data` is the key of their
/// file, as for [`data_path`], and where the file is by default.
///
/// # Errors
/// All that is wrong with either file, or where the name of the reload is taken.
pub fn rules<Raw: RawRule>(
    conf_root: &Path,
    web: &mut WebHandlers,
    module: &str,
    data: (&'static str, &str),
    answer: ReloadAnswer,
) -> Result<Arc<RuleFile<Raw>>, InitError> {
    let path = data_path(conf_root, module, data.0, data.1)?;
    let rules = Arc::new(RuleFile::load(path)?);
    rules.register_reload(web, module, answer)?;
    Ok(rules)
}

/// Where the configuration file of a module is.
#[must_use]
pub fn file(conf_root: &Path, module: &str) -> PathBuf {
    conf_root.join(module).join(format!("{module}.conf"))
}

/// The path that a key gives, or that it has where it gives none.
#[must_use]
pub fn resolve(conf_root: &Path, value: &str, default: &str) -> PathBuf {
    conf_path(conf_root, if value.is_empty() { default } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_1_and_2_keys() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir(root.join("mod_x")).unwrap();
        let load = |text: &str| {
            std::fs::write(root.join("mod_x/mod_x.conf"), text).unwrap();
            data_path(root, "mod_x", "DataPath", "mod_x/x.data").map_err(|e| e.to_string())
        };
        assert_eq!(load("[basic]\ndatapath = a/../b.data\n[log]\nopendebug"), Ok(root.join("b.data")));
        assert_eq!(load(""), Ok(root.join("mod_x/x.data")));
        assert_eq!(load("[Basic]\nDataPath = /x.data"), Ok("/x.data".into()));
        assert!(load("[Basic]\nDataPaht = x").unwrap_err().contains("did you mean \"DataPath\"?"));
    }
}
