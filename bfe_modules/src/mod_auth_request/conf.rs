//! `mod_auth_request.conf`.

use crate::http_address::Address;
use crate::module_conf;
use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Section};
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAME: &str = "mod_auth_request";

/// The checked configuration.
pub(super) struct Conf {
    pub(super) rules: PathBuf,
    pub(super) address: Address,
    /// From the connect to the head of the answer.
    pub(super) timeout: Duration,
}

/// Reads the file.
pub(super) fn load(conf_root: &Path) -> Result<Conf, ConfErrors> {
    let (mut rules, mut address, mut timeout, mut debug) = (String::new(), String::new(), 0, false);
    let ini = ini::read_file(
        &module_conf::file(conf_root, NAME),
        &mut [
            Section::new("Basic")
                .string("DataPath", &mut rules)
                .string("AuthAddress", &mut address)
                .int("AuthTimeout", &mut timeout),
            Section::new("Log").bool("OpenDebug", &mut debug),
        ],
    )?;
    if address.is_empty() {
        return Err(ini.error("Basic", "AuthAddress", "ModAuthRequest.AuthAddress not set").into());
    }
    let address = Address::parse(&address)
        .map_err(|reason| ini.error("Basic", "AuthAddress", format!("{address:?}: {reason}")))?;
    let timeout = u64::try_from(timeout).ok().filter(|ms| *ms > 0).ok_or_else(|| {
        let reason = format!("ModAuthRequest.AuthTimeout must > 0, got {timeout}");
        ini.error("Basic", "AuthTimeout", reason)
    })?;
    Ok(Conf {
        rules: module_conf::resolve(conf_root, &rules, "mod_auth_request/auth_request_rule.data"),
        address,
        timeout: Duration::from_millis(timeout),
    })
}
