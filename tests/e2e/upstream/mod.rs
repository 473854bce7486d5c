//! Backends that speak something else than plain HTTP/1.

mod fcgi;
mod h2c;
mod https;
mod picker;

use bfe_tests::{Cluster, Tree};
use serde_json::Value;

/// A tree whose host `ok` leads to that backend by another protocol.
fn tree(backend: &bfe_tests::Backend, conf: Value) -> Tree {
    Tree::new()
        .host("p", "ok")
        .route("p", "default_t()", "c")
        .cluster(Cluster::new("c").sub("c.s", 100, &[backend]))
        .cluster_conf("c", conf)
}
