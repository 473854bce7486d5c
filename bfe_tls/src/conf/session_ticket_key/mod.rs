//! `session_ticket_key.data`: the key of session tickets (tls 3.4). Nothing of it ever gets into a message.

mod check;
mod raw;

pub(crate) use check::KEY_BYTES;

use bfe_basic::conf::{ConfErrors, json, read_bytes};
use std::path::Path;

/// Loads the file: JSON, else the bare bytes.
pub(crate) fn load(path: &Path) -> Result<[u8; KEY_BYTES], ConfErrors> {
    let bytes = read_bytes(path)?;
    let name = path.display().to_string();
    match json::from_slice(&name, &bytes) {
        Ok(document) => check::check(document),
        Err(not_json) => check::bare(&name, &bytes, &not_json),
    }
}

#[cfg(test)]
mod tests;
