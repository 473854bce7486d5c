//! Alerts that are sent before TLS proper begins (tls 7).

/// The version that stands in a record while none is agreed on.
pub(crate) const NO_VERSION: u16 = 0x0301;

/// Codes of fatal alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alert {
    UnexpectedMessage = 10,
    RecordOverflow = 22,
    HandshakeFailure = 40,
    ProtocolVersion = 70,
    InternalError = 80,
    InappropriateFallback = 86,
    #[cfg(feature = "quic")]
    NoApplicationProtocol = 120,
}

impl Alert {
    /// The record; `version` is what has been agreed on.
    pub(crate) const fn record(self, version: u16) -> [u8; 7] {
        let [major, minor] = version.to_be_bytes();
        [21, major, minor, 0, 2, 2, self as u8]
    }
}
