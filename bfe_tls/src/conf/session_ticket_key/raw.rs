//! `session_ticket_key.data` as it is written.

use serde::Deserialize;

/// No `Debug`: a key must not get into a message.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawSessionTicketKey {
    /// Label; never empty.
    #[serde(default)]
    pub(super) version: String,
    /// 48 bytes in hexadecimal digits.
    #[serde(default)]
    pub(super) session_ticket_key: String,
}
