//! `bfe.conf`: every section and key, its default and its checks (config 3).
//!
//! The file is read once, at start-up. What it names is looked at later by those who use it: data files by
//! their loaders, modules by the registry, addresses by the bind.

mod check;
mod raw;
mod table;

pub use table::{
    BfeConfig, CipherSuite, Curve, Http3Conf, HttpsBasicConf, Layer4LoadBalancer, Listen, ServerConf,
    SessionCacheConf, SessionTicketConf, TlsVersion,
};

use bfe_basic::conf::{ConfErrors, lexical_clean, read_bytes};
use raw::RawConfig;
use std::path::{Path, PathBuf};

impl BfeConfig {
    /// The main file of a configuration root: `<root>/bfe.conf`, cleaned.
    #[must_use]
    pub fn file(conf_root: &Path) -> PathBuf {
        lexical_clean(&conf_root.join("bfe.conf"))
    }

    /// Reads and checks `<conf_root>/bfe.conf`; also returns warnings for the log, such as defaults that were
    /// taken for empty values.
    ///
    /// # Errors
    /// All errors of the file: of its syntax and types, else of its values. The first one is the one that
    /// Go BFE would report.
    pub fn load(conf_root: &Path) -> Result<(Self, Vec<String>), ConfErrors> {
        let file = Self::file(conf_root);
        Self::from_slice(&file.display().to_string(), &read_bytes(&file)?, conf_root)
    }

    /// As [`load`](Self::load), of a file that is in memory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_slice(name: &str, bytes: &[u8], conf_root: &Path) -> Result<(Self, Vec<String>), ConfErrors> {
        let (raw, ini) = RawConfig::read(name, bytes)?;
        check::check(&raw, &ini, conf_root)
    }
}

#[cfg(test)]
mod tests;
