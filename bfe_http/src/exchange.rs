//! The seam between protocols and the pipeline: one request in, one response out.

use crate::Response;
use crate::h1::server::{SendOptions, Sent};
use std::time::Instant;

/// A request's way back: what a protocol offers to whoever answers one of its requests.
///
/// The request itself has been read already; its body is in [`crate::Request::body`].
#[expect(async_fn_in_trait, reason = "everything stays on its worker, so no future needs to be Send")]
pub trait Exchange {
    /// Sends the response. Its body is used up; status and header stay, for logs.
    async fn respond(&self, res: &mut Response, options: &SendOptions) -> Sent;

    /// What the client's `Connection` field has become: handlers may have changed it, and it decides whether the
    /// connection ends after this response. Only HTTP/1 has a use for it.
    fn set_connection_field(&self, _value: &[u8]) {}

    /// Until when reading from the client may take; `None` for ever.
    fn set_read_deadline(&self, at: Option<Instant>);

    /// Until when writing to the client may take; `None` for ever.
    fn set_write_deadline(&self, at: Option<Instant>);

    /// Bytes of the request body that have been read.
    fn body_read(&self) -> u64;
}
