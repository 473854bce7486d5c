//! `mod_session_sticky.conf`.

use crate::module_conf;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use bfe_module::redis_service::{self, parse_services};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The least number of sessions that are remembered, and the default.
const MIN_CACHE_SIZE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// The checked configuration.
pub(super) struct Conf {
    pub(super) rules: PathBuf,
    pub(super) cache: CacheConf,
}

/// Where sessions are remembered.
pub(super) enum CacheConf {
    /// Here, so many at most.
    Local(NonZeroUsize),
    /// In Redis, for so many seconds.
    Redis(redis_service::Settings, i64),
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
    let cache = match cache_type.as_str() {
        "" | "local" => {
            let size = usize::try_from(cache_size).ok().and_then(NonZeroUsize::new);
            CacheConf::Local(size.unwrap_or(MIN_CACHE_SIZE).max(MIN_CACHE_SIZE))
        }
        "redis" => {
            let services =
                parse_services(&bns).map_err(|reason| ini.error("Redis", "Bns", format!("Bns {reason}")))?;
            let positive = |key: &'static str, value: i64| match u64::try_from(value) {
                Ok(value) if value > 0 => Ok(Duration::from_millis(value)),
                _ => Err(ini.error("Redis", key, format!("Redis.{key} must be > 0, got {value}"))),
            };
            let connect = positive("ConnectTimeout", connect)?;
            let answer = positive("ReadTimeout", read)?.saturating_add(positive("WriteTimeout", write)?);
            positive("ExpireSeconds", expire)?;
            let max_connections = usize::try_from(max_active).unwrap_or(0);
            let settings = redis_service::Settings {
                services,
                password,
                connect,
                answer,
                dialled: |_| {},
                max_connections,
            };
            CacheConf::Redis(settings, expire)
        }
        other => {
            let reason = format!("CacheType must be 'local' or 'redis', got '{other}'");
            return Err(ini.error("Basic", "CacheType", reason).into());
        }
    };
    let rules = module_conf::resolve(conf_root, &rules, "mod_session_sticky/session_sticky.data");
    Ok(Conf { rules, cache })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<CacheConf, String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("mod_session_sticky")).unwrap();
        std::fs::write(root.path().join("mod_session_sticky/mod_session_sticky.conf"), text).unwrap();
        load(root.path()).map(|conf| conf.cache).map_err(|e| e.first().reason.clone())
    }

    #[test]
    fn sticky_5_cache_size() {
        for (text, want) in [
            ("[Basic]\nCacheSize = 100", 10_000),
            ("[Basic]\nCacheSize = -1\nCacheType = local", 10_000),
            ("[Basic]\nCacheSize = 20000\n[Redis]\nMaxIdle = 1\nExpireSeconds = -5", 20_000),
        ] {
            assert!(matches!(load_text(text), Ok(CacheConf::Local(size)) if size.get() == want), "{text}");
        }
        let error = load_text("[Basic]\nCacheType = Redis").err().unwrap();
        assert!(error.contains("must be 'local' or 'redis'"));
    }

    #[test]
    fn redis_keys() {
        let keys =
            ["Bns = x", "ConnectTimeout = 10", "ReadTimeout = 20", "WriteTimeout = 30", "ExpireSeconds = 5"];
        let text = |keys: &[&str]| format!("[Basic]\nCacheType = redis\n[Redis]\n{}", keys.join("\n"));
        let Ok(CacheConf::Redis(settings, 5)) = load_text(&text(&keys)) else { panic!("does not load") };
        assert_eq!(settings.services, [("x".to_owned(), 1)]);
        assert_eq!((settings.connect.as_millis(), settings.answer.as_millis()), (10, 50));
        for (missing, key) in
            ["Bns", "ConnectTimeout", "ReadTimeout", "WriteTimeout", "ExpireSeconds"].iter().enumerate()
        {
            let some: Vec<_> =
                keys.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, k)| *k).collect();
            assert!(load_text(&text(&some)).err().unwrap().contains(key), "{key}");
        }
        assert!(load_text(&text(&[keys[0], "ConnectTimeout = -1"])).err().unwrap().contains("got -1"));
    }
}
