//! An entry of a backend list: the backend, its weight, and its slow start.

use crate::backend::Backend;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Weights are scaled, so that slow start has steps to climb.
const SCALE: i64 = 100;
/// The largest scaled weight: sums over a million backends, and products with a million connections, fit.
const MAX_WEIGHT: i64 = 1 << 42;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) backend: Arc<Backend>,
    /// Scaled weight now; in slow start less than `full`.
    weight: i64,
    /// Scaled weight of the file.
    full: i64,
    ramp: Option<Ramp>,
}

#[derive(Debug)]
struct Ramp {
    start: Instant,
    time: Duration,
}

impl Entry {
    /// An entry with the file's weight.
    pub(super) fn new(backend: Arc<Backend>, weight: i64) -> Self {
        let full = scaled(weight);
        Self { backend, weight: full, full, ramp: None }
    }

    pub(super) fn weight(&self) -> i64 {
        self.weight
    }

    /// What the backend gains at each pick: its weight, or 0 where it cannot be chosen.
    pub(super) fn step(&self) -> i64 {
        if self.weight > 0 && self.backend.avail() { self.weight } else { 0 }
    }

    /// Takes another weight from the file. A ramp goes on, towards the new weight.
    pub(super) fn set_weight(&mut self, weight: i64) {
        self.full = scaled(weight);
        self.weight = self.full;
        if self.full <= 0 {
            self.ramp = None;
        }
    }

    /// Begins a slow start, unless there is no weight to reach.
    pub(super) fn start_ramp(&mut self, now: Instant, time: Duration) {
        self.ramp = (self.full > 0).then_some(Ramp { start: now, time });
    }

    pub(super) fn is_ramping(&self) -> bool {
        self.ramp.is_some()
    }

    /// The weight by the time that has gone by. At least 1, so that a sub-cluster whose only backend has
    /// just come up can use it.
    pub(super) fn ramp(&mut self, now: Instant) {
        let Some(ramp) = &self.ramp else { return };
        let elapsed = now.saturating_duration_since(ramp.start).as_nanos();
        let full = u128::from(self.full.unsigned_abs());
        // A time of zero does not occur; it would be over at once.
        let weight = full.saturating_mul(elapsed).checked_div(ramp.time.as_nanos()).unwrap_or(full);
        if weight >= full {
            self.end_ramp();
        } else {
            self.weight = i64::try_from(weight).unwrap_or(self.full).max(1);
        }
    }

    pub(super) fn end_ramp(&mut self) {
        if self.ramp.take().is_some() {
            self.weight = self.full;
        }
    }
}

fn scaled(weight: i64) -> i64 {
    weight.saturating_mul(SCALE).clamp(-MAX_WEIGHT, MAX_WEIGHT)
}
