//! A backend: who it is, and how it fares.

use crate::conf::cluster_table_conf::BackendDef;
use crate::health::{self, CheckEnv};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

/// A backend of one sub-cluster. The same address in another sub-cluster or cluster is another backend, with
/// a health of its own (balance 1).
#[derive(Debug)]
pub struct Backend {
    /// Its name in `cluster_table.data`, of the load that first brought it.
    pub name: Arc<str>,
    /// Address as in the file: an IP address, a host name, or an IPv6 address in brackets.
    pub addr: Arc<str>,
    /// Port as in the file; not checked there.
    pub port: i64,
    /// Address and port as they go into the dial: `addr:port`.
    pub addr_info: Arc<str>,
    /// Name of the sub-cluster.
    pub sub_cluster: Arc<str>,
    avail: AtomicBool,
    restarted: AtomicBool,
    conn_num: AtomicI64,
    requests: AtomicU64,
    errors: AtomicU64,
    fail_num: AtomicI64,
    succ_num: AtomicI64,
    /// Counts changes of `avail` and `restarted` among the backends of the list, so that a pick can tell at
    /// a glance that nothing changed.
    changes: Arc<AtomicU64>,
    env: Arc<CheckEnv>,
    checker: Mutex<Checker>,
}

/// The task that checks the backend while it is down.
#[derive(Debug, Default)]
struct Checker {
    /// The backend has left the table: no task may start any more.
    closed: bool,
    task: Option<AbortHandle>,
}

// === impl Backend ===

impl Backend {
    /// A backend that is up. `restarted` where it came by a reload, so that slow start applies.
    pub(crate) fn new(
        def: &BackendDef,
        sub_cluster: Arc<str>,
        restarted: bool,
        changes: Arc<AtomicU64>,
        env: Arc<CheckEnv>,
    ) -> Self {
        Self {
            name: Arc::clone(&def.name),
            addr: Arc::clone(&def.addr),
            port: def.port,
            addr_info: Arc::clone(&def.addr_info),
            sub_cluster,
            avail: AtomicBool::new(true),
            restarted: AtomicBool::new(restarted),
            conn_num: AtomicI64::new(0),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            fail_num: AtomicI64::new(0),
            succ_num: AtomicI64::new(0),
            changes,
            env,
            checker: Mutex::default(),
        }
    }

    /// A backend that no file knows, for one request: it is up, and never checked.
    pub(crate) fn temporary(addr_info: &str, sub_cluster: &str, env: Arc<CheckEnv>) -> Self {
        let (addr, port) = addr_info.rsplit_once(':').unwrap_or((addr_info, ""));
        let def = BackendDef {
            name: addr_info.into(),
            addr: addr.into(),
            port: port.parse().unwrap_or(0),
            addr_info: addr_info.into(),
            weight: 1,
        };
        let backend = Self::new(&def, sub_cluster.into(), false, Arc::default(), env);
        backend.close();
        backend
    }

    /// Name of the cluster.
    #[must_use]
    pub fn cluster(&self) -> &Arc<str> {
        self.env.cluster()
    }

    /// Whether the backend is up.
    #[must_use]
    pub fn avail(&self) -> bool {
        self.avail.load(Ordering::Acquire)
    }

    /// Requests in flight, and WebSocket and stream connections.
    #[must_use]
    pub fn conn_num(&self) -> i64 {
        self.conn_num.load(Ordering::Relaxed)
    }

    /// Failed requests in a row.
    #[must_use]
    pub fn fail_num(&self) -> i64 {
        self.fail_num.load(Ordering::Relaxed)
    }

    /// Good health checks in a row, while the backend is down.
    #[must_use]
    pub fn succ_num(&self) -> i64 {
        self.succ_num.load(Ordering::Relaxed)
    }

    /// Attempts so far, and WebSocket and stream connections.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Attempts that failed so far, whoever was to blame.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// An attempt failed; whether that is a matter of health is told by [`Backend::on_fail`].
    pub fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt begins.
    pub fn inc_conn(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.conn_num.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt is over: when the next one has chosen its backend, or when the request is finished.
    pub fn dec_conn(&self) {
        self.conn_num.fetch_sub(1, Ordering::Relaxed);
    }

    /// An attempt succeeded: failures before it do not count any more.
    pub fn on_success(&self) {
        // Almost always 0 already; a plain read keeps the cache line shared among workers.
        if self.fail_num.load(Ordering::Relaxed) != 0 {
            self.fail_num.store(0, Ordering::Relaxed);
        }
    }

    /// An attempt failed. After `FailNum` failures in a row, by the `cluster_conf` in force now, the backend
    /// is down, and a task on the control runtime checks it until it is up again (balance 9).
    ///
    /// Not to be called for clusters with `DisableHealthCheck`.
    pub fn on_fail(self: &Arc<Self>) {
        let failed = self.fail_num.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let Some(conf) = self.env.conf() else { return };
        if failed >= conf.check.fail_num && self.avail.swap(false, Ordering::AcqRel) {
            self.changed();
            self.start_checker();
        }
    }

    /// Takes the restarted flag: whether the backend has come up since this was last asked.
    pub(crate) fn take_restarted(&self) -> bool {
        self.restarted.load(Ordering::Acquire) && self.restarted.swap(false, Ordering::AcqRel)
    }

    /// A health check failed.
    pub(crate) fn check_failed(&self) {
        self.succ_num.store(0, Ordering::Relaxed);
    }

    /// A health check succeeded; says whether the backend is up by it.
    pub(crate) fn check_succeeded(&self, succ_num: i64) -> bool {
        if self.succ_num.fetch_add(1, Ordering::Relaxed).saturating_add(1) < succ_num {
            return false;
        }
        self.succ_num.store(0, Ordering::Relaxed);
        self.restarted.store(true, Ordering::Release);
        self.fail_num.store(0, Ordering::Relaxed);
        self.avail.store(true, Ordering::Release);
        self.changed();
        true
    }

    /// The backend leaves the table: no checks any more. Requests in flight end in peace.
    pub(crate) fn close(&self) {
        let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        checker.closed = true;
        if let Some(task) = checker.task.take() {
            task.abort();
        }
    }

    fn start_checker(self: &Arc<Self>) {
        let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        if !checker.closed {
            log::info!("start healthcheck for {}", self.name);
            let task = self.env.spawn(health::watch(Arc::clone(self), Arc::clone(&self.env)));
            checker.task = Some(task);
        }
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Marks the backend up or down as a health check or failures would.
    #[cfg(test)]
    pub(crate) fn set_avail(&self, avail: bool) {
        self.avail.store(avail, Ordering::Release);
        self.changed();
    }

    /// Sets the number of requests in flight.
    #[cfg(test)]
    pub(crate) fn set_conn_num(&self, conn_num: i64) {
        self.conn_num.store(conn_num, Ordering::Relaxed);
    }

    /// Whether a task is checking the backend.
    #[cfg(test)]
    pub(crate) fn is_checked(&self) -> bool {
        let checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        checker.task.as_ref().is_some_and(|task| !task.is_finished())
    }
}
