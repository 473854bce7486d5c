//! A certificate for the TLS port, made once for each run.

use std::sync::OnceLock;

/// Certificate and key, as PEM.
pub(crate) fn certificate() -> &'static (String, String) {
    static MADE: OnceLock<(String, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["ok".to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    })
}
