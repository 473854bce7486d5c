//! Configuration files of balancing: each in the three steps `raw`, `check`, `table`.

pub mod cluster_conf;
pub mod cluster_table_conf;
pub mod gslb_conf;
pub mod name_conf;

/// Tells of what a file has that is probably a mistake, but loads.
fn warn(warnings: &[bfe_basic::conf::ConfError]) {
    for warning in warnings {
        log::warn!("{warning}");
    }
}
