//! Names of the configuration, as a request carries them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The name of a product, cluster, sub-cluster or backend: shared with the tables, or empty. An empty one
/// touches no memory that workers share.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Name(Option<Arc<str>>);

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Self {
        Self(Some(name))
    }
}

impl From<&Arc<str>> for Name {
    fn from(name: &Arc<str>) -> Self {
        Self(Some(Arc::clone(name)))
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self((!name.is_empty()).then(|| name.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
