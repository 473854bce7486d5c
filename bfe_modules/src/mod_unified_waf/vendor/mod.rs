//! Vendors of firewalls: what each of them can do, and which there are.

mod mock;
mod redirect;

use super::request::Inspected;
use crate::json_answer::AnswerError;
use bfe_http::transport::TransportError;
use bfe_module::LocalBoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Values of `WafProductName` that are vendors.
pub(super) const NAMES: &[&str] = &[mock::NAME];

/// What a firewall says about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// The request may not pass; the name of the event is for the client.
    Block(String),
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(super) enum VendorError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("status {0}")]
    Status(u16),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("{0} redirects")]
    Redirects(usize),
    #[error("it says that it is not well")]
    NotWell,
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl VendorError {
    /// Whether there was not even a connection.
    pub(super) fn is_connect(&self) -> bool {
        matches!(self, Self::Transport(TransportError::Connect { .. }))
    }
}

/// An instance of a vendor's firewall. What it waits for has limits of its own.
pub(super) trait Agent: Send + Sync {
    /// Asks about a request.
    fn detect<'a>(
        &'a self,
        request: &'a Inspected,
        log_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<Verdict, VendorError>>;

    /// How long connecting may take from now on.
    fn set_connect_timeout(&self, limit: Duration);

    /// Asks how it is, at the address for that.
    fn check<'a>(&'a self, addr: &'a str) -> LocalBoxFuture<'a, Result<(), VendorError>>;
}

/// An agent of that vendor for the instance at `addr`, with at most so many connections; `None` where there is no
/// such vendor.
pub(super) fn agent(vendor: &str, addr: &str, pool_size: usize, connect: Duration) -> Option<Arc<dyn Agent>> {
    (vendor == mock::NAME).then(|| Arc::new(mock::MockWaf::new(addr, pool_size, connect)) as Arc<dyn Agent>)
}
