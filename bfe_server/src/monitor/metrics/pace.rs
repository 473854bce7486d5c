//! Work that is done beside requests, a little at a time.

use std::cell::Cell;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long the work goes on at a stretch: what a worker on the same CPU may have to wait for it.
const RUN: Duration = Duration::from_micros(200);
/// Then others have their turn.
const REST: Duration = Duration::from_micros(300);
/// Steps between two looks at the clock.
const STEPS: u32 = 16;

/// Interrupts work of many short steps.
pub(super) struct Pace {
    began: Cell<Instant>,
    steps: Cell<u32>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { began: Cell::new(Instant::now()), steps: Cell::new(0) }
    }

    /// Tells that a step is done; rests if it is time to. For threads that may block.
    pub(super) fn step(&self) {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() < STEPS {
            return;
        }
        self.steps.set(0);
        if self.began.get().elapsed() >= RUN {
            thread::sleep(REST);
            self.began.set(Instant::now());
        }
    }
}

/// A page that is written in steps.
pub(super) struct Page<'p> {
    pub(super) bytes: Vec<u8>,
    pub(super) pace: &'p Pace,
}

impl io::Write for Page<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        self.pace.step();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
