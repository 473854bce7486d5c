//! What a request's way to its cluster costs: hosts and products of tables of growing size, rules of products;
//! and what it costs to load those rules.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may panic, and criterion documents nothing"
)]

use bfe_basic::{Request, Session};
use bfe_route::ServerRoutes;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::rc::Rc;

/// Hosts that are asked for, spread over the table.
const ASKED: usize = 1000;

fn host(i: usize) -> String {
    format!("host-{i}.example-{}.org", i % 97)
}

/// The files of tables.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// Tables of that many hosts in that many products, each with that many rules; the last one is for
    /// everything.
    fn new(hosts: usize, products: usize, rules: usize) -> Self {
        let each =
            |value: &dyn Fn(usize) -> (String, Value)| -> Map<_, _> { (0..products).map(value).collect() };
        let tags = each(&|p| {
            let own: Vec<_> = (p..hosts).step_by(products).map(host).collect();
            (format!("tag_{p}"), json!(own))
        });
        let owners = each(&|p| (format!("product_{p}"), json!([format!("tag_{p}")])));
        let routes = each(&|p| {
            let mut list: Vec<_> = (1..rules)
                .map(|r| {
                    let condition = format!(
                        r#"req_path_prefix_in("/only-{p}-{r}/", false) && req_method_in("PUT|POST")"#
                    );
                    json!({"Cond": condition, "ClusterName": "one"})
                })
                .collect();
            list.push(json!({"Cond": "default_t()", "ClusterName": "one"}));
            (format!("product_{p}"), json!(list))
        });
        let files = Self { folder: tempfile::tempdir().unwrap() };
        for (name, value) in [
            ("host_rule.data", json!({"Version": "1", "Hosts": tags, "HostTags": owners})),
            ("vip_rule.data", json!({"Version": "1", "Vips": {}})),
            ("route_rule.data", json!({"Version": "1", "ProductRule": routes})),
        ] {
            fs::write(files.path(name), value.to_string()).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> ServerRoutes {
        let [host, vip, route] =
            ["host_rule.data", "vip_rule.data", "route_rule.data"].map(|name| self.path(name));
        ServerRoutes::load(&host, &vip, &route).unwrap()
    }
}

/// Hosts one after the other, so that the table and not the processor's cache is asked.
fn hosts(c: &mut Criterion) {
    for count in [1_000, 10_000, 100_000] {
        let tables = Files::new(count, count / 10, 2).load();
        let asked: Vec<_> = (0..count).step_by(count / ASKED).map(host).collect();
        let mut next = asked.iter().cycle();
        c.bench_function(&format!("product of a host of {count}"), |b| {
            b.iter(|| tables.find_product(black_box(next.next().unwrap().as_bytes()), None));
        });
    }
}

/// Products one after the other, likewise. Either no rule but the last one matches, or one in the middle does.
fn rules(c: &mut Criterion) {
    for (products, rules) in
        [(1, 1), (1, 8), (1, 16), (1, 100), (1_000, 1), (1_000, 8), (1_000, 16), (1_000, 100)]
    {
        let tables = Files::new(products, products, rules).load();
        for (name, rule) in [("the last", None), ("one", Some(rules / 2))].into_iter().take(rules.min(2)) {
            // A request that has just been read is in the processor's cache, so there is only one here.
            let session = Rc::new(Session::default());
            let mut req =
                Request::new(session, bfe_http::Request::new("POST", "/small/one", "example.org").unwrap());
            let path = |p| rule.map_or("/small/one".to_owned(), |rule| format!("/only-{p}-{rule}/x")).into();
            let asked: Vec<(_, Bytes)> =
                (0..products).map(|p| (tables.product_number(&format!("product_{p}")), path(p))).collect();
            let mut next = asked.iter().cycle();
            c.bench_function(
                &format!("cluster by {name} of {rules} rules, {products} products in turn"),
                |b| {
                    b.iter(|| {
                        let (product, path) = next.next().unwrap();
                        req.http.url.path = path.clone();
                        tables.find_cluster(black_box(*product), &req)
                    });
                },
            );
        }
    }
}

fn load(c: &mut Criterion) {
    let files = Files::new(1_000, 1_000, 100);
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    group.bench_function("100 rules in each of 1000 products", |b| b.iter(|| files.load()));
}

criterion_group!(benches, hosts, rules, load);
criterion_main!(benches);
