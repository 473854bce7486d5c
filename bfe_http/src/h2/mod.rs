//! HTTP/2 towards clients (lifecycle 16).
//!
//! A [`Connection`] turns frames into requests; each comes with a [`StreamExchange`], the way back of its
//! response. Whoever drives the connection runs each request as a task of its own, on the same worker:
//!
//! ```text
//!   bytes in ─► frames (input) ─► header block (hpack, head) ─► Request ─► task ─► StreamExchange (respond)
//!                  │                                                                  │
//!                  └─► body bytes of streams (stream)            frames ◄─────────────┘
//!                                                                  │
//!   bytes out ◄── one write for all that has gathered (output) ◄───┘
//! ```
//!
//! The frame layer is our own: what the reference answers to what is wrong, the order of its settings, and the
//! fingerprint of a client have to be the same, and a request costs less when its fields go from the header
//! block straight into its head. Where the reference breaks RFC 9113, this follows the RFC.
//!
//! A stream can carry another protocol than HTTP, such as WebSocket, where the client has been told so
//! (RFC 8441): a [`Tunnel`].
//!
//! SPDY/3.1 (`spdy`) is other frames around the same streams; `wire` is where the two part.
//!
//! Bounds of a connection: streams at once times their windows for request bodies and one frame beyond them, [`output::HIGH`] for what
//! is on its way out, two times the limit of the header list for a header block, and a [`budget`] for what a
//! client does without use to anybody.

mod budget;
mod closing;
mod connection;
mod exchange;
mod fingerprint;
mod frame;
mod hpack;
mod input;
mod output;
mod respond;
mod response_head;
mod spdy;
mod state;
mod stream;
mod tunnel;
mod wire;

pub use connection::{Connection, Settings};
pub use exchange::StreamExchange;
pub(crate) use fingerprint::Fingerprint;
pub use spdy::dictionary as spdy_dictionary;
pub use state::http2_state;
pub use tunnel::Tunnel;
