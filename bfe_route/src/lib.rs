//! Host, vip and route tables of the BFE load balancer (config 5-7, 12, 13).
//!
//! A request is routed in two steps. Its host, else the address that it came to, else the default give the
//! *product* (tenant); then the product's rules give the *cluster*. [`ServerRoutes`] holds what both steps
//! look things up in: three files, loaded together, immutable, swapped in whole by a reload.
//!
//! Each file has its folder, with the same three steps: `raw` (the file's shape), `check` (what is wrong with
//! it), `table` (what requests look things up in).

mod fold;
mod hash;
mod host_rule;
mod number;
mod route_rule;
mod server_routes;
mod vip_rule;

pub use host_rule::ProductHit;
pub use number::{ClusterNumber, ProductNumber};
pub use route_rule::{ADVANCED_MODE, RouteError};
pub use server_routes::{ServerRoutes, Status, Versions};
