//! Any bytes, read by our codec and by hyper: the same requests, or one of them refuses.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../bfe_http/tests/oracle/mod.rs"]
#[allow(clippy::unwrap_used)]
mod oracle;

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() <= 8192 {
        oracle::compare(bytes);
    }
});
