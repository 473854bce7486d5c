//! A plugin: its code, its configuration, and its instances.

use super::engine::Runtime;
use super::files::{self, Files};
use super::host::Host;
use super::instance::Instance;
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use wasmtime::InstancePre;

/// What tells one load of a plugin from another: as long as both are the same, its files are not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) wasm: String,
    pub(super) conf: String,
}

/// A plugin.
pub(super) struct Plugin {
    name: Arc<str>,
    pub(super) versions: Versions,
    /// The context of the plugin itself; one for all instances.
    pub(super) root: i32,
    conf: Bytes,
    module: InstancePre<Host>,
    instances: ArcSwap<Vec<Arc<Instance>>>,
    next: AtomicUsize,
}

/// How many instances a plugin gets: as many as there are CPUs where the file names no number.
pub(super) fn instance_count(wanted: i64) -> usize {
    usize::try_from(wanted)
        .ok()
        .filter(|count| *count > 0)
        .unwrap_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get))
}

impl Plugin {
    /// Loads a plugin from its folder.
    ///
    /// # Errors
    /// What is wrong with its files, or why no instance can be made.
    pub(super) fn load(
        runtime: &Runtime,
        folder: &Path,
        name: &str,
        versions: Versions,
        count: usize,
    ) -> Result<Self, String> {
        let Files { wasm, conf } = files::load(folder, name)?;
        let module = runtime.compile(&wasm)?;
        let root = runtime.next_id(0);
        let instances = ArcSwap::default();
        let plugin =
            Self { name: name.into(), versions, root, conf, module, instances, next: AtomicUsize::new(0) };
        plugin.instances.store(Arc::new(plugin.resized(runtime, count)?));
        Ok(plugin)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the instances would be were there `count` of them: those that there are, and new ones.
    ///
    /// # Errors
    /// When no instance can be made; with fewer than wanted it goes on.
    pub(super) fn resized(&self, runtime: &Runtime, count: usize) -> Result<Vec<Arc<Instance>>, String> {
        let mut instances = self.instances.load().to_vec();
        instances.truncate(count);
        while instances.len() < count {
            match Instance::start(runtime, &self.module, &self.name, &self.conf, self.root) {
                Ok(instance) => instances.push(Arc::new(instance)),
                Err(error) if instances.is_empty() => {
                    return Err(format!("fail to create wasm instance: {error}"));
                }
                Err(error) => {
                    let (name, made) = (&self.name, instances.len());
                    log::error!("mod_wasm: plugin {name}: {made} of {count} instances, no more: {error}");
                    break;
                }
            }
        }
        Ok(instances)
    }

    /// Uses these instances from now on. Others stay for as long as requests have them.
    pub(super) fn set_instances(&self, instances: Vec<Arc<Instance>>) {
        self.instances.store(Arc::new(instances));
    }

    /// How many instances there are.
    #[cfg(test)]
    pub(super) fn instance_count(&self) -> usize {
        self.instances.load().len()
    }

    /// The instance for the next request: one after the other. There is always one.
    pub(super) fn instance(&self) -> Option<Arc<Instance>> {
        let instances = self.instances.load();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        instances.get(turn.checked_rem(instances.len())?).cloned()
    }
}
