//! `cluster_table.data`: the backends of each sub-cluster (balance 2.2, config 11).

mod check;
mod raw;
mod table;

pub use table::{BackendDef, ClusterBackends, ClusterTableConf};
