//! Modules that let requests pass or not, through the front door.

mod auth_basic;
mod auth_jwt;
mod auth_request;
mod doh;
mod geo;
mod prison;
pub(crate) mod redis_server;
mod secure_link;
mod sticky_redis;
mod unified_waf;
mod waf;
mod wasm;

use bfe_tests::Bfe;
use std::fs;

/// Writes a file of the tree of a running proxy; nothing of it holds before a reload.
fn write(bfe: &Bfe, path: &str, text: &str) {
    fs::write(bfe.conf().join(path), text).unwrap();
}

/// Reloads a file that is wrong; the answer has to say so in these words.
#[track_caller]
fn expect_refused(bfe: &Bfe, name: &str, words: &[&str]) {
    let error = bfe.reload(name).unwrap_or_default();
    for word in words {
        assert!(error.contains(word), "{name}: {word:?} is not in {error:?}");
    }
}
