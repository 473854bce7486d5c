//! Health checks of backends that are down (balance 9).
//!
//! A backend that is up is never checked. One that goes down gets a task on the control runtime, which checks
//! it until it is up again or has left the table. Nothing here runs on a worker.

mod http;
mod probe;
mod target;
mod tls;

#[cfg(test)]
mod tests;

use crate::backend::Backend;
use crate::conf::cluster_conf::{ClusterConf, ClusterTable};
use arc_swap::ArcSwapOption;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

pub(crate) use probe::CheckError;

/// Checks under way at a time, in the whole process. More wait for their turn, so that the failure of
/// thousands of backends does not use up file descriptors.
const MAX_CHECKS: usize = 512;
/// The shortest pause between two checks of a backend, whatever the configuration says.
const MIN_PAUSE: Duration = Duration::from_millis(10);
/// How long to wait before looking again for the configuration of a cluster that has none.
const NO_CONF_PAUSE: Duration = Duration::from_secs(1);

/// What all health checks of the process share.
#[derive(Debug)]
pub(crate) struct CheckShared {
    /// The `cluster_conf` in force, once there is one.
    conf: ArcSwapOption<ClusterTable>,
    control: Handle,
    turns: Semaphore,
}

impl CheckShared {
    pub(crate) fn new(control: Handle) -> Self {
        Self { conf: ArcSwapOption::empty(), control, turns: Semaphore::new(MAX_CHECKS) }
    }

    /// Puts another `cluster_conf` in force: checks under way see it at their next turn.
    pub(crate) fn set_conf(&self, conf: Arc<ClusterTable>) {
        self.conf.store(Some(conf));
    }
}

/// What the backends of a cluster need to be checked.
#[derive(Debug)]
pub(crate) struct CheckEnv {
    cluster: Arc<str>,
    shared: Arc<CheckShared>,
}

impl CheckEnv {
    pub(crate) fn new(cluster: &str, shared: Arc<CheckShared>) -> Self {
        Self { cluster: cluster.into(), shared }
    }

    pub(crate) fn cluster(&self) -> &Arc<str> {
        &self.cluster
    }

    /// The configuration of the cluster that is in force now.
    pub(crate) fn conf(&self) -> Option<Arc<ClusterConf>> {
        self.shared.conf.load().as_ref()?.get(&self.cluster).cloned()
    }

    /// Starts a task on the control runtime.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.shared.control.spawn(task).abort_handle()
    }
}

/// Checks a backend until it is up. Ends with it, or by being aborted.
pub(crate) async fn watch(backend: Arc<Backend>, env: Arc<CheckEnv>) {
    loop {
        let Some(conf) = env.conf() else {
            tokio::time::sleep(NO_CONF_PAUSE).await;
            continue;
        };
        // The semaphore is never closed; were it, checks would go on without turns.
        let turn = env.shared.turns.acquire().await;
        let result = probe::check(&backend, &conf).await;
        drop(turn);
        match result {
            Ok(()) => {
                if backend.check_succeeded(conf.check.succ_num) {
                    log::info!("backend {} back to Normal", backend.name);
                    return;
                }
                log::debug!("backend {} answers, waiting for more checks", backend.name);
            }
            Err(error) => {
                backend.check_failed();
                log::debug!("backend {} still not avail (check failure: {error})", backend.name);
            }
        }
        tokio::time::sleep(pause(conf.check.interval)).await;
    }
}

/// The interval, give or take a twentieth: backends that failed together are not checked together for ever.
fn pause(interval: Duration) -> Duration {
    interval.mul_f64(fastrand::f64().mul_add(0.1, 0.95)).max(MIN_PAUSE)
}
