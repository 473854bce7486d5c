//! Logs of modules: what stands in them, how they are put aside, and that traffic never waits for them.

mod access;
mod access_pb3;
mod key_log;
mod trace;

use bfe_tests::{Bfe, wait_for};
use std::fs;
use std::path::Path;

/// Waits for so many lines in a file, and gives all that there are.
pub(crate) fn wait_lines(path: &Path, lines: usize) -> Vec<String> {
    wait_for("lines of a log", || {
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        (text.lines().count() >= lines && text.ends_with('\n'))
            .then(|| text.lines().map(Into::into).collect())
    })
}

/// A counter on `/metrics`.
fn metric(bfe: &Bfe, name: &str) -> u64 {
    let page = bfe.monitor("/metrics");
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}
