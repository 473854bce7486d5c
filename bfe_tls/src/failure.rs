//! Why a handshake failed, in the words of the reference: session logs tell them.

use std::io;
use tokio_rustls::rustls::{CertificateError, Error, PeerIncompatible};

/// What an alert of that code is called.
pub(crate) fn alert_name(code: u8) -> String {
    let name = match code {
        0 => "close notify",
        10 => "unexpected message",
        20 => "bad record MAC",
        21 => "decryption failed",
        22 => "record overflow",
        30 => "decompression failure",
        40 => "handshake failure",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "revoked certificate",
        45 => "expired certificate",
        46 => "unknown certificate",
        47 => "illegal parameter",
        48 => "unknown certificate authority",
        49 => "access denied",
        50 => "error decoding message",
        51 => "error decrypting message",
        70 => "protocol version not supported",
        71 => "insufficient security level",
        80 => "internal error",
        86 => "inappropriate fallback",
        90 => "user canceled",
        100 => "no renegotiation",
        code => return format!("alert({code})"),
    };
    name.to_owned()
}

/// Why the TLS library gave up.
pub(crate) fn words(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "EOF".into();
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Error::AlertReceived(alert)) => format!("remote error: {}", alert_name(u8::from(*alert))),
        Some(Error::NoCertificatesPresented) => "tls: client didn't provide a certificate".into(),
        Some(Error::InvalidCertificate(CertificateError::Revoked)) => {
            "tls: revoked client certificate".into()
        }
        Some(Error::InvalidCertificate(CertificateError::BadEncoding)) => {
            "tls: failed to verify client's certificate".into()
        }
        Some(Error::General(why)) => why.clone(),
        Some(Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon)) => {
            "tls: client doesn't support any common hash functions".into()
        }
        Some(Error::InappropriateMessage { .. }) => "local error: unexpected message".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_rustls::rustls::AlertDescription;

    #[test]
    fn tls_65_words() {
        let of = |error: Error| words(&io::Error::new(io::ErrorKind::InvalidData, error));
        for (got, want) in [
            (words(&io::ErrorKind::UnexpectedEof.into()), "EOF"),
            (words(&io::Error::other("x")), "x"),
            (
                of(Error::AlertReceived(AlertDescription::UnknownCA)),
                "remote error: unknown certificate authority",
            ),
            (of(Error::AlertReceived(AlertDescription::NoApplicationProtocol)), "remote error: alert(120)"),
            (of(Error::NoCertificatesPresented), "tls: client didn't provide a certificate"),
            (of(CertificateError::Revoked.into()), "tls: revoked client certificate"),
            (of(Error::General("tls: x".into())), "tls: x"),
        ] {
            assert_eq!(got, want);
        }
    }
}
