//! What can be replaced while the process runs: routes, clusters, balancers (config 14).

use crate::config::BfeConfig;
use crate::state::{count, proxy_state as s};
use crate::tables::{ServerData, ServerDataFiles};
use crate::tls;
use arc_swap::ArcSwap;
use bfe_balance::BalTable;
use bfe_balance::conf::name_conf::NameTable;
use bfe_basic::conf::{ConfError, ConfErrors};
use bfe_basic::{names, pace};
use bfe_tls::TlsServer;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Pause between two looks at whether replaced tables are still in use; doubled each time.
const RETIRE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// How many such looks a reload waits for.
const RETIRE_AT_ONCE: usize = 20;

/// The tables of a running process, and the files that they come from.
pub(crate) struct Live {
    pub(crate) data: ArcSwap<ServerData>,
    /// Tells workers that `data` has been replaced, so that they don't hold on to what was there.
    pub(crate) replaced: watch::Sender<()>,
    pub(crate) balance: BalTable,
    pub(crate) tls: Arc<TlsServer>,
    files: ServerDataFiles,
    gslb: PathBuf,
    cluster_table: PathBuf,
    name_conf: Option<PathBuf>,
    /// Reloads run one after the other.
    reload: Mutex<()>,
    /// Where work beside requests is done.
    control: Handle,
}

impl Live {
    /// Loads everything. Health checks run on `control`.
    pub(crate) fn load(config: &BfeConfig, conf_root: &Path, control: Handle) -> Result<Self, ConfErrors> {
        let (tls, warnings) = TlsServer::load(tls::settings(config, conf_root))?;
        warn(&warnings);
        // The first load counts like those that follow.
        count(s::TLS_MULTI_CERT_UPDATE);
        let conf = &config.server;
        let files = ServerDataFiles {
            host: conf.host_rule_conf.clone(),
            vip: conf.vip_rule_conf.clone(),
            route: conf.route_rule_conf.clone(),
            cluster: conf.cluster_conf.clone(),
        };
        let data = ServerData::load(&files, None)?;
        let balance = BalTable::load(&conf.gslb_conf, &conf.cluster_table_conf, control.clone())?;
        balance.set_gslb_basic(&data.cluster_table);
        balance.set_slow_start(&data.cluster_table);
        data.link(&balance);
        let table: NameTable =
            conf.name_conf.as_deref().map(NameTable::load).transpose()?.unwrap_or_default();
        names::publish(table.addresses());
        Ok(Self {
            data: ArcSwap::from_pointee(data),
            replaced: watch::Sender::default(),
            balance,
            tls: Arc::new(tls),
            files,
            gslb: conf.gslb_conf.clone(),
            cluster_table: conf.cluster_table_conf.clone(),
            name_conf: conf.name_conf.clone(),
            reload: Mutex::new(()),
            control,
        })
    }

    /// Versions of the data files in use.
    pub(crate) fn versions(&self) -> Vec<(&'static str, String)> {
        let data = self.data.load();
        let (routes, balance, tls) = (data.routes.versions(), self.balance.versions(), self.tls.versions());
        vec![
            ("host_rule", routes.host_tag.to_owned()),
            ("vip_rule", routes.vip.to_owned()),
            ("route_rule", routes.product_route.to_owned()),
            ("cluster_conf", data.cluster_table.version().to_owned()),
            ("gslb", balance.gslb_conf_time_stamp),
            ("cluster_table", balance.cluster_table_conf_ver),
            ("server_cert_conf", tls.certs),
            ("tls_rule_conf", tls.rules),
        ]
    }

    /// Versions and sizes: what tells one load from another at a glance.
    pub(crate) fn summary(&self) -> Vec<(&'static str, String)> {
        let mut summary = self.versions();
        let data = self.data.load();
        let sizes = data.routes.status();
        let balancers = self.balance.balancers();
        let backends: usize = balancers.values().map(|b| b.backends().len()).sum();
        summary.extend([
            ("hosts", sizes.host_table_size.to_string()),
            ("clusters", data.clusters().count().to_string()),
            ("balanced clusters", balancers.len().to_string()),
            ("backends", backends.to_string()),
        ]);
        summary
    }

    /// `/reload/server_data_conf`: all or nothing.
    pub(crate) fn reload_server_data(&self, dir: Option<&str>) -> Result<(), ConfErrors> {
        let _one = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        let files = dir.map_or_else(|| self.files.clone(), |dir| self.files.in_dir(Path::new(dir)));
        let before = self.data.load_full();
        let data = ServerData::load(&files, Some(&before))?;
        self.balance.set_gslb_basic(&data.cluster_table);
        self.balance.set_slow_start(&data.cluster_table);
        data.link(&self.balance);
        self.data.store(data.into());
        self.replaced.send_replace(());
        self.retire(before);
        Ok(())
    }

    /// Lets go of tables that have been replaced, once no worker uses them: to free large ones takes a while, and
    /// that is no work for a thread with requests. Mostly they are gone before the reload is answered, so that
    /// the next one finds room.
    fn retire(&self, mut old: Arc<ServerData>) {
        for _ in 0..RETIRE_AT_ONCE {
            match Arc::try_unwrap(old) {
                Ok(data) => return data.discard(),
                Err(shared) => old = shared,
            }
            thread::sleep(RETIRE.0);
        }
        // Requests that were read long ago still need them.
        self.control.spawn(retire_later(old));
    }

    /// `/reload/gslb_data_conf`.
    pub(crate) fn reload_gslb(&self, dir: Option<&str>) -> Result<(), ConfErrors> {
        let _one = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = |file: &Path| match dir {
            Some(dir) => Path::new(dir).join(file.file_name().unwrap_or_default()),
            None => file.to_path_buf(),
        };
        let reloaded = self.balance.reload(&moved(&self.gslb), &moved(&self.cluster_table));
        let data = self.data.load();
        // Some of it may be in force whatever it says.
        data.link(&self.balance);
        reloaded?;
        self.balance.set_gslb_basic(&data.cluster_table);
        self.balance.set_slow_start(&data.cluster_table);
        Ok(())
    }

    /// `/reload/tls_conf`: certificates and rules, all or nothing. `switches` turn protocols on and off for new
    /// connections, whatever comes of the files.
    pub(crate) fn reload_tls(&self, dir: Option<&str>, switches: Option<&str>) -> Result<(), ConfErrors> {
        self.tls.switch_protocols(switches.unwrap_or_default());
        let reloaded = self.tls.reload(dir.map(Path::new));
        count(if reloaded.is_ok() { s::TLS_MULTI_CERT_UPDATE } else { s::TLS_MULTI_CERT_UPDATE_ERR });
        warn(&reloaded?);
        Ok(())
    }

    /// `/reload/name_conf`; `file` replaces the configured one.
    pub(crate) fn reload_names(&self, file: Option<&str>) -> Result<(), ConfErrors> {
        let _one = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        let configured = self.name_conf.clone().unwrap_or_default();
        let table = NameTable::load(&file.map_or(configured, PathBuf::from))?;
        names::publish(table.addresses());
        Ok(())
    }
}

/// Looks again and again whether tables are still in use.
async fn retire_later(mut old: Arc<ServerData>) {
    let mut pause = RETIRE.0;
    loop {
        match Arc::try_unwrap(old) {
            Ok(data) => {
                tokio::task::spawn_blocking(|| pace::gently(|| data.discard()));
                return;
            }
            Err(shared) => old = shared,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETIRE.1);
    }
}

fn warn(warnings: &[ConfError]) {
    for warning in warnings {
        log::warn!("{warning}");
    }
}
