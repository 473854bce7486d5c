//! Two-level balancing, backends and health checks of the BFE load balancer.
//!
//! A request of a cluster is first given a sub-cluster, by the weights of `gslb.data` and a hash of the
//! request, then a backend of `cluster_table.data` in it. [`BalTable`] holds a [`Balancer`] for each cluster;
//! [`Balancer::balance`] makes one choice, for one attempt. How many attempts there may be, and all else about
//! talking to backends, is in `cluster_conf.data` ([`conf::cluster_conf::ClusterTable`]).
//!
//! A [`Backend`] counts the requests it has and the failures it makes; after too many in a row it is down and
//! checked on the control runtime until it is up again.

mod backend;
mod bal_table;
pub mod conf;
mod counters;
pub mod epp;
mod gslb;
mod hash_key;
mod health;
mod murmur3;
mod slb;

pub use backend::Backend;
pub use bal_table::{BalTable, BalVersion, ClusterStatus};
pub use bfe_basic::{SESSION_STICKY_BACKEND_KEY, StickyBackend};
pub use counters::bal_state;
pub use gslb::{BalanceError, Balancer, GSLB_BLACKHOLE};
pub use murmur3::hash64;
