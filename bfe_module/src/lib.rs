//! Callback points, handler lists and the module registry of the BFE load balancer.
//!
//! A module is a name and an `init`: it reads its configuration, registers handlers at the nine points of a
//! connection's and a request's way ([`Point`]), and pages for the monitor port ([`WebHandlers`]). Modules
//! are switched on by name in `bfe.conf`; the order in which their handlers run is fixed.

mod callback;
pub mod delay;
mod filter;
pub mod log_file;
pub mod metrics;
mod module;
pub mod redis_service;
pub mod states;
pub mod web;

pub use callback::{
    Callbacks, Finishing, Handled, HandlerResult, Point, Progress, RequestOutcome, WrongPoint,
};
pub use filter::{AsyncFinishFilter, AsyncRequestFilter, AsyncResponseFilter, LocalBoxFuture};
pub use module::{InitError, Module, Registry};
pub use web::{Query, WebHandlers};
