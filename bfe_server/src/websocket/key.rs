//! The handshake of WebSocket on the side of the client (RFC 6455, 4.1): a key, and what the server makes of it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a server adds to the key.
const ADDED: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A new key. It proves that the server knows the protocol, and is no secret.
pub(super) fn generate() -> String {
    let mut nonce = [0; 16];
    fastrand::fill(&mut nonce);
    STANDARD.encode(nonce)
}

/// What `Sec-WebSocket-Accept` has to be after that key.
pub(super) fn accept(key: &str) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, [key, ADDED].concat().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_in_the_example_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(STANDARD.decode(generate()).unwrap().len(), 16);
        assert_ne!(generate(), generate());
    }
}
