//! The checked file, and looking names up in it.

use super::{check, raw::RawNameConf};
use bfe_basic::conf::{ConfErrors, json};
use std::collections::HashMap;
use std::path::Path;

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Host name or address; not checked.
    pub host: String,
    /// Port; 0 where the file has none.
    pub port: u16,
    /// Weight; nothing looks at it.
    pub weight: i64,
}

impl Instance {
    /// `host:port`
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// A name that is not in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown name: {0}")]
pub struct UnknownName(pub String);

/// `name_conf.data`, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameTable {
    pub(super) version: String,
    pub(super) services: HashMap<String, Vec<Instance>>,
}

impl NameTable {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfErrors> {
        let (raw, source, warnings) = json::read_file::<RawNameConf>(path)?.into_parts();
        crate::conf::warn(&warnings);
        check::check(raw, &source)
    }

    /// The file's version label; empty where it has none.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All services, each with the addresses of its instances.
    pub fn addresses(&self) -> impl Iterator<Item = (String, Vec<String>)> {
        self.services.iter().map(|(name, of)| (name.clone(), of.iter().map(Instance::address).collect()))
    }

    /// The instances of a service; there may be none.
    ///
    /// # Errors
    /// When the file has no such name. Names match exactly.
    pub fn get(&self, name: &str) -> Result<&[Instance], UnknownName> {
        self.services.get(name).map(Vec::as_slice).ok_or_else(|| UnknownName(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<NameTable, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        NameTable::load(file.path()).map_err(|e| e.first().reason.clone())
    }

    #[test]
    fn cfg_103_checks() {
        for (instance, fault) in [
            ("null", "invalid host"),
            (r#"{"Port":1}"#, "invalid host"),
            (r#"{"Host":"h","Port":65536}"#, "invalid port"),
            (r#"{"Host":"h","Port":-1}"#, "invalid port"),
            (r#"{"Host":"h","Weight":-1}"#, "invalid weight"),
        ] {
            let reason = load(&format!(r#"{{"Config":{{"n":[{instance}]}}}}"#)).unwrap_err();
            assert!(reason.starts_with(fault), "{instance}: {reason}");
        }
    }

    #[test]
    fn cfg_104_lookup() {
        let table = load(r#"{"Config":{"n":[{"host":"h","Port":80}],"e":[]}}"#).unwrap();
        assert_eq!(table.get("n").unwrap()[0].address(), "h:80");
        assert_eq!(table.get("e"), Ok(&[][..]));
        assert_eq!(table.get("N").unwrap_err().to_string(), "unknown name: N");
        assert!(load("{}").unwrap().get("n").is_err());
    }
}
