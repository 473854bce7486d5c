//! `mod_session_sticky.conf`.

use crate::module_conf;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// The least number of sessions that are remembered, and the default.
const MIN_CACHE_SIZE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// The checked configuration.
pub(super) struct Conf {
    pub(super) rules: PathBuf,
    /// Most sessions that are remembered.
    pub(super) cache_size: NonZeroUsize,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut rules, mut cache_size, mut cache_type) = (String::new(), 0, String::new());
    let (mut bns, mut password, mut debug) = (String::new(), String::new(), false);
    let [mut connect, mut read, mut write, mut max_idle, mut max_active, mut expire] = [0i64; 6];
    let ini = ini::read_file(
        &module_conf::file(conf_root, "mod_session_sticky"),
        &mut [
            Section::new("Basic")
                .string("DataPath", &mut rules)
                .int("CacheSize", &mut cache_size)
                .string("CacheType", &mut cache_type),
            Section::new("Redis")
                .string("Bns", &mut bns)
                .int("ConnectTimeout", &mut connect)
                .int("ReadTimeout", &mut read)
                .int("WriteTimeout", &mut write)
                .int("MaxIdle", &mut max_idle)
                .int("MaxActive", &mut max_active)
                .string("Password", &mut password)
                .int("ExpireSeconds", &mut expire),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    match cache_type.as_str() {
        "" | "local" => {}
        "redis" => {
            let reason = "redis is not supported by this build yet, use local";
            return Err(ini.error("Basic", "CacheType", reason).into());
        }
        other => {
            let reason = format!("CacheType must be 'local' or 'redis', got '{other}'");
            return Err(ini.error("Basic", "CacheType", reason).into());
        }
    }
    let cache_size = usize::try_from(cache_size).ok().and_then(NonZeroUsize::new).unwrap_or(MIN_CACHE_SIZE);
    Ok(Conf {
        rules: module_conf::resolve(conf_root, &rules, "mod_session_sticky/session_sticky.data"),
        cache_size: cache_size.max(MIN_CACHE_SIZE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sticky_5_cache_size() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("mod_session_sticky")).unwrap();
        let load = |text: &str| {
            std::fs::write(root.path().join("mod_session_sticky/mod_session_sticky.conf"), text).unwrap();
            load(root.path()).map(|conf| conf.cache_size.get()).map_err(|e| e.first().reason.clone())
        };
        assert_eq!(load("[Basic]\nCacheSize = 100"), Ok(10_000));
        assert_eq!(load("[Basic]\nCacheSize = -1\nCacheType = local"), Ok(10_000));
        assert_eq!(load("[Basic]\nCacheSize = 20000\n[Redis]\nMaxIdle = 1"), Ok(20_000));
        assert!(load("[Basic]\nCacheType = Redis").unwrap_err().contains("must be 'local' or 'redis'"));
    }
}
