//! `gslb.data`: how the requests of each cluster are shared among its sub-clusters (balance 2.1, config 10).

mod check;
mod raw;
mod table;

pub use table::{ClusterWeights, GslbConf};
