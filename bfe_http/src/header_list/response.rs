//! The fields of a response, as they go into a header list (lifecycle 16).

use crate::header::is_value;
use crate::{Header, is_token};

/// The length that a response declares, if it is one.
pub(crate) fn declared(header: &Header) -> Option<u64> {
    std::str::from_utf8(header.get("Content-Length")?).ok()?.parse().ok()
}

/// Fields between a backend and us alone.
fn is_hop_by_hop(name: &[u8]) -> bool {
    matches!(
        name,
        b"Connection"
            | b"Keep-Alive"
            | b"Proxy-Authenticate"
            | b"Proxy-Authorization"
            | b"Proxy-Connection"
            | b"Transfer-Encoding"
            | b"Upgrade"
    )
}

/// Hands over the fields that pass as they are: sorted, names in lower case, and without the length, which may be told
/// in another way.
pub(crate) fn for_each_field(header: &Header, mut field: impl FnMut(&[u8], &[u8])) {
    let mut lower = [0; 64];
    header.for_each_sorted(|name, value| {
        let value = value.trim_ascii();
        if name == b"Content-Length" || is_hop_by_hop(name) || !is_token(name) || !is_value(value) {
            return;
        }
        match lower.get_mut(..name.len()) {
            Some(lower) => {
                for (to, from) in lower.iter_mut().zip(name) {
                    *to = from.to_ascii_lowercase();
                }
                field(lower, value);
            }
            None => field(&name.to_ascii_lowercase(), value),
        }
    });
}
