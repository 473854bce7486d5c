//! Records that wait for the writer: one buffer that workers append to, and the writer takes away whole.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most records that wait (modules-traffic 0.6).
pub const MAX_RECORDS: usize = 10_000;
/// Most bytes that wait.
pub const MAX_BYTES: usize = 16 << 20;
/// What a buffer may keep between two batches.
const KEPT_BYTES: usize = 1 << 20;
/// How many records end the writer's pause before its time.
const MANY: usize = MAX_RECORDS / 4;

/// Some records, one behind the other.
#[derive(Default)]
pub(super) struct Batch {
    /// The bytes of all records.
    pub(super) bytes: Vec<u8>,
    /// Where each of them ends.
    pub(super) ends: Vec<usize>,
}

impl Batch {
    /// Empties the batch; what an unusual burst has taken is given back.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.bytes.shrink_to(KEPT_BYTES);
    }
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// The writer sleeps until there is something, or has paused to let records gather.
    asleep: bool,
    /// Somebody waits in `flush`.
    hurry: bool,
    closed: bool,
    /// Records accepted, and records that the writer is done with.
    pushed: u64,
    done: u64,
    /// Records dropped since the writer last asked.
    dropped: u64,
}

/// What workers and the writer share. The lock is held for a copy or an exchange of two pointers, no longer.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// For the writer: there is something to do.
    work: Condvar,
    /// For those who flush: something has been written.
    written: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record; false where there is no room for it.
    pub(super) fn push(&self, record: &[u8]) -> bool {
        let mut state = self.lock();
        let waiting = &mut state.waiting;
        if waiting.ends.len() >= MAX_RECORDS || record.len() > MAX_BYTES - waiting.bytes.len().min(MAX_BYTES)
        {
            state.dropped += 1;
            return false;
        }
        waiting.bytes.extend_from_slice(record);
        waiting.ends.push(waiting.bytes.len());
        let many = waiting.ends.len() == MANY;
        state.pushed += 1;
        let wake = many || state.asleep;
        state.asleep = false;
        drop(state);
        if wake {
            self.work.notify_one();
        }
        true
    }

    /// Waits for records and takes them: those that are there at once, those that come after `pause`d some
    /// time. `batch` must be empty. Gives how many were dropped since the last call; `None` once the queue
    /// is closed and empty.
    pub(super) fn take(&self, batch: &mut Batch, pause: Duration) -> Option<u64> {
        let mut state = self.lock();
        let gather = |s: &mut State| s.waiting.ends.len() < MANY && !s.hurry && !s.closed;
        state = match self.work.wait_timeout_while(state, pause, gather) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
        while state.waiting.ends.is_empty() && !state.closed {
            state.asleep = true;
            state.hurry = false;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep = false;
        if state.waiting.ends.is_empty() {
            return None;
        }
        std::mem::swap(&mut state.waiting, batch);
        Some(std::mem::take(&mut state.dropped))
    }

    /// Notes that the writer is done with that many records.
    pub(super) fn done(&self, records: usize) {
        let mut state = self.lock();
        state.done += records as u64;
        drop(state);
        self.written.notify_all();
    }

    /// Waits until the writer is done with all that has been pushed; false after `until`.
    pub(super) fn flush(&self, until: Instant) -> bool {
        let mut state = self.lock();
        let goal = state.pushed;
        state.hurry = true;
        self.work.notify_one();
        while state.done < goal {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return false;
            }
            state = match self.written.wait_timeout(state, rest) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }

    /// Lets the writer end once it has written what waits.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_PAUSE: Duration = Duration::ZERO;

    #[test]
    fn records_come_out_as_they_went_in() {
        let queue = Queue::default();
        assert!(queue.push(b"one\n") && queue.push(b"two\n"));
        let mut batch = Batch::default();
        assert_eq!(queue.take(&mut batch, NO_PAUSE), Some(0));
        assert_eq!((batch.bytes.as_slice(), batch.ends.as_slice()), (&b"one\ntwo\n"[..], &[4, 8][..]));
        queue.close();
        assert_eq!(queue.take(&mut Batch::default(), NO_PAUSE), None);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let queue = Queue::default();
        for _ in 0..MAX_RECORDS {
            assert!(queue.push(b"x"));
        }
        assert!(!queue.push(b"x") && !queue.push(b"x"));
        assert_eq!(queue.take(&mut Batch::default(), NO_PAUSE), Some(2));
        assert!(queue.push(&vec![0; MAX_BYTES - 1]));
        assert!(!queue.push(b"xy") && queue.push(b"x") && !queue.push(b"x"));
        assert_eq!(queue.take(&mut Batch::default(), NO_PAUSE), Some(2));
    }

    #[test]
    fn flush_waits_for_what_was_there_before() {
        let queue = Queue::default();
        assert!(queue.flush(Instant::now()));
        assert!(queue.push(b"x"));
        assert!(!queue.flush(Instant::now() + Duration::from_millis(1)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut batch = Batch::default();
                // A pause that nobody would wait for: flush cuts it short.
                assert_eq!(queue.take(&mut batch, Duration::from_secs(60)), Some(0));
                queue.done(batch.ends.len());
            });
            assert!(queue.flush(Instant::now() + Duration::from_secs(30)));
        });
    }
}
