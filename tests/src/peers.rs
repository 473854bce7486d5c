//! Other programs that tests speak with.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, thread};

/// The path of a program that is in no package, so that a machine may lack it always. `None` where it is not
/// there: the test that asked says so, and is to return.
#[must_use]
pub fn rare_peer(name: &str) -> Option<PathBuf> {
    let path = find(name);
    if path.is_none() {
        skip(name);
    }
    path
}

/// The path of a program. `None` where the machine has none: the test that asked says so, and is to return;
/// where `BFE_REQUIRE_PEERS=1` it fails.
#[must_use]
pub fn peer(name: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        missing(name);
    }
    found
}

/// Python 3 with that module, in the same way.
#[must_use]
pub fn python_module(name: &str) -> Option<PathBuf> {
    let python = peer("python3")?;
    let there = Command::new(&python).args(["-c", &format!("import {name}")]).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    missing(&format!("Python's {name}"));
    None
}

fn missing(name: &str) {
    assert!(env::var("BFE_REQUIRE_PEERS").as_deref() != Ok("1"), "{name} is not installed");
    skip(name);
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn skip(name: &str) {
    // Not by a macro: what those print is shown for tests that fail only.
    let test = thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {name} is not installed");
}
