//! `mod_doh.conf`.

use super::resolver::Resolver;
use crate::module_conf;
use bfe_basic::condition::Condition;
use bfe_basic::conf::ini::{self, Section};
use bfe_basic::conf::{ConfErrors, Faults};
use std::net::ToSocketAddrs as _;
use std::path::Path;
use std::time::Duration;

/// The checked configuration.
pub(super) struct Conf {
    pub(super) condition: Condition,
    pub(super) resolver: Resolver,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut cond, mut address, mut debug) = (String::new(), String::new(), false);
    let (mut retries, mut timeout) = (0i64, 0i64);
    let ini = ini::read_file(
        &module_conf::file(conf_root, "mod_doh"),
        &mut [
            Section::new("Basic").string("Cond", &mut cond),
            Section::new("Dns")
                .string("Address", &mut address)
                .int("RetryMax", &mut retries)
                .int("Timeout", &mut timeout),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    let mut faults = Faults::new();
    let condition = Condition::build(&cond)
        .map_err(|e| faults.push(ini.error("Basic", "Cond", format!("error build [{cond}] [{e}]"))));
    // A port alone is one of this machine.
    if address.starts_with(':') {
        address.insert_str(0, "localhost");
    }
    // Without an address there is nobody to ask, and that is no reason not to start.
    if !address.is_empty()
        && let Err(error) = address.to_socket_addrs()
    {
        faults.push(ini.error("Dns", "Address", format!("{address:?}: {error}")));
    }
    let attempts = u32::try_from(retries).ok().map(|retries| retries.saturating_add(1));
    if attempts.is_none() {
        faults.push(ini.error("Dns", "RetryMax", format!("RetryMax should >= 0., got {retries}")));
    }
    let timeout_ms = u64::try_from(timeout).ok().filter(|ms| *ms > 0);
    if timeout_ms.is_none() {
        faults.push(ini.error("Dns", "Timeout", format!("Timeout should > 0., got {timeout}")));
    }
    faults.into_result()?;
    match (condition, attempts, timeout_ms) {
        (Ok(condition), Some(attempts), Some(ms)) => {
            let resolver = Resolver { address, attempts, timeout: Duration::from_millis(ms) };
            Ok(Conf { condition, resolver })
        }
        // Each of them is among the faults.
        _ => Err(ini.error("Basic", "", "invalid").into()),
    }
}
