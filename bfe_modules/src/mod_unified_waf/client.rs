//! One instance of the firewall: who may ask it, what came of it, and whether it is well.

use super::monitor::{self, Monitor};
use super::params::{Instance, Params};
use super::request::Inspected;
use super::vendor::{Agent, VendorError, Verdict};
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The least time that is left for an answer once a request has its turn.
const LEAST: Duration = Duration::from_millis(1);

/// An instance.
pub(super) struct Client {
    pub(super) addr: String,
    agent: Arc<dyn Agent>,
    health_addr: Mutex<String>,
    params: ArcSwap<Params>,
    /// Turns, as many as there were to be when the instance was added.
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    health: Mutex<Health>,
    /// Whether its health is being watched.
    pub(super) is_watched: AtomicBool,
    monitor: Arc<Monitor>,
}

/// How an instance is, by its answers.
struct Health {
    /// Failures in a row.
    failures: i64,
    available: bool,
    /// It is no longer in the file: nobody asks it any more.
    leaving: bool,
}

impl Client {
    pub(super) fn new(
        instance: &Instance,
        agent: Arc<dyn Agent>,
        params: Arc<Params>,
        monitor: Arc<Monitor>,
    ) -> Self {
        let client = Self {
            addr: instance.addr(),
            agent,
            health_addr: Mutex::new(instance.health_addr()),
            turns: Arc::new(Semaphore::new(params.concurrency().min(Semaphore::MAX_PERMITS))),
            params: ArcSwap::new(params),
            waiting: AtomicUsize::new(0),
            health: Mutex::new(Health { failures: 0, available: true, leaving: false }),
            is_watched: AtomicBool::new(false),
            monitor,
        };
        client.show_available(true);
        client
    }

    /// Asks about a request. Gives the event of one that may not pass; all others pass, whatever happens here.
    pub(super) async fn detect(self: &Arc<Self>, request: Inspected, log_id: String) -> Option<String> {
        let count = |name, of_instance| self.monitor.count(name, of_instance, &self.addr);
        self.monitor.count_of("detect", &self.addr);
        let params = self.params.load_full();
        if self.waiting.load(Relaxed) > params.max_waiting() {
            count(monitor::NO_CHECK, "detect_closed_skip");
            return None;
        }
        let begin = Instant::now();
        let turn = self.turn(params.request_timeout()).await;
        let waited = begin.elapsed();
        self.monitor.competition.add(waited);
        let Some(turn) = turn else {
            count(monitor::TIMED_OUT, "detect_concurrency_timout");
            return None;
        };
        let left = params.request_timeout().saturating_sub(waited).max(LEAST);
        let answer = tokio::time::timeout(left, self.ask(request, log_id, params.tries(), turn)).await;
        self.monitor.detect.add(begin.elapsed());
        match answer {
            Err(_) => count(monitor::TIMED_OUT, "detect_timeout"),
            Ok(Ok(Ok(Verdict::Pass))) => count(monitor::PASS, "detect_ok"),
            Ok(Ok(Ok(Verdict::Block(event)))) => {
                count(monitor::FORBIDDEN, "detect_forbidden");
                return Some(event);
            }
            Ok(Ok(Err(error))) => {
                log::warn!("mod_unified_waf: {}: request passes: {error}", self.addr);
                count(monitor::OTHER, "detect_other");
            }
            // Its worker ends.
            Ok(Err(_)) => count(monitor::OTHER, "detect_other"),
        }
        None
    }

    /// Waits for a turn.
    async fn turn(&self, limit: Duration) -> Option<OwnedSemaphorePermit> {
        let _waiting = Waiting::new(&self.waiting);
        let turn = Arc::clone(&self.turns).acquire_owned();
        tokio::time::timeout(limit, turn).await.ok()?.ok()
    }

    /// Asks, as often as it takes, also where nobody waits for the answer any more; the turn is over then.
    fn ask(
        self: &Arc<Self>,
        request: Inspected,
        log_id: String,
        tries: usize,
        turn: OwnedSemaphorePermit,
    ) -> oneshot::Receiver<Result<Verdict, VendorError>> {
        let (done, answer) = oneshot::channel();
        let client = Arc::clone(self);
        tokio::task::spawn_local(async move {
            let _turn = turn;
            let mut tried = 0;
            let result = loop {
                tried += 1;
                let result = client.agent.detect(&request, &log_id).await;
                if result.as_ref().is_err_and(VendorError::is_connect) {
                    client.monitor.states.add(monitor::NET_ERROR, 1);
                }
                client.judge(result.is_ok());
                if result.is_ok() || tried >= tries {
                    break result;
                }
            };
            // It may be late.
            let _ = done.send(result);
        });
        answer
    }

    /// Checks how the instance is.
    pub(super) async fn check(&self) {
        let addr = self.health_addr.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let result = self.agent.check(&addr).await;
        if let Err(error) = &result {
            log::info!("mod_unified_waf: {addr}: check failed: {error}");
        }
        self.judge(result.is_ok());
        self.monitor.count_of(if result.is_ok() { "check_success" } else { "check_failed" }, &self.addr);
    }

    /// Time between two checks.
    pub(super) fn check_interval(&self) -> Duration {
        self.params.load().check_interval()
    }

    /// Takes an answer, or none, as a sign of health.
    fn judge(&self, ok: bool) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if ok {
            health.failures = 0;
            health.available = true;
        } else {
            health.failures = health.failures.saturating_add(1);
            if health.failures > self.params.load().health_checker.unavailable_failed_thres
                && health.available
            {
                health.available = false;
                log::info!("mod_unified_waf: {}: not available", self.addr);
            }
        }
        if !health.leaving {
            self.show_available(health.available);
        }
    }

    fn show_available(&self, available: bool) {
        self.monitor.states.set_text(&self.available_name(), available.to_string());
    }

    fn available_name(&self) -> String {
        format!("waf_client_available_{}", self.addr)
    }

    /// Whether requests may be sent.
    pub(super) fn is_available(&self) -> bool {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.available && !health.leaving
    }

    /// Whether it is no longer in the file.
    pub(super) fn is_leaving(&self) -> bool {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).leaving
    }

    /// Notes that it is no longer in the file.
    pub(super) fn leave(&self) {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).leaving = true;
        self.monitor.states.set_text(&format!("{}_delete_tag", self.available_name()), "true");
    }

    /// Forgets what is shown of it.
    pub(super) fn forget(&self) {
        self.monitor.states.remove_text(&self.available_name());
        self.monitor.states.remove_text(&format!("{}_delete_tag", self.available_name()));
        self.monitor.states.add("waf_client.deleted_clients", 1);
    }

    /// Takes what may change of an instance that stays.
    pub(super) fn set_instance(&self, instance: &Instance) {
        *self.health_addr.lock().unwrap_or_else(PoisonError::into_inner) = instance.health_addr();
    }

    /// Takes new parameters; the number of turns stays.
    pub(super) fn set_params(&self, params: &Arc<Params>) {
        let before = self.params.swap(Arc::clone(params));
        if before.connect_timeout() != params.connect_timeout() {
            self.agent.set_connect_timeout(params.connect_timeout());
        }
    }
}

/// Counts as waiting while it is there.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
