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

/// The hash of the certificate's key, as a browser takes it that is to trust the certificate.
#[must_use]
pub fn certificate_pin() -> String {
    use base64::Engine as _;
    let key = rcgen::KeyPair::from_pem(&certificate().1).expect("the key of the certificate");
    let key = rcgen::PublicKeyData::subject_public_key_info(&key);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key);
    base64::engine::general_purpose::STANDARD.encode(hash)
}
