//! The client's first message: read before anything else, as all that follows hangs on it.

mod ja3;
mod parse;
mod read;

pub(crate) use parse::ClientHello;
#[cfg(feature = "quic")]
pub(crate) use read::whole;
pub(crate) use read::{HelloError, read};

/// Versions as they stand in messages.
pub(crate) const TLS12: u16 = 0x0303;
/// TLS 1.3, which only stands in an extension.
pub(crate) const TLS13: u16 = 0x0304;
/// The mark of a client that tries again with an older version.
pub(crate) const FALLBACK_SCSV: u16 = 0x5600;
