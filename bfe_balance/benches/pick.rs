//! What one pick costs: of a request, from the lock to the backend, for each algorithm and size.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may panic, and criterion documents nothing"
)]

use bfe_balance::BalTable;
use bfe_balance::conf::cluster_conf::ClusterTable;
use bfe_basic::{Request, Session};
use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

/// A table with one cluster of `size` backends in one sub-cluster.
fn table(size: usize, gslb_basic: &str, control: &tokio::runtime::Handle) -> BalTable {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut backends = String::new();
    for n in 0..size {
        let weight = n % 7 + 1;
        let comma = if n == 0 { "" } else { "," };
        write!(backends, r#"{comma}{{"Name":"b{n}","Addr":"10.0.0.1","Port":{n},"Weight":{weight}}}"#)
            .unwrap();
    }
    let gslb = file("gslb", r#"{"Clusters":{"c":{"s":1}},"Hostname":"","Ts":""}"#);
    let backends =
        file("cluster_table", &format!(r#"{{"Version":"","Config":{{"c":{{"s":[{backends}]}}}}}}"#));
    let conf =
        file("cluster_conf", &format!(r#"{{"Version":"","Config":{{"c":{{"GslbBasic":{gslb_basic}}}}}}}"#));
    let table = BalTable::load(&gslb, &backends, control.clone()).unwrap();
    table.set_gslb_basic(&Arc::new(ClusterTable::load(&conf).unwrap()));
    table
}

fn picks(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (algorithm, conf) in [
        ("wrr", "{}"),
        ("wlc", r#"{"BalanceMode":"WLC"}"#),
        ("sticky", r#"{"HashConf":{"SessionSticky":true}}"#),
    ] {
        for size in [10, 1000] {
            let table = table(size, conf, runtime.handle());
            let balancer = table.lookup("c").unwrap();
            let http = bfe_http::Request::new("GET", "/", "h").unwrap();
            let mut req = Request::new(Rc::new(Session::default()), http);
            req.client_addr = Some("192.0.2.1:80".parse().unwrap());
            criterion.bench_function(&format!("{algorithm} of {size}"), |bencher| {
                bencher.iter(|| black_box(balancer.balance(&mut req)).unwrap());
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default();
    targets = picks
}
criterion_main!(benches);
