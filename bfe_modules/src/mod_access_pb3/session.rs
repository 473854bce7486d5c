//! Records of connections (modules-traffic 2.4, `SessionLog`).

use super::{Now, PRODUCT, connection, id, low, millis, tag};
use crate::protobuf::Message;
use bfe_basic::{Session, TlsState};
use std::time::UNIX_EPOCH;

/// Numbers of versions.
const VERSIONS: [(&str, u64); 2] = [("TLS1.2", 0x0303), ("TLS1.3", 0x0304)];
/// Numbers of cipher suites.
const SUITES: [(&str, u64); 9] = [
    ("TLS_AES_128_GCM_SHA256", 0x1301),
    ("TLS_AES_256_GCM_SHA384", 0x1302),
    ("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9),
];

/// Writes a `BfeLog` about a connection.
pub(super) fn log(message: &mut Message<'_>, now: Now, session: &Session) {
    let (product, error) = (session.product.borrow(), session.error.borrow());
    let product = product.as_deref().unwrap_or_default();
    let (code, text) = error.as_ref().map_or(("", ""), |(code, text)| (code.as_str(), text.as_str()));
    message.number(1, PRODUCT);
    message.number(2, now.seconds);
    message.number(3, id(&session.id.borrow()));
    // The text decides, not the code.
    let prefix = if text.is_empty() { "session_" } else { "session_err_" };
    message.text(26, tag(prefix, if product.is_empty() { "bfe" } else { product }).as_bytes());
    message.number(200, 1);
    message.message(211, |log| {
        log.text(2, code.as_bytes());
        log.text(3, text.as_bytes());
        log.number(4, low(session.requests.get()));
        // Nothing counts what is read and written.
        log.number(5, 0);
        log.number(6, 0);
        log.message(7, |info| connection(info, session));
        log.text(8, session.proto.get().as_str().as_bytes());
        log.text(9, product.as_bytes());
        let start = session.start.and_then(|(_, wall)| wall.duration_since(UNIX_EPOCH).ok());
        log.number(41, start.unwrap_or_default().as_secs());
        log.number(42, millis(session.start.map(|(at, _)| at), session.end.get()));
        // Nothing measures round trips.
        log.number(43, 0);
        if let Some(tls) = &*session.tls.borrow() {
            tls_info(log, tls);
        }
    });
}

fn tls_info(log: &mut Message<'_>, tls: &TlsState) {
    let number = |table: &[(&str, u64)], name| table.iter().find(|(n, _)| *n == name).map_or(0, |(_, n)| *n);
    log.number(101, number(&VERSIONS, tls.version));
    log.number(102, number(&SUITES, tls.cipher));
    log.number(103, tls.did_resume.into());
    log.number(104, tls.ocsp_stapled.into());
    log.number(105, low(u64::try_from(tls.handshake_time.as_millis()).unwrap_or_default()));
}
