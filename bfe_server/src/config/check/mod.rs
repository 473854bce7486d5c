//! The checks, section by section, in the order in which Go BFE makes them. Unlike there, all that is wrong is
//! told at once.

mod http3;
mod https_basic;
mod server;
mod session;

use super::raw::RawConfig;
use super::table::BfeConfig;
use bfe_basic::conf::ini::Ini;
use bfe_basic::conf::{ConfErrors, Faults, conf_path};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Limits that cannot be told from none: Go counts time in 63 bits of nanoseconds, which is some 292 years,
/// and goes wrong beyond.
const MAX_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

pub(super) fn check(raw: &RawConfig, ini: &Ini, root: &Path) -> Result<(BfeConfig, Vec<String>), ConfErrors> {
    let mut c = Checker { section: "", ini, root, faults: Faults::new(), warnings: Vec::new() };
    let config = BfeConfig {
        server: server::check(&raw.server, c.of("Server")),
        https_basic: https_basic::check(&raw.https_basic, raw.server.https_port, c.of("HttpsBasic")),
        session_cache: session::cache(&raw.session_cache, c.of("SessionCache")),
        session_ticket: session::ticket(&raw.session_ticket, c.of("SessionTicket")),
    };
    c.faults.into_result()?;
    Ok((config, c.warnings))
}

/// Checks the values of one section after the other. A value that fails leaves a fault, and a harmless one in its place: the
/// configuration is only used where there are no faults.
struct Checker<'c> {
    section: &'static str,
    ini: &'c Ini,
    root: &'c Path,
    faults: Faults,
    warnings: Vec<String>,
}

impl Checker<'_> {
    /// The checker of the next section.
    fn of(&mut self, section: &'static str) -> &mut Self {
        self.section = section;
        self
    }

    fn fault(&mut self, key: &str, reason: impl Into<String>) {
        self.faults.push(self.ini.error(self.section, key, reason));
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    fn port(&mut self, key: &str, value: i64) -> u16 {
        match u16::try_from(value) {
            Ok(port) if port > 0 => port,
            _ => {
                self.fault(key, format!("{key}[{value}] should be in [1, 65535]"));
                0
            }
        }
    }

    /// A number that must be positive.
    fn positive(&mut self, key: &str, value: i64) -> usize {
        if value <= 0 {
            self.fault(key, format!("{key}[{value}] should > 0"));
        }
        usize::try_from(value).unwrap_or_default()
    }

    /// A number that must not be negative; `None` for 0.
    fn not_negative(&mut self, key: &str, value: i64, reason: &str) -> Option<NonZeroUsize> {
        if value < 0 {
            self.fault(key, format!("{key}[{value}] {reason}"));
        }
        NonZeroUsize::new(usize::try_from(value).unwrap_or_default())
    }

    fn positive_seconds(&mut self, key: &str, value: i64) -> Duration {
        self.positive(key, value);
        seconds(value)
    }

    /// A file or folder; the default in place of an empty value.
    fn path(&mut self, key: &str, value: &str, default: &str) -> PathBuf {
        if value.is_empty() {
            self.warn(format!("{key} not set, use default value [{default}]"));
            return conf_path(self.root, default);
        }
        conf_path(self.root, value)
    }
}

/// Seconds as a limit; 0 for what is negative.
fn seconds(value: i64) -> Duration {
    Duration::from_secs(u64::try_from(value).unwrap_or_default()).min(MAX_TIMEOUT)
}

/// Milliseconds as a limit; 0 for what is negative.
fn milliseconds(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or_default()).min(MAX_TIMEOUT)
}
