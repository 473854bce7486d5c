//! `mod_ai_token_auth.conf`.

use super::NAME;
use crate::module_conf;
use crate::redis_conf::RedisKeys;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use bfe_module::redis_service::Settings;
use std::path::{Path, PathBuf};

/// The checked configuration.
pub(super) struct Conf {
    pub(super) rules: PathBuf,
    pub(super) redis: Settings,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut rules, mut redis, mut debug) = (String::new(), RedisKeys::default(), false);
    let ini = ini::read_file(
        &module_conf::file(conf_root, NAME),
        &mut [
            Section::new("Basic").string("ProductRulePath", &mut rules),
            redis.section(),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    let redis = redis.check(&ini)?;
    Ok(Conf { rules: module_conf::resolve(conf_root, &rules, "mod_ai_token_auth/token_rule.data"), redis })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<PathBuf, String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(NAME)).unwrap();
        std::fs::write(root.path().join(NAME).join("mod_ai_token_auth.conf"), text).unwrap();
        let conf = load(root.path()).map_err(|e| e.first().reason.clone())?;
        Ok(conf.rules.strip_prefix(root.path()).unwrap().to_owned())
    }

    #[test]
    fn ait_1_conf() {
        let keys = ["Bns = x", "ConnectTimeout = 10", "ReadTimeout = 20", "WriteTimeout = 30"];
        let text = |keys: &[&str]| format!("[basic]\n[redis]\n{}\n", keys.join("\n"));
        assert_eq!(load_text(&text(&keys)), Ok("mod_ai_token_auth/token_rule.data".into()));
        let other = text(&keys).replace("[basic]", "[Basic]\nproductrulepath = a/b.data");
        assert_eq!(load_text(&other), Ok("a/b.data".into()));
        // An address is a name as any other.
        assert!(load_text(&text(&keys).replace("= x", "= 127.0.0.1:6379")).is_ok());
        for (missing, want) in [
            "Redis.Bns check err",
            "Redis.ConnectTimeout must > 0",
            "Redis.ReadTimeout/WriteTimeout must > 0",
            "Redis.ReadTimeout/WriteTimeout must > 0",
        ]
        .iter()
        .enumerate()
        {
            let mut keys = keys.to_vec();
            keys.remove(missing);
            assert!(load_text(&text(&keys)).unwrap_err().contains(want), "{want}");
        }
        assert!(load_text(&text(&keys).replace("= x", "= a,b")).unwrap_err().contains("Redis.Bns check err"));
    }
}
