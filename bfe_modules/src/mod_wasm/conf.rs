//! `mod_wasm.conf`.

use super::NAME;
use crate::module_conf;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use std::path::{Path, PathBuf};

/// The checked configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conf {
    /// The folder of the plugins' folders.
    pub(super) plugins: PathBuf,
    pub(super) rules: PathBuf,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut plugins, mut rules, mut debug) = (String::new(), String::new(), false);
    ini::read_file(
        &module_conf::file(conf_root, NAME),
        &mut [
            Section::new("Basic").string("WasmPluginPath", &mut plugins).string("DataPath", &mut rules),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    Ok(Conf {
        plugins: module_conf::resolve(conf_root, &plugins, NAME),
        rules: module_conf::resolve(conf_root, &rules, "mod_wasm/mod_wasm.data"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_defaults() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir(root.join(NAME)).unwrap();
        let load = |text: &str| {
            std::fs::write(root.join("mod_wasm/mod_wasm.conf"), text).unwrap();
            load(root).map_err(|e| e.to_string())
        };
        assert_eq!(
            load("[basic]\nwasmpluginpath = wasm_plugin/\nDataPath = /x.data\n[log]\nOpenDebug = true"),
            Ok(Conf { plugins: root.join("wasm_plugin"), rules: "/x.data".into() })
        );
        assert_eq!(
            load(""),
            Ok(Conf { plugins: root.join("mod_wasm"), rules: root.join("mod_wasm/mod_wasm.data") })
        );
        assert!(load("[Basic]\nPluginPath = x").unwrap_err().contains("PluginPath"));
    }
}
