//! Alerts that are sent before TLS proper begins (tls 7).

/// Codes of fatal alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alert {
    UnexpectedMessage = 10,
    RecordOverflow = 22,
    HandshakeFailure = 40,
    ProtocolVersion = 70,
    InternalError = 80,
    InappropriateFallback = 86,
}

impl Alert {
    /// The record, with the version that stands in it while none is agreed on.
    pub(crate) const fn record(self) -> [u8; 7] {
        [21, 3, 1, 0, 2, 2, self as u8]
    }
}
