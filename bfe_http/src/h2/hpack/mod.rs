//! HPACK, the compression of header fields (RFC 7541).
//!
//! [`Decoder`] and [`Encoder`] hold the two dynamic tables of a connection, 4096 bytes each at most. Fields go
//! straight from a block into the buffer of a request, in canonical form, without a copy in between.

mod decoder;
mod encoder;
mod static_table;
#[cfg(test)]
mod tests;

pub(super) use decoder::Decoder;
pub(super) use encoder::Encoder;

/// Size of a dynamic table, and the most that it may have: the default of the protocol.
const TABLE_SIZE: usize = 4096;
/// What an entry counts beyond its text.
const ENTRY_OVERHEAD: usize = 32;
