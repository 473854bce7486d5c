//! Checks of `session_ticket_key.data` (tls 3.4).

use super::raw::RawSessionTicketKey;
use bfe_basic::conf::json::Document;
use bfe_basic::conf::{ConfError, ConfErrors, Faults};
use bfe_basic::json_path;

/// Length of a key, in bytes: name, and two halves of secret.
pub(crate) const KEY_BYTES: usize = 48;

pub(super) fn check(document: Document<RawSessionTicketKey>) -> Result<[u8; KEY_BYTES], ConfErrors> {
    let (raw, source, _) = document.into_parts();
    let mut faults = Faults::new();
    if raw.version.is_empty() {
        faults.push(source.error(&json_path!["Version"], "no Version"));
    }
    let text = raw.session_ticket_key.as_bytes();
    let key = from_hex(text);
    if key.is_none() {
        let reason = if text.iter().all(u8::is_ascii_hexdigit) {
            format!("expected {} hexadecimal digits, got {}", 2 * KEY_BYTES, text.len())
        } else {
            "there is something else than hexadecimal digits in it".to_owned()
        };
        faults.push(source.error(&json_path!["SessionTicketKey"], reason));
    }
    faults.into_result()?;
    key.ok_or_else(|| source.error(&json_path!["SessionTicketKey"], "no key").into())
}

/// A file that is no JSON: exactly the bytes of a key.
pub(super) fn bare(name: &str, bytes: &[u8], not_json: &ConfErrors) -> Result<[u8; KEY_BYTES], ConfErrors> {
    bytes.try_into().map_err(|_| {
        let place =
            not_json.first().place.map(|p| format!(" at {}:{}", p.line, p.column)).unwrap_or_default();
        let got = bytes.len();
        let reason =
            format!("neither JSON (wrong{place}) nor exactly {KEY_BYTES} bare bytes (there are {got})");
        ConfError::of_file(name, reason).into()
    })
}

fn from_hex(text: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[h, l]| Some(digit(*h)? << 4 | digit(*l)?)).collect();
    bytes?.try_into().ok()
}
