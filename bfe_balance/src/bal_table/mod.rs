//! The balancers of all clusters, their loading and reloading (balance 2.2, 12).

mod status;
#[cfg(test)]
mod tests;

pub use status::ClusterStatus;

use crate::conf::cluster_conf::ClusterTable;
use crate::conf::cluster_table_conf::ClusterTableConf;
use crate::conf::gslb_conf::GslbConf;
use crate::gslb::Balancer;
use crate::health::{CheckEnv, CheckShared};
use arc_swap::ArcSwap;
use bfe_basic::conf::{ConfError, ConfErrors};
use bfe_basic::pace;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Labels of the files in force, for `bal_table_version`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalVersion {
    /// `Version` of `cluster_table.data`.
    pub cluster_table_conf_ver: String,
    /// `Ts` of `gslb.data`.
    pub gslb_conf_time_stamp: String,
    /// `Hostname` of `gslb.data`.
    pub gslb_conf_src: String,
}

/// What requests look clusters up in.
#[derive(Debug, Default)]
struct Table {
    balancers: FxHashMap<Arc<str>, Arc<Balancer>>,
    versions: BalVersion,
}

/// The balancers of all clusters.
#[derive(Debug)]
pub struct BalTable {
    table: ArcSwap<Table>,
    checks: Arc<CheckShared>,
    /// Held by whoever changes the table; requests never take it.
    writer: Mutex<()>,
}

impl BalTable {
    /// Loads `gslb.data` and `cluster_table.data` at process start. Health checks will run on `control`.
    ///
    /// # Errors
    /// All that is wrong with the files; also when `cluster_table` lacks a cluster of `gslb`.
    pub fn load(gslb: &Path, cluster_table: &Path, control: Handle) -> Result<Self, ConfErrors> {
        let files = Files::load(gslb, cluster_table)?;
        let missing = files.missing();
        if let Some(missing) = missing {
            return Err(files.error(format!("error in ClusterTable.backendInit() for [{missing}]")));
        }
        let checks = Arc::new(CheckShared::new(control));
        let mut balancers =
            FxHashMap::with_capacity_and_hasher(files.gslb.clusters.len(), rustc_hash::FxBuildHasher);
        for (name, weights) in &files.gslb.clusters {
            let balancer = Balancer::new(Arc::new(CheckEnv::new(name, Arc::clone(&checks))));
            balancer.init(weights);
            if let Some(backends) = files.backends.clusters.get(name) {
                balancer.init_backends(backends);
            }
            balancers.insert(Arc::clone(balancer.name()), Arc::new(balancer));
        }
        let table = Table { balancers, versions: files.versions() };
        Ok(Self { table: ArcSwap::from_pointee(table), checks, writer: Mutex::new(()) })
    }

    /// Takes over other files. Clusters, sub-clusters and backends that stay keep their state; call
    /// [`BalTable::set_gslb_basic`] and [`BalTable::set_slow_start`] afterwards, where this succeeds.
    ///
    /// # Errors
    /// When a file is bad: nothing has changed then. When `cluster_table` lacks a cluster of `gslb`: all the
    /// rest, and the versions, are in force then.
    pub fn reload(&self, gslb: &Path, cluster_table: &Path) -> Result<(), ConfErrors> {
        let files = Files::load(gslb, cluster_table)?;
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.table.load_full();
        let mut balancers =
            FxHashMap::with_capacity_and_hasher(files.gslb.clusters.len(), rustc_hash::FxBuildHasher);
        for (name, weights) in &files.gslb.clusters {
            let balancer = old.balancers.get(&**name).cloned().unwrap_or_else(|| {
                Arc::new(Balancer::new(Arc::new(CheckEnv::new(name, Arc::clone(&self.checks)))))
            });
            balancer.reload(weights);
            if let Some(backends) = files.backends.clusters.get(name) {
                balancer.reload_backends(backends);
            }
            balancers.insert(Arc::clone(balancer.name()), balancer);
            pace::step();
        }
        for (name, balancer) in &old.balancers {
            pace::step();
            if !balancers.contains_key(name) {
                balancer.release();
            }
        }
        self.table.store(Arc::new(Table { balancers, versions: files.versions() }));
        if let Some(old) = Arc::into_inner(old) {
            pace::discard(old.balancers);
        }
        let missing = files.missing();
        let done = missing
            .map_or(Ok(()), |missing| Err(files.error(format!("error in BalTableReload() for [{missing}]"))));
        files.discard();
        done
    }

    /// The balancer of a cluster.
    #[must_use]
    pub fn lookup(&self, cluster: &str) -> Option<Arc<Balancer>> {
        self.table.load().balancers.get(cluster).cloned()
    }

    /// Takes over what `cluster_conf` says of retries, hashing and balance mode, and of health checks: at
    /// once, also for requests under way. A cluster that is not in it keeps what it had.
    ///
    /// To be called after each load of `cluster_conf`, and after each [`BalTable::reload`].
    pub fn set_gslb_basic(&self, conf: &Arc<ClusterTable>) {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.checks.set_conf(Arc::clone(conf));
        for (name, balancer) in &self.table.load().balancers {
            if let Some(conf) = conf.get(name) {
                balancer.set_gslb_basic(conf);
            }
            pace::step();
        }
    }

    /// Takes over the slow start times of `cluster_conf`. To be called after [`BalTable::set_gslb_basic`].
    pub fn set_slow_start(&self, conf: &ClusterTable) {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, balancer) in &self.table.load().balancers {
            if let Some(conf) = conf.get(name) {
                balancer.set_slow_start(conf);
            }
            pace::step();
        }
    }

    /// Labels of the files in force.
    #[must_use]
    pub fn versions(&self) -> BalVersion {
        self.table.load().versions.clone()
    }

    /// All balancers, by name.
    #[must_use]
    pub fn balancers(&self) -> BTreeMap<Arc<str>, Arc<Balancer>> {
        self.table.load().balancers.iter().map(|(name, bal)| (Arc::clone(name), Arc::clone(bal))).collect()
    }
}

impl Drop for BalTable {
    /// Requests may still hold balancers; checks end here all the same.
    fn drop(&mut self) {
        for balancer in self.table.load().balancers.values() {
            balancer.release();
        }
    }
}

/// The two files of one load.
struct Files {
    gslb: GslbConf,
    backends: ClusterTableConf,
    /// The second file as it was named.
    name: String,
}

impl Files {
    fn load(gslb: &Path, cluster_table: &Path) -> Result<Self, ConfErrors> {
        Ok(Self {
            gslb: GslbConf::load(gslb)?,
            backends: ClusterTableConf::load(cluster_table)?,
            name: cluster_table.display().to_string(),
        })
    }

    /// Lets go of them, a little at a time.
    fn discard(self) {
        pace::discard(self.gslb.clusters);
        pace::discard(self.backends.clusters);
    }

    /// Names of the clusters that only `gslb` has, if there are such.
    fn missing(&self) -> Option<String> {
        let known = &self.backends.clusters;
        let missing: Vec<_> =
            self.gslb.clusters.keys().filter(|name| !known.contains_key(*name)).map(String::as_str).collect();
        (!missing.is_empty()).then(|| missing.join(","))
    }

    fn versions(&self) -> BalVersion {
        BalVersion {
            cluster_table_conf_ver: self.backends.version.clone(),
            gslb_conf_time_stamp: self.gslb.ts.clone(),
            gslb_conf_src: self.gslb.hostname.clone(),
        }
    }

    fn error(&self, reason: String) -> ConfErrors {
        ConfError { file: self.name.clone(), place: None, key: "Config".to_owned(), reason }.into()
    }
}
