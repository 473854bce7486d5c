//! What a request's way to its cluster costs: hosts and products of tables of growing size, rules of one product.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may panic, and criterion documents nothing"
)]

use bfe_basic::{Request, Session};
use bfe_route::ServerRoutes;
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use std::fs;
use std::hint::black_box;
use std::rc::Rc;

/// Hosts that are asked for, spread over the table.
const ASKED: usize = 1000;

fn host(i: usize) -> String {
    format!("host-{i}.example-{}.org", i % 97)
}

/// Tables of that many hosts in that many products, each with that many rules; the last one is for everything.
fn tables(hosts: usize, products: usize, rules: usize) -> ServerRoutes {
    let each = |value: &dyn Fn(usize) -> (String, Value)| -> Map<_, _> { (0..products).map(value).collect() };
    let tags = each(&|p| {
        let own: Vec<_> = (p..hosts).step_by(products).map(host).collect();
        (format!("tag_{p}"), json!(own))
    });
    let owners = each(&|p| (format!("product_{p}"), json!([format!("tag_{p}")])));
    let routes = each(&|p| {
        let mut list: Vec<_> = (1..rules)
            .map(|r| {
                let condition =
                    format!(r#"req_path_prefix_in("/only-{p}-{r}/", false) && req_method_in("PUT|POST")"#);
                json!({"Cond": condition, "ClusterName": "one"})
            })
            .collect();
        list.push(json!({"Cond": "default_t()", "ClusterName": "one"}));
        (format!("product_{p}"), json!(list))
    });
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        let path = folder.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path
    };
    ServerRoutes::load(
        &write("host_rule.data", json!({"Version": "1", "Hosts": tags, "HostTags": owners})),
        &write("vip_rule.data", json!({"Version": "1", "Vips": {}})),
        &write("route_rule.data", json!({"Version": "1", "ProductRule": routes})),
    )
    .unwrap()
}

/// Hosts one after the other, so that the table and not the processor's cache is asked.
fn hosts(c: &mut Criterion) {
    for count in [1_000, 10_000, 100_000] {
        let tables = tables(count, count / 10, 2);
        let asked: Vec<_> = (0..count).step_by(count / ASKED).map(host).collect();
        let mut next = asked.iter().cycle();
        c.bench_function(&format!("product of a host of {count}"), |b| {
            b.iter(|| tables.find_product(black_box(next.next().unwrap().as_bytes()), None));
        });
    }
}

fn rules(c: &mut Criterion) {
    let session = Rc::new(Session::default());
    let req = Request::new(session, bfe_http::Request::new("GET", "/small", "example.org").unwrap());
    for (products, rules) in [(1, 1), (1, 100), (1_000, 100)] {
        let tables = tables(products, products, rules);
        let names: Vec<_> = (0..products).map(|p| format!("product_{p}")).collect();
        let mut next = names.iter().cycle();
        c.bench_function(
            &format!("cluster by the last of {rules} rules, {products} products in turn"),
            |b| {
                b.iter(|| tables.find_cluster(black_box(next.next().unwrap()), &req));
            },
        );
    }
}

criterion_group!(benches, hosts, rules);
criterion_main!(benches);
