//! SPDY/3.1, the ancestor of HTTP/2 (lifecycle 17): other frames and other header blocks around the same
//! streams, windows and responses. It is offered only where a TLS rule names it.
//!
//! Known limits: no `100 Continue` is sent, trailers are read and dropped.

mod block;
mod dictionary;
mod frames;
mod input;
#[cfg(test)]
mod tests;

pub(super) use block::Codec;
pub use dictionary::dictionary;
pub(super) use frames::{push_data_head, push_goaway, push_greeting, push_reset, push_window_update};
