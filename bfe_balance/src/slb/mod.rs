//! Choice of a backend within a sub-cluster (balance 5 and 6).
//!
//! Smooth round robin visits every backend at each pick, so what a visit needs lies close together
//! ([`Gauges`]); the rest of an entry, and the backends themselves, are only looked at when something
//! changed.

mod entry;
mod least_conns;
mod smooth;
mod sticky;
mod update;

#[cfg(test)]
mod props;
#[cfg(test)]
pub(crate) mod tests;

use crate::backend::Backend;
use crate::health::CheckEnv;
use entry::Entry;
use smooth::Gauges;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Why a sub-cluster has no backend to give. The texts go into `ErrMsg`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PickError {
    #[error("no backend in sub cluster [{0}]")]
    Empty(Arc<str>),
    #[error("rr_bal:all backend is down")]
    AllDown,
}

/// How to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// Smooth weighted round robin.
    Smooth,
    /// Least connections by weight, ties by smooth round robin.
    LeastConns,
    /// By the hash of the request.
    Sticky,
}

/// The backends of a sub-cluster, in the order in which they are looked at.
pub(crate) struct BackendList {
    name: Arc<str>,
    env: Arc<CheckEnv>,
    entries: Vec<Entry>,
    /// One for each entry, in the same order.
    gauges: Gauges,
    /// See [`Backend`]; `seen` is its value when the gauges were last made.
    changes: Arc<AtomicU64>,
    seen: Option<u64>,
    /// Its value when restarted flags were last looked for.
    flags_seen: Option<u64>,
    /// Zero is off.
    slow_start: Duration,
    /// Entries whose weight is growing.
    ramping: usize,
    /// Whether the list is in the order of address texts.
    sorted: bool,
    /// Kept to spare an allocation per pick.
    candidates: Vec<usize>,
}

impl BackendList {
    pub(crate) fn new(name: Arc<str>, env: Arc<CheckEnv>) -> Self {
        Self {
            name,
            env,
            entries: Vec::new(),
            gauges: Gauges::default(),
            changes: Arc::default(),
            seen: None,
            flags_seen: None,
            slow_start: Duration::ZERO,
            ramping: 0,
            sorted: false,
            candidates: Vec::new(),
        }
    }

    /// How many backends there are, up or down.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Sets how long a new or recovered backend takes to its full weight; zero is off and ends all ramps.
    pub(crate) fn set_slow_start(&mut self, time: Duration) {
        if self.slow_start != time {
            self.slow_start = time;
            self.seen = None;
            self.flags_seen = None;
            if time.is_zero() {
                for entry in &mut self.entries {
                    entry.end_ramp();
                }
                self.ramping = 0;
            }
        }
    }

    /// Chooses a backend. `hash` is only asked for by [`Algorithm::Sticky`], `now` only in slow start.
    pub(crate) fn pick(
        &mut self,
        algorithm: Algorithm,
        hash: impl FnOnce() -> u64,
        now: impl FnOnce() -> Instant,
    ) -> Result<Arc<Backend>, PickError> {
        if self.entries.is_empty() {
            return Err(PickError::Empty(Arc::clone(&self.name)));
        }
        let chosen = match algorithm {
            Algorithm::Sticky => {
                self.refresh(self.changes.load(Ordering::Acquire));
                self.pick_sticky(hash())
            }
            Algorithm::Smooth => {
                self.slow_start_then_refresh(now);
                self.gauges.pick()
            }
            Algorithm::LeastConns => {
                self.slow_start_then_refresh(now);
                self.pick_least_conns()
            }
        };
        chosen
            .and_then(|index| self.entries.get(index))
            .map(|entry| Arc::clone(&entry.backend))
            .ok_or(PickError::AllDown)
    }

    /// The backend of that `addr:port`, where it could be chosen.
    pub(crate) fn find(&self, addr_info: &str) -> Option<Arc<Backend>> {
        self.entries
            .iter()
            .find(|e| *e.backend.addr_info == *addr_info && e.step() > 0)
            .map(|e| Arc::clone(&e.backend))
    }

    /// Brings the gauges up to date where a backend went up or down.
    fn refresh(&mut self, changes: u64) {
        if self.seen != Some(changes) {
            self.seen = Some(changes);
            self.gauges.set_steps(self.entries.iter().map(Entry::step));
        }
    }

    /// The same, after slow start has had its turn.
    fn slow_start_then_refresh(&mut self, now: impl FnOnce() -> Instant) {
        let changes = self.changes.load(Ordering::Acquire);
        if self.slow_start.is_zero() {
            return self.refresh(changes);
        }
        let changed = self.flags_seen != Some(changes);
        if changed || self.ramping > 0 {
            let now = now();
            self.flags_seen = Some(changes);
            self.ramping = 0;
            for (index, entry) in self.entries.iter_mut().enumerate() {
                if changed && entry.backend.take_restarted() {
                    entry.start_ramp(now, self.slow_start);
                    if entry.is_ramping() {
                        self.gauges.set_current(index, 1);
                    }
                }
                if entry.is_ramping() {
                    entry.ramp(now);
                    self.ramping += usize::from(entry.is_ramping());
                }
            }
            self.seen = None;
        }
        self.refresh(changes);
    }

    /// The backends leave the table.
    pub(crate) fn close(&self) {
        for entry in &self.entries {
            entry.backend.close();
        }
    }

    /// All backends, in order.
    pub(crate) fn backends(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.entries.iter().map(|entry| &entry.backend)
    }
}
