//! `mod_ai_route.conf`.

use crate::module_conf;
use bfe_basic::conf::ini::{self, Section};
use bfe_basic::conf::{ConfErrors, conf_path};
use std::path::{Path, PathBuf};

/// Reads the file; gives the resolved path of the tables.
pub(super) fn load(conf_root: &Path) -> Result<PathBuf, ConfErrors> {
    let (mut path, mut debug) = (String::new(), false);
    let ini = ini::read_file(
        &module_conf::file(conf_root, super::NAME),
        &mut [
            Section::new("Basic").string("RouteRulePath", &mut path),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    if path.is_empty() {
        return Err(ini.error("Basic", "RouteRulePath", "RouteRulePath is empty").into());
    }
    Ok(conf_path(conf_root, &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn air_1_the_path_is_required() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir(root.join("mod_ai_route")).unwrap();
        let load = |text: &str| {
            std::fs::write(root.join("mod_ai_route/mod_ai_route.conf"), text).unwrap();
            load(root).map_err(|e| e.to_string())
        };
        let good = "[basic]\nRouteRulePath = mod_ai_route/r.data\n[log]\nOpenDebug = true";
        assert_eq!(load(good), Ok(root.join("mod_ai_route/r.data")));
        for text in ["", "[basic]\nRouteRulePath =\n", "[log]\nOpenDebug = false"] {
            let error = load(text).unwrap_err();
            assert!(error.ends_with("Basic.RouteRulePath: RouteRulePath is empty"), "{text}: {error}");
        }
    }
}
