//! Log files of modules: access logs, key logs (modules-traffic 0.6).
//!
//! A worker formats a record into a buffer of its own and hands it to [`LogFile::write`], which copies it
//! behind those that wait: no allocation, no system call but the rare wake-up of a sleeping writer, and never
//! a wait. A thread of each file writes what has gathered in one go. Where records come faster than they can
//! be written, the queue fills up to [`MAX_RECORDS`] or [`MAX_BYTES`], and what comes then is dropped and
//! counted.
//!
//! - `conf` reads the keys of the section `[Log]`
//! - `queue` is what workers and writer share
//! - `rotate` is a file that is put aside in time
//! - `writer` is the thread
//!
//! What does not reach the file is counted in [`log_state`], shown on `/metrics`, and told to the server log
//! at most once a minute.

mod conf;
mod queue;
mod rotate;
mod writer;

pub use conf::{LogKeys, LogTarget};
pub use queue::{MAX_BYTES, MAX_RECORDS};
pub use rotate::{RotateWhen, RotatingFile};

use crate::WebHandlers;
use crate::metrics::Metrics;
use queue::Queue;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

bfe_http::counter_group! {
    /// All log files of modules together, on `/metrics`.
    pub log_state "log_file" {
        /// Records that reached their file.
        RECORDS_WRITTEN,
        /// Records that were dropped because too many waited.
        RECORDS_DROPPED,
        /// Records that could not be written: a full disk, a file that is gone.
        RECORDS_FAILED,
    }
}

/// How long [`flush_all`] waits for one file.
const FLUSH: Duration = Duration::from_secs(1);

/// The queues of all open files.
static OPEN: Mutex<Vec<Weak<Queue>>> = Mutex::new(Vec::new());

/// Why a log file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("log file {path}: {error}", path = .path.display())]
pub struct OpenError {
    path: PathBuf,
    error: io::Error,
}

/// A log file that workers write to.
pub struct LogFile {
    queue: Arc<Queue>,
}

impl LogFile {
    /// Opens the file, makes its folder where it is missing, and starts its thread.
    ///
    /// # Errors
    /// When there is no such folder, or the file cannot be opened.
    pub fn open(target: &LogTarget) -> Result<Self, OpenError> {
        Self::open_mode(target, 0o644)
    }

    /// [`LogFile::open`] for a file that holds secrets: nobody else can read it.
    ///
    /// # Errors
    /// As there.
    pub fn open_private(target: &LogTarget) -> Result<Self, OpenError> {
        Self::open_mode(target, 0o600)
    }

    fn open_mode(target: &LogTarget, mode: u32) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue::default());
        writer::start(target, mode, Arc::clone(&queue))
            .map_err(|error| OpenError { path: target.path().to_owned(), error })?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|queue| queue.strong_count() > 0);
        open.push(Arc::downgrade(&queue));
        Ok(Self { queue })
    }

    /// Hands over a record, as it is to stand in the file, with its line end where it is a line. Never waits;
    /// a record for which there is no room is dropped and counted.
    pub fn write(&self, record: &[u8]) {
        if !self.queue.push(record) {
            log_state::group().inc(log_state::RECORDS_DROPPED);
        }
    }

    /// Waits until all that was handed over has been written, or given up; false after `limit`.
    #[must_use]
    pub fn flush(&self, limit: Duration) -> bool {
        self.queue.flush(Instant::now() + limit)
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Writes what waits for any log file, as far as that takes no more than a second a file. For the end of the
/// process.
pub fn flush_all() {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for queue in open.iter().filter_map(Weak::upgrade) {
        queue.flush(Instant::now() + FLUSH);
    }
}

/// Shows [`log_state`] on `/metrics`. Modules that have a log file call this; once is enough.
pub fn register_metrics(web_handlers: &mut WebHandlers) {
    let group = log_state::group();
    if !web_handlers.metrics.iter().any(|m| m.group().prefix() == group.prefix()) {
        web_handlers.metrics.push(Arc::new(Metrics::new(group)));
    }
}
