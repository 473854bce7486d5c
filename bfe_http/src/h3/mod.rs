//! HTTP/3 towards clients (RFC 9114), over QUIC by [`quinn`]. The original has nothing of the kind.
//!
//! A [`Connection`] turns streams into requests; each comes with a [`StreamExchange`], the way back of its response.
//! Whoever drives the connection runs each request as a task of its own, on the same worker:
//!
//! ```text
//!   streams in ─► frames (frame) ─► list of fields (qpack) ─► Request (incoming) ─► task ─► StreamExchange
//!                    └─► body bytes (body)                          streams out ◄── respond ──┘
//! ```
//!
//! The frames are our own, as they are for HTTP/2: a request has to mean the same to a backend by whichever protocol
//! it came, so both go through the same [`header_list`](crate::header_list). Nothing is pushed, tables stay empty, and
//! only CONNECT without a protocol of its own is known.
//!
//! Bounds of a connection: streams at once and windows, which the transport keeps; twice the limit on a list of fields
//! for all those that have not come whole; 4 KiB of each response that wait for more of it.

mod body;
mod code;
mod connection;
mod control;
mod exchange;
mod frame;
mod incoming;
mod qpack;
mod respond;
mod state;

pub use connection::{Connection, Settings};
pub use exchange::StreamExchange;
pub use incoming::{HeadError, Incoming};
pub use state::http3_state;
