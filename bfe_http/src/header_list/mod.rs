//! Requests and responses as lists of header fields: what HTTP/2 and HTTP/3 have in common.
//!
//! Either protocol has its own way to compress such lists; what they are made of ([`coding`]), what makes a list a
//! request ([`request`]) and which fields of a response are in it ([`response`]) is the same.

pub(crate) mod coding;
mod huffman;
mod huffman_codes;
pub(crate) mod request;
pub(crate) mod response;

/// The limit on a list is that much above `MaxHeaderBytes`.
const SLACK: usize = 320;

/// What a list may count at most, each field with [`request::FIELD_OVERHEAD`] more, in bytes.
pub(crate) fn max_list(max_header_bytes: usize) -> usize {
    max_header_bytes.saturating_add(SLACK).min(u32::MAX as usize / 4)
}

/// What takes the fields of a list.
pub(crate) trait Sink {
    /// A field: its name in canonical form, its value, and whether both are of characters that are allowed.
    /// False: no more of them.
    fn field(&mut self, name: &[u8], value: &[u8], sound: bool) -> bool;
}
