//! HTTP/1: a small strict codec, and the connections on both sides that use it.
//!
//! [`head`], [`framing`] and [`chunked`] are sans I/O: bytes in, messages out. [`server`] reads requests from
//! a client and writes responses to it; [`client`] does the reverse towards a backend. They work on any byte
//! stream, and so serve plain and TLS connections alike.

pub mod chunked;
pub mod client;
pub mod encode;
pub mod framing;
pub mod head;
pub mod lines;
pub mod server;
mod splice;
mod stream;
pub(crate) mod timer;

pub use splice::{SocketBody, limit_pipes};
pub use stream::{BufferedIo, Io, Stream};
