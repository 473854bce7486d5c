//! Names of services, for modules that reach out to one (config 9; modules-security 12.4).
//!
//! There is one table for the process: it is published whenever `name_conf.data` is loaded, and names are looked
//! up when they are needed, so that a reload holds for all who use them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

type Table = HashMap<String, Arc<[String]>>;

static TABLE: LazyLock<RwLock<Table>> = LazyLock::new(RwLock::default);

/// Replaces all names: each with the addresses of its instances, as `host:port`.
pub fn publish(services: impl IntoIterator<Item = (String, Vec<String>)>) {
    let table = services.into_iter().map(|(name, addresses)| (name, addresses.into())).collect();
    *TABLE.write().unwrap_or_else(PoisonError::into_inner) = table;
}

/// The addresses of a service; none where there is no such name.
#[must_use]
pub fn resolve(name: &str) -> Arc<[String]> {
    TABLE.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_the_one_before() {
        assert!(resolve("a").is_empty());
        publish([("a".to_owned(), vec!["h:1".to_owned(), "h:2".to_owned()])]);
        assert_eq!(resolve("a").as_ref(), ["h:1", "h:2"]);
        publish([("b".to_owned(), Vec::new())]);
        assert!(resolve("a").is_empty() && resolve("b").is_empty());
    }
}
