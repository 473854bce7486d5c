//! `mod_ai_rate_limit.conf`.

use super::NAME;
use crate::module_conf;
use crate::redis_conf::RedisKeys;
use bfe_basic::conf::ini::{self, Section};
use bfe_basic::conf::{ConfErrors, conf_path};
use bfe_module::redis_service::Settings;
use std::path::{Path, PathBuf};

/// The checked configuration.
pub(super) struct Conf {
    pub(super) rules: PathBuf,
    pub(super) reject_on_redis_error: bool,
    pub(super) redis: Settings,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut rules, mut reject_on_redis_error) = (String::new(), false);
    let (mut redis, mut debug) = (RedisKeys::default(), false);
    let ini = ini::read_file(
        &module_conf::file(conf_root, NAME),
        &mut [
            Section::new("Basic")
                .string("ProductRulePath", &mut rules)
                .bool("IsRejectOnRedisError", &mut reject_on_redis_error),
            redis.section(),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    if rules.is_empty() {
        let reason = "ProductRulePath is nil: expected the path of the policies";
        return Err(ini.error("Basic", "ProductRulePath", reason).into());
    }
    Ok(Conf { rules: conf_path(conf_root, &rules), reject_on_redis_error, redis: redis.check(&ini)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ail_1_conf() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(NAME)).unwrap();
        let load = |text: &str| {
            std::fs::write(root.path().join(NAME).join("mod_ai_rate_limit.conf"), text).unwrap();
            load(root.path()).map_err(|e| e.first().reason.clone())
        };
        let redis = "[redis]\nBns = x\nConnectTimeout = 1\nReadTimeout = 1\nWriteTimeout = 1\n";
        let conf = load(&format!("[basic]\nProductRulePath = a.data\nisrejectonrediserror = true\n{redis}"))
            .unwrap();
        assert_eq!((conf.rules, conf.reject_on_redis_error), (root.path().join("a.data"), true));
        assert!(!load(&format!("[basic]\nProductRulePath = a.data\n{redis}")).unwrap().reject_on_redis_error);
        assert!(load(redis).err().unwrap().contains("ProductRulePath is nil"));
        assert!(load("[basic]\nProductRulePath = a.data").err().unwrap().contains("Redis.Bns check err"));
    }
}
