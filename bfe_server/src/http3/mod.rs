//! HTTP/3: QUIC on the UDP port beside the HTTPS port. The original has nothing of the kind.
//!
//! Each worker has a socket and an endpoint of its own ([`endpoint`]), so that a connection lives and dies on one
//! worker as those by TCP do. The kernel spreads datagrams by addresses; those of a client whose address has changed
//! reach the wrong worker, which passes them on ([`router`]). [`serve`] is a connection's way.

mod endpoint;
mod router;
mod serve;

pub(crate) use endpoint::{Port, Serving, ports};

use bfe_http::h3::http3_state;
use bfe_module::WebHandlers;
use bfe_module::web::DuplicateHandler;

/// Registers the counters.
pub(crate) fn register(web: &mut WebHandlers) -> Result<(), DuplicateHandler> {
    web.add_counters("http3_state", "http3_state_diff", http3_state::group())
}
