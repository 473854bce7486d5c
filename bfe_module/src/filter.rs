//! Handlers that may have to wait: for another server, for a file, for a body.

use crate::{Handled, HandlerResult};
use bfe_basic::{NeedBody, Request};
use bfe_http::Response;
use std::pin::Pin;

/// A future that stays on its worker.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A request handler that has to wait for something, such as another server.
pub trait AsyncRequestFilter: Send + Sync {
    /// Handles the request without waiting, where that can be done; `None` has [`AsyncRequestFilter::call`]
    /// called. What costs next to nothing belongs here, such as finding that no rule matches.
    fn ready(&self, _req: &mut Request) -> Option<Handled> {
        None
    }

    /// Handles the request.
    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled>;
}

/// A response handler that has to wait for something, such as the body of the response.
pub trait AsyncResponseFilter: Send + Sync {
    /// Handles the response in `req.response` without waiting, where that can be done; `None` has
    /// [`AsyncResponseFilter::call`] called.
    fn ready(&self, _req: &mut Request) -> Option<Result<HandlerResult, NeedBody>> {
        None
    }

    /// Handles the response in `req.response`, and leaves one there.
    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Result<HandlerResult, NeedBody>>;
}

/// A handler of requests that are over that has to wait for something, such as another server. The next request
/// of the connection waits for it too.
pub trait AsyncFinishFilter: Send + Sync {
    /// Handles the request without waiting, where that can be done; `None` has [`AsyncFinishFilter::call`]
    /// called. `response` is what was sent.
    fn ready(&self, _req: &mut Request, _response: Option<&Response>) -> Option<HandlerResult> {
        None
    }

    /// Handles the request.
    fn call<'a>(
        &'a self,
        req: &'a mut Request,
        response: Option<&'a Response>,
    ) -> LocalBoxFuture<'a, HandlerResult>;
}
