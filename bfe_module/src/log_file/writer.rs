//! The thread that writes one log file.

use super::queue::{Batch, Queue};
use super::{LogTarget, RotatingFile, log_state};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long records gather between two batches: a writer that has something to do is woken by nobody.
const PAUSE: Duration = Duration::from_millis(10);
/// How often the server log is told that records are lost.
const COMPLAIN: Duration = Duration::from_secs(60);

/// Opens the file and starts its thread.
pub(super) fn start(target: &LogTarget, mode: u32, queue: Arc<Queue>) -> io::Result<()> {
    let sink = match target {
        LogTarget::Single(path) => Sink::Single(open_single(path, mode)?),
        LogTarget::Rotating { dir, path, when, backups } => {
            Sink::Rotating(RotatingFile::open(dir, path, (*when, *backups), mode)?)
        }
    };
    let mut writer = Writer { name: target.path().display().to_string(), sink, losses: Losses::default() };
    thread::Builder::new().name("log file".into()).spawn(move || writer.run(&queue))?;
    Ok(())
}

/// Opens a file, device or pipe for appending.
fn open_single(path: &Path, mode: u32) -> io::Result<File> {
    // These may be sockets, which cannot be opened.
    match path.to_str() {
        Some("/dev/stdout") => return Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
        Some("/dev/stderr") => return Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
        _ => {}
    }
    // To open a pipe for writing only would wait for somebody who reads.
    let is_pipe = std::fs::metadata(path).is_ok_and(|m| m.file_type().is_fifo());
    File::options().create(true).append(true).read(is_pipe).mode(mode).open(path)
}

enum Sink {
    Single(File),
    Rotating(RotatingFile),
}

/// What got lost since the server log was told.
#[derive(Default)]
struct Losses {
    dropped: u64,
    failed: u64,
    error: Option<io::Error>,
    told: Option<Instant>,
}

struct Writer {
    name: String,
    sink: Sink,
    losses: Losses,
}

impl Writer {
    fn run(&mut self, queue: &Queue) {
        let mut batch = Batch::default();
        while let Some(dropped) = queue.take(&mut batch, PAUSE) {
            self.losses.dropped += dropped;
            let records = batch.ends.len();
            let written = self.write(&batch);
            log_state::group().add(log_state::RECORDS_WRITTEN, written as u64);
            log_state::group().add(log_state::RECORDS_FAILED, (records - written) as u64);
            self.losses.failed += (records - written) as u64;
            batch.clear();
            queue.done(records);
            self.complain();
        }
    }

    /// Writes a batch; gives how many of its records are in the file.
    fn write(&mut self, batch: &Batch) -> usize {
        let file = match &mut self.sink {
            Sink::Single(file) => file,
            Sink::Rotating(rotating) => {
                if let Err(error) = rotating.rotate_if_due() {
                    log::warn!("{}: cannot put aside: {error}", self.name);
                }
                rotating.file()
            }
        };
        let mut rest = batch.bytes.as_slice();
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(n) if n > 0 => rest = rest.get(n..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                end => {
                    self.losses.error = Some(end.err().unwrap_or(io::ErrorKind::WriteZero.into()));
                    break;
                }
            }
        }
        if rest.is_empty() {
            return batch.ends.len();
        }
        let written = batch.bytes.len() - rest.len();
        let whole = batch.ends.partition_point(|end| *end <= written);
        let kept = whole.checked_sub(1).and_then(|last| batch.ends.get(last)).copied().unwrap_or(0);
        // Half a record would spoil the next one.
        take_back(file, (written - kept) as u64);
        whole
    }

    /// Tells the server log what got lost, now and then.
    fn complain(&mut self) {
        let losses = &mut self.losses;
        let quiet = losses.dropped == 0 && losses.failed == 0;
        if quiet || losses.told.is_some_and(|told| told.elapsed() < COMPLAIN) {
            return;
        }
        let error = losses.error.take().map(|e| format!(" ({e})")).unwrap_or_default();
        log::warn!(
            "{}: records lost: {} because too many waited, {} could not be written{error}",
            self.name,
            losses.dropped,
            losses.failed
        );
        *losses = Losses { told: Some(Instant::now()), ..Losses::default() };
    }
}

/// Removes the last `bytes` of a file; of a pipe or device they cannot be had back.
fn take_back(file: &File, bytes: u64) {
    if bytes == 0 {
        return;
    }
    if let Ok(metadata) = file.metadata()
        && metadata.is_file()
    {
        let _ = file.set_len(metadata.len().saturating_sub(bytes));
    }
}

#[cfg(test)]
mod tests {
    use crate::log_file::{LogFile, LogTarget};
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn records_reach_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        std::fs::write(&path, "old\n").unwrap();
        let log = LogFile::open(&LogTarget::Single(path.clone())).unwrap();
        for i in 0..3 {
            log.write(format!("line {i}\n").as_bytes());
        }
        assert!(log.flush(LONG));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old\nline 0\nline 1\nline 2\n");
    }

    #[test]
    fn secrets_are_for_nobody_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let _log = LogFile::open_private(&LogTarget::Single(path.clone())).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_full_disk_loses_records_and_nothing_else() {
        let log = LogFile::open(&LogTarget::Single("/dev/full".into())).unwrap();
        for _ in 0..3 {
            log.write(b"lost\n");
            assert!(log.flush(LONG));
        }
    }

    #[test]
    fn what_cannot_be_opened_is_an_error() {
        for path in ["/proc/nope/a.log", "/"] {
            assert!(LogFile::open(&LogTarget::Single(path.into())).is_err(), "{path}");
        }
    }
}
