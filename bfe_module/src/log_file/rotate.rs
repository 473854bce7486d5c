//! A file that is put aside in time, and of which a number is kept (modules-traffic 0.6).

use jiff::{Timestamp, ToSpan, Unit, Zoned, ZonedRound, tz::TimeZone};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How long to wait, in seconds, before a change of files that failed is tried again.
const RETRY: i64 = 60;

/// When a file is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotateWhen {
    /// `M`: a minute after it was opened.
    Minute,
    /// `H`: an hour after it was opened.
    Hour,
    /// `D`: a day after it was opened.
    Day,
    /// `MIDNIGHT`: when the local day ends.
    Midnight,
    /// `NEXTHOUR`: when the local hour ends.
    NextHour,
}

impl RotateWhen {
    /// Reads the value of `RotateWhen`, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let values = [
            ("M", Self::Minute),
            ("H", Self::Hour),
            ("D", Self::Day),
            ("MIDNIGHT", Self::Midnight),
            ("NEXTHOUR", Self::NextHour),
        ];
        values.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, when)| *when)
    }

    /// The first time after `from` at which a file is put aside.
    fn after(self, from: &Zoned) -> Timestamp {
        let next = match self {
            Self::Minute => from.checked_add(1.minute()),
            Self::Hour => from.checked_add(1.hour()),
            Self::Day => from.checked_add(24.hours()),
            Self::Midnight => from.tomorrow().and_then(|day| day.start_of_day()),
            Self::NextHour => from
                .round(ZonedRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Trunc))
                .and_then(|hour| hour.checked_add(1.hour())),
        };
        next.map_or(Timestamp::MAX, |next| next.timestamp())
    }

    /// What a file that is put aside at `end` has behind its name: the local time at which its span began.
    fn suffix(self, end: Timestamp, zone: &TimeZone) -> String {
        let back = match self {
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
            // Days and hours are not all equally long; they end where the next begins.
            Self::Midnight | Self::NextHour => 1,
        };
        let start = end.checked_sub(back.seconds()).unwrap_or(end).to_zoned(zone.clone());
        start.strftime(self.format()).to_string()
    }

    fn format(self) -> &'static str {
        match self {
            Self::Minute => "%Y-%m-%d_%H-%M",
            Self::Hour | Self::NextHour => "%Y-%m-%d_%H",
            Self::Day | Self::Midnight => "%Y-%m-%d",
        }
    }

    /// Whether a text could be a suffix.
    fn is_suffix(self, text: &str) -> bool {
        let shape = match self {
            Self::Minute => "dddd-dd-dd_dd-dd",
            Self::Hour | Self::NextHour => "dddd-dd-dd_dd",
            Self::Day | Self::Midnight => "dddd-dd-dd",
        };
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(b, s)| if s == b'd' { b.is_ascii_digit() } else { b == s })
    }
}

/// An open file that is put aside in time.
pub struct RotatingFile {
    dir: PathBuf,
    path: PathBuf,
    when: RotateWhen,
    backups: usize,
    /// Permissions of new files.
    mode: u32,
    file: File,
    /// When it is put aside.
    end: Timestamp,
    /// It has been put aside, but there is no new one yet.
    aside: bool,
    /// Nothing is tried before.
    not_before: Timestamp,
}

impl RotatingFile {
    /// Opens the file `path` for appending, and makes the folder `dir` where it is missing; new files get the permissions `mode`. Whether the file is due to be
    /// put aside goes by the time when it was last written; that happens with the next
    /// [`RotatingFile::rotate_if_due`], not before, so that to look whether a file can be opened leaves it
    /// alone.
    ///
    /// # Errors
    /// When the folder cannot be made, or the file not be opened.
    pub fn open(
        dir: &Path,
        path: &Path,
        (when, backups): (RotateWhen, usize),
        mode: u32,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let last_written = fs::metadata(path).and_then(|m| m.modified()).ok();
        let from = last_written
            .and_then(|at| Timestamp::try_from(at).ok())
            .map_or_else(Zoned::now, |at| at.to_zoned(TimeZone::system()));
        let file = append(path, mode)?;
        Ok(Self {
            dir: dir.to_owned(),
            path: path.to_owned(),
            when,
            backups,
            mode,
            file,
            end: when.after(&from),
            aside: false,
            not_before: Timestamp::MIN,
        })
    }

    /// The open file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts the file aside where its time has come, begins a new one, and removes those that are too many.
    /// Where that fails, the old file goes on being written; it is tried again a minute later.
    ///
    /// # Errors
    /// When the file cannot be renamed, or a new one not be opened.
    pub fn rotate_if_due(&mut self) -> io::Result<()> {
        let now = Timestamp::now();
        if now < self.end && !self.aside || now < self.not_before {
            return Ok(());
        }
        let result = self.rotate(now);
        self.not_before =
            if result.is_err() { now.checked_add(RETRY.seconds()).unwrap_or(now) } else { Timestamp::MIN };
        result
    }

    fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        let zone = TimeZone::system();
        if !self.aside && fs::symlink_metadata(&self.path).is_ok() {
            let mut to = OsString::from(&self.path);
            to.push(".");
            to.push(self.when.suffix(self.end, &zone));
            // This takes the place of a file of that name.
            fs::rename(&self.path, to)?;
        }
        self.aside = true;
        fs::create_dir_all(&self.dir)?;
        self.file = append(&self.path, self.mode)?;
        self.aside = false;
        self.end = self.when.after(&now.to_zoned(zone));
        self.remove_old();
        Ok(())
    }

    /// Removes what was put aside first, but for the last few. What cannot be removed now is tried again the
    /// next time.
    fn remove_old(&self) {
        let (Some(dir), Some(name)) = (self.path.parent(), self.path.file_name().and_then(|n| n.to_str()))
        else {
            return;
        };
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let Ok(entries) = fs::read_dir(dir) else { return };
        let mut aside: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|file| {
                let suffix = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
                suffix.is_some_and(|suffix| self.when.is_suffix(suffix))
            })
            .collect();
        aside.sort_unstable();
        let surplus = aside.len().saturating_sub(self.backups);
        for file in aside.iter().take(surplus) {
            let _ = fs::remove_file(dir.join(file));
        }
    }
}

/// Opens a file for appending.
fn append(path: &Path, mode: u32) -> io::Result<File> {
    File::options().create(true).append(true).mode(mode).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::DateTime;
    use std::io::Write as _;
    use std::time::{Duration, SystemTime};

    fn zoned(zone: &str, text: &str) -> Zoned {
        text.parse::<DateTime>().unwrap().to_zoned(TimeZone::get(zone).unwrap()).unwrap()
    }

    #[test]
    fn access_17_ends_and_names() {
        use RotateWhen::{Day, Hour, Midnight, Minute, NextHour};
        for (when, zone, from, end, suffix) in [
            (Minute, "UTC", "2026-01-02T03:04:05", "2026-01-02T03:05:05", "2026-01-02_03-04"),
            (Hour, "UTC", "2026-01-02T03:04:05", "2026-01-02T04:04:05", "2026-01-02_03"),
            (Day, "UTC", "2026-01-02T03:04:05", "2026-01-03T03:04:05", "2026-01-02"),
            (NextHour, "UTC", "2026-01-02T03:04:05", "2026-01-02T04:00:00", "2026-01-02_03"),
            (NextHour, "Asia/Kolkata", "2026-01-02T23:59:59", "2026-01-03T00:00:00", "2026-01-02_23"),
            (Midnight, "Asia/Shanghai", "2026-01-02T03:04:05", "2026-01-03T00:00:00", "2026-01-02"),
            // Days of 23 and of 25 hours keep their own name.
            (Midnight, "Europe/Berlin", "2026-03-29T12:00:00", "2026-03-30T00:00:00", "2026-03-29"),
            (Midnight, "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-26T00:00:00", "2026-10-25"),
        ] {
            let from = zoned(zone, from);
            let got = when.after(&from);
            assert_eq!(got, zoned(zone, end).timestamp(), "{when:?} {from}");
            let got = when.suffix(got, from.time_zone());
            assert_eq!(got, suffix);
            assert!(when.is_suffix(&got));
        }
        assert_eq!(RotateWhen::parse("midNight"), Some(Midnight));
        for text in ["", "W", "HOUR", "NEXTDAY", "1", " M"] {
            assert_eq!(RotateWhen::parse(text), None, "{text}");
        }
    }

    /// Lets a file look as if it had been written last some time ago.
    fn age(path: &Path, seconds: u64) {
        let past = SystemTime::now() - Duration::from_secs(seconds);
        File::options().append(true).open(path).unwrap().set_modified(past).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn access_17_files_of_earlier_hours_are_put_aside_and_few_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        for name in ["a.log.2020-01-01_01", "a.log.2020-01-01_02", "a.log.2020-01-01", "a.log.note", "b.log"]
        {
            fs::write(dir.path().join(name), name).unwrap();
        }
        fs::write(&path, "before\n").unwrap();
        age(&path, 2 * 3600);
        let mut log = RotatingFile::open(dir.path(), &path, (RotateWhen::NextHour, 2), 0o644).unwrap();
        // Only looking changes nothing.
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
        log.rotate_if_due().unwrap();
        log.file().write_all(b"after\n").unwrap();
        log.rotate_if_due().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        let names = names(dir.path());
        assert_eq!(names.len(), 6, "{names:?}");
        assert!(!names.contains(&"a.log.2020-01-01_01".to_owned()), "{names:?}");
        let aside = names.iter().find(|n| n.starts_with("a.log.2") && !n.contains("2020")).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(aside)).unwrap(), "before\n");
    }

    #[test]
    fn a_folder_that_vanished_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/a.log");
        let mut log = RotatingFile::open(path.parent().unwrap(), &path, (RotateWhen::Day, 1), 0o644).unwrap();
        fs::remove_dir_all(dir.path().join("deep")).unwrap();
        log.end = Timestamp::MIN;
        log.rotate_if_due().unwrap();
        log.file().write_all(b"x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn what_cannot_be_put_aside_is_written_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = RotatingFile::open(path.parent().unwrap(), &path, (RotateWhen::Day, 1), 0o644).unwrap();
        log.end = Timestamp::now().checked_sub(1.second()).unwrap();
        // A folder of the name that it should get.
        let to = format!("a.log.{}", log.when.suffix(log.end, &TimeZone::system()));
        fs::create_dir_all(dir.path().join(to).join("full")).unwrap();
        assert!(log.rotate_if_due().is_err());
        // Not tried again at once.
        assert!(log.rotate_if_due().is_ok());
        log.file().write_all(b"x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }
}
