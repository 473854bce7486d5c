//! `mod_unified_waf.conf`.

use super::vendor;
use crate::module_conf;
use bfe_basic::conf::ini::{self, Section};
use bfe_basic::conf::{ConfErrors, Faults, did_you_mean};
use std::path::{Path, PathBuf};

/// Name of no vendor: the files are checked, and no request is looked at.
const NONE: &str = "None";
/// Connections to an instance, where the file does not say.
const POOL_SIZE: usize = 8;
/// Most connections to an instance, whatever the file says.
const MAX_POOL_SIZE: usize = 10_000;

/// The checked configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conf {
    /// `None`, or the name of a vendor.
    pub(super) product: String,
    pub(super) pool_size: usize,
    pub(super) params: PathBuf,
    pub(super) products: PathBuf,
    pub(super) instances: PathBuf,
}

impl Conf {
    /// Whether requests are looked at.
    pub(super) fn has_vendor(&self) -> bool {
        self.product != NONE
    }
}

/// Reads the file. The paths in it are those of the working directory, not of the configuration.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut product, mut pool_size, mut debug) = (NONE.to_owned(), 0, false);
    let (mut params, mut products, mut instances) = (String::new(), String::new(), String::new());
    let ini = ini::read_file(
        &module_conf::file(conf_root, super::NAME),
        &mut [
            Section::new("Basic").string("WafProductName", &mut product).int("ConnPoolSize", &mut pool_size),
            Section::new("ConfigPath")
                .string("ModWafDataPath", &mut params)
                .string("ProductParamPath", &mut products)
                .string("WafInstancesPath", &mut instances),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    let mut faults = Faults::new();
    if product.is_empty() {
        NONE.clone_into(&mut product);
    }
    if product != NONE && !vendor::NAMES.contains(&product.as_str()) {
        let meant = did_you_mean(&product, vendor::NAMES.iter().copied().chain([NONE]));
        let hint = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        let reason = format!("Basic.WafProductName:{product} is illgal{hint}");
        faults.push(ini.error("Basic", "WafProductName", reason));
    }
    for (key, value) in
        [("ProductParamPath", &products), ("ModWafDataPath", &params), ("WafInstancesPath", &instances)]
    {
        if value.is_empty() {
            faults.push(ini.error("ConfigPath", key, format!("ConfigPath.{key} not set")));
        }
    }
    faults.into_result()?;
    let pool_size = usize::try_from(pool_size).ok().filter(|size| *size > 0).unwrap_or(POOL_SIZE);
    Ok(Conf {
        product,
        pool_size: pool_size.min(MAX_POOL_SIZE),
        params: params.into(),
        products: products.into(),
        instances: instances.into(),
    })
}

#[cfg(test)]
mod tests {

    #[test]
    fn uwaf_1_and_11_what_the_conf_may_say() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(super::super::NAME)).unwrap();
        let file = root.path().join(super::super::NAME).join("mod_unified_waf.conf");
        let load = |text: &str| {
            std::fs::write(&file, text).unwrap();
            super::load(root.path()).map_err(|e| e.to_string())
        };
        let paths = "[ConfigPath]\nModWafDataPath = a\nProductParamPath = ../b\nWafInstancesPath = /c\n";
        let conf = load(paths).unwrap();
        assert!(!conf.has_vendor());
        assert_eq!((conf.product.as_str(), conf.pool_size), ("None", 8));
        assert_eq!((conf.params, conf.products, conf.instances), ("a".into(), "../b".into(), "/c".into()));
        let conf = load(&format!("[Basic]\nWafProductName = BFEMockWaf\nConnPoolSize = 3\n{paths}")).unwrap();
        assert!(conf.has_vendor());
        assert_eq!(conf.pool_size, 3);
        assert_eq!(
            load(&format!("[Basic]\nWafProductName =\nConnPoolSize = -3\n{paths}")).unwrap().pool_size,
            8
        );
        for (text, want) in [
            ("[Basic]\nWafProductName = bfemockwaf\n", "is illgal; did you mean BFEMockWaf?"),
            ("", "ConfigPath.ProductParamPath not set"),
            (
                "[ConfigPath]\nProductParamPath = a\nModWafDataPath = b\n",
                "ConfigPath.WafInstancesPath not set",
            ),
            ("[Basic]\nConnPoolSize = x\n", "ConnPoolSize"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
