//! The server log: `bfe.log`, `bfe.wf.log` for warnings, and standard output where asked (config 1.5).
//!
//! Whoever logs formats the line and hands it to the log thread. A queue that is full drops lines, and says
//! how many later on; it never blocks.

use crate::cli::Options;
use bfe_module::log_file::{RotateWhen, RotatingFile};
use jiff::Zoned;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

/// Lines that wait for the log thread.
const QUEUE: usize = 10_000;
/// Days that are kept of each file.
const KEPT: usize = 7;

/// Starts logging.
///
/// # Errors
/// When the log folder or its files cannot be made.
pub(crate) fn init(options: &Options) -> io::Result<()> {
    let level = match (options.debug, options.test) {
        (true, _) => LevelFilter::Debug,
        // Things that are probably mistakes are what a test is for.
        (false, true) => LevelFilter::Warn,
        (false, false) => LevelFilter::Info,
    };
    let dir = Path::new(&options.log_dir);
    let all = open(dir, "bfe.log")?;
    let warnings = open(dir, "bfe.wf.log")?;
    let (queue, lines) = sync_channel(QUEUE);
    thread::Builder::new().name("log".into()).spawn(move || write_lines(&lines, all, warnings))?;
    // The filter of RUST_LOG holds for standard output, the flags for the files.
    let stdout = (options.stdout || options.test).then(|| {
        let mut builder = env_logger::Builder::new();
        builder.filter_level(level).parse_default_env().target(env_logger::Target::Stdout).format(
            |out, record| {
                let now = Zoned::now().strftime("%m/%d/%y %H:%M:%S");
                writeln!(out, "[{now}] [{}] {}", tag(record.level()), record.args())
            },
        );
        builder.build()
    });
    let most = level.max(LevelFilter::Warn).max(stdout.as_ref().map_or(level, env_logger::Logger::filter));
    let logger = Logger { queue, level, stdout, dropped: AtomicU64::new(0) };
    log::set_boxed_logger(Box::new(logger)).map_err(io::Error::other)?;
    log::set_max_level(most);
    Ok(())
}

fn tag(level: Level) -> &'static str {
    match level {
        Level::Trace => "TRAC",
        Level::Debug => "DEBG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "EROR",
    }
}

enum Line {
    Text {
        text: String,
        to_all: bool,
        to_warnings: bool,
    },
    /// Answered once all lines before it are written.
    Flush(SyncSender<()>),
}

struct Logger {
    queue: SyncSender<Line>,
    level: LevelFilter,
    stdout: Option<env_logger::Logger>,
    dropped: AtomicU64,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level.max(LevelFilter::Warn)
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(stdout) = &self.stdout {
            stdout.log(record);
        }
        if !self.enabled(record.metadata()) {
            return;
        }
        let (to_all, to_warnings) = (record.level() <= self.level, record.level() <= Level::Warn);
        let lost = self.dropped.swap(0, Relaxed);
        let lost =
            if lost > 0 { format!(" ({lost} lines before this one were dropped)") } else { String::new() };
        let text = format!(
            "[{}] [{}] [{}] ({}:{}) {}{lost}\n",
            Zoned::now().strftime("%Y/%m/%d %H:%M:%S %Z"),
            tag(record.level()),
            std::process::id(),
            record.module_path().unwrap_or_default(),
            record.line().unwrap_or_default(),
            record.args()
        );
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Line::Text { text, to_all, to_warnings }) {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Waits for what has been logged to be written, by modules too.
    fn flush(&self) {
        bfe_module::log_file::flush_all();
        let (done, wait) = sync_channel(1);
        if self.queue.send(Line::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

fn write_lines(lines: &Receiver<Line>, mut all: RotatingFile, mut warnings: RotatingFile) {
    while let Ok(line) = lines.recv() {
        match line {
            Line::Text { text, to_all, to_warnings } => {
                for (wanted, file) in [(to_all, &mut all), (to_warnings, &mut warnings)] {
                    // There is nobody to tell that the disk is full.
                    let _ = if wanted { write(file, &text) } else { Ok(()) };
                }
            }
            Line::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// A log file that is put aside at midnight.
fn open(dir: &Path, name: &str) -> io::Result<RotatingFile> {
    RotatingFile::open(dir, &dir.join(name), (RotateWhen::Midnight, KEPT), 0o644)
}

fn write(log: &mut RotatingFile, text: &str) -> io::Result<()> {
    // What cannot be put aside is written further.
    let rotated = log.rotate_if_due();
    log.file().write_all(text.as_bytes())?;
    rotated
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::fs::{self, File};

    #[test]
    fn cfg_17_and_18_files_of_earlier_days_are_put_aside_and_seven_kept() {
        let dir = tempfile::tempdir().unwrap();
        for day in 1..=9 {
            fs::write(dir.path().join(format!("bfe.log.2020-01-0{day}")), "old").unwrap();
        }
        fs::write(dir.path().join("bfe.log.note"), "not ours").unwrap();
        fs::write(dir.path().join("bfe.log"), "before\n").unwrap();
        let past = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400);
        File::options().append(true).open(dir.path().join("bfe.log")).unwrap().set_modified(past).unwrap();
        let mut log = open(dir.path(), "bfe.log").unwrap();
        write(&mut log, "after\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("bfe.log")).unwrap(), "after\n");
        let names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.iter().filter(|n| n.starts_with("bfe.log.20")).count(), KEPT);
        let day = Timestamp::try_from(past).unwrap().to_zoned(jiff::tz::TimeZone::system()).date();
        assert_eq!(fs::read_to_string(dir.path().join(format!("bfe.log.{day}"))).unwrap(), "before\n");
        assert!(
            names.contains(&"bfe.log.note".to_owned()) && !names.contains(&"bfe.log.2020-01-03".to_owned())
        );
    }
}
