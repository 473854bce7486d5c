//! Data files that are more than rules by product: read by a function of their module, and replaced whole.

use arc_swap::ArcSwap;
use bfe_basic::conf::ConfErrors;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads a file; what is in force until then may have something to leave.
type Read<T> = fn(&Path, Option<&T>) -> Result<T, ConfErrors>;

/// A data file of a running module.
pub(crate) struct DataFile<T> {
    path: PathBuf,
    read: Read<T>,
    current: ArcSwap<T>,
}

impl<T> DataFile<T> {
    /// Reads the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn load(path: PathBuf, read: Read<T>) -> Result<Self, ConfErrors> {
        let current = ArcSwap::from_pointee(read(&path, None)?);
        Ok(Self { path, read, current })
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Reads the file again, or another one; what is in force stays where it is wrong. Gives the name of the
    /// file without its folder, and what is in force now.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub(crate) fn reload(&self, other: Option<&str>) -> Result<(String, Arc<T>), ConfErrors> {
        let path = other.map_or(self.path.as_path(), Path::new);
        let table = Arc::new((self.read)(path, Some(&self.current.load()))?);
        self.current.store(Arc::clone(&table));
        Ok((path.file_name().unwrap_or_default().display().to_string(), table))
    }
}
