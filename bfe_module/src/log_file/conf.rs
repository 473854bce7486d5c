//! The keys of the section `[Log]` that say where records go (modules-traffic 0.6).

use super::RotateWhen;
use bfe_basic::conf::ini::{Ini, Section};
use bfe_basic::conf::{ConfErrors, Faults, conf_path};
use std::path::{Path, PathBuf};

/// Name of the section.
const SECTION: &str = "Log";

/// The keys, as a file gives them.
#[derive(Debug, Default)]
pub struct LogKeys {
    file: String,
    prefix: String,
    dir: String,
    rotate_when: String,
    backup_count: i64,
}

/// A checked place for records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// One file (or pipe, or device) for ever.
    Single(PathBuf),
    /// A file that is put aside in time.
    Rotating {
        /// The folder, made where it is missing.
        dir: PathBuf,
        /// The file that is written, in it.
        path: PathBuf,
        /// When it is put aside.
        when: RotateWhen,
        /// How many that were put aside are kept.
        backups: usize,
    },
}

impl LogTarget {
    /// The file that is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Single(path) | Self::Rotating { path, .. } => path,
        }
    }
}

impl LogKeys {
    /// The section with all keys; more can be added to it.
    pub fn section(&mut self) -> Section<'_> {
        Section::new(SECTION)
            .string("LogFile", &mut self.file)
            .string("LogPrefix", &mut self.prefix)
            .string("LogDir", &mut self.dir)
            .string("RotateWhen", &mut self.rotate_when)
            .int("BackupCount", &mut self.backup_count)
    }

    /// The section without `LogFile`.
    pub fn section_rotating(&mut self) -> Section<'_> {
        Section::new(SECTION)
            .string("LogPrefix", &mut self.prefix)
            .string("LogDir", &mut self.dir)
            .string("RotateWhen", &mut self.rotate_when)
            .int("BackupCount", &mut self.backup_count)
    }

    /// Checks the keys. Relative paths are taken from `root`, or from the working directory without one.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn check(&self, ini: &Ini, root: Option<&Path>) -> Result<LogTarget, ConfErrors> {
        let place = |path: &str| root.map_or_else(|| PathBuf::from(path), |root| conf_path(root, path));
        let mut faults = Faults::new();
        if !self.file.is_empty() {
            for (key, given) in [
                ("LogPrefix", !self.prefix.is_empty()),
                ("LogDir", !self.dir.is_empty()),
                ("RotateWhen", !self.rotate_when.is_empty()),
                ("BackupCount", self.backup_count > 0),
            ] {
                if given {
                    faults.push(ini.error(SECTION, key, "cannot be set when LogFile is set"));
                }
            }
            faults.into_result()?;
            return Ok(LogTarget::Single(place(&self.file)));
        }
        if self.prefix.is_empty() {
            faults.push(ini.error(SECTION, "LogPrefix", "LogPrefix is empty"));
        }
        if self.dir.is_empty() {
            faults.push(ini.error(SECTION, "LogDir", "LogDir is empty"));
        }
        let when = RotateWhen::parse(&self.rotate_when);
        if when.is_none() {
            let reason =
                format!("RotateWhen invalid: {:?}, expected M, H, D, MIDNIGHT or NEXTHOUR", self.rotate_when);
            faults.push(ini.error(SECTION, "RotateWhen", reason));
        }
        if self.backup_count <= 0 {
            let reason = format!("BackupCount should > 0: {}", self.backup_count);
            faults.push(ini.error(SECTION, "BackupCount", reason));
        }
        faults.into_result()?;
        let dir = place(&self.dir);
        Ok(LogTarget::Rotating {
            path: dir.join(format!("{}.log", self.prefix)),
            dir,
            when: when.unwrap_or(RotateWhen::NextHour),
            backups: usize::try_from(self.backup_count).unwrap_or(usize::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bfe_basic::conf::ini;

    fn check(text: &str) -> Result<LogTarget, String> {
        let mut keys = LogKeys::default();
        let read = ini::from_slice("x.conf", text.as_bytes(), &mut [keys.section()]).unwrap();
        keys.check(&read, Some(Path::new("/conf"))).map_err(|e| e.to_string())
    }

    #[test]
    fn access_2_and_3_keys() {
        let rotating = LogTarget::Rotating {
            dir: "/log".into(),
            path: "/log/a.log".into(),
            when: RotateWhen::NextHour,
            backups: 2,
        };
        let good = "[Log]\nLogPrefix = a\nLogDir = ../log\nRotateWhen = nextHour\nBackupCount = 0x2";
        assert_eq!(check(good), Ok(rotating));
        assert_eq!(check("[Log]\nLogFile = l\nBackupCount = 0"), Ok(LogTarget::Single("/conf/l".into())));
        for (text, wants) in [
            (
                "[Log]",
                &["LogPrefix is empty", "LogDir is empty", "RotateWhen invalid", "BackupCount should"][..],
            ),
            ("[Log]\nLogFile = l\nLogPrefix = a", &["x.conf:3:1: Log.LogPrefix: cannot be set"]),
            ("[Log]\nLogFile = l\nBackupCount = 1", &["Log.BackupCount: cannot be set"]),
            (&good.replace("nextHour", "HOUR"), &["RotateWhen invalid: \"HOUR\""]),
            (&good.replace("0x2", "-1"), &["BackupCount should > 0: -1"]),
        ] {
            let error = check(text).unwrap_err();
            for want in wants {
                assert!(error.contains(want), "{error}");
            }
        }
    }
}
