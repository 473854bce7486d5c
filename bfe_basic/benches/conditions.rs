//! What conditions cost on the way of a request: `cargo bench -p bfe_basic`.

use bfe_basic::condition::Condition;
use bfe_basic::{Request, Session};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::SocketAddr;
use std::rc::Rc;

/// A request whose host, path and address are among the last of those below.
fn request(host: &str, path: &str, client: &str) -> Option<Request> {
    let http = bfe_http::Request::new("GET", path, host).ok()?;
    let mut request = Request::new(Rc::new(Session::default()), http);
    request.client_addr = Some(SocketAddr::new(client.parse().ok()?, 1234));
    Some(request)
}

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join("|")
}

fn bench(c: &mut Criterion, name: &str, expression: &str, request: &Request) {
    match Condition::build(expression) {
        Ok(condition) => {
            c.bench_function(name, |b| b.iter(|| black_box(&condition).matches(black_box(request))));
        }
        Err(e) => eprintln!("{name}: {e}"),
    }
}

fn sets(c: &mut Criterion) {
    for count in [1usize, 100, 10_000] {
        let last = count - 1;
        let Some(req) =
            request(&format!("Host{last}.example.org:8080"), &format!("/api/{last}/x"), "10.0.0.1")
        else {
            return;
        };
        let paths = list(count, |i| format!("/api/{i}/"));
        bench(
            c,
            &format!("req_path_prefix_in/{count}"),
            &format!("req_path_prefix_in(\"{paths}\", false)"),
            &req,
        );
        let name = format!("req_path_prefix_in ignoring case/{count}");
        bench(c, &name, &format!("req_path_prefix_in(\"{paths}\", true)"), &req);
        let hosts = list(count, |i| format!("host{i}.example.org"));
        bench(c, &format!("req_host_in/{count}"), &format!("req_host_in(\"{hosts}\")"), &req);
    }
}

fn ranges(c: &mut Criterion) {
    const COUNT: usize = 10_000;
    let ranges: Vec<_> = (0..COUNT)
        .map(|i| format!("req_cip_range(\"10.{}.{}.0\", \"10.{}.{}.9\")", i / 250, i % 250, i / 250, i % 250))
        .collect();
    let expression = ranges.join(" || ");
    for (name, client) in [("hit", "10.39.249.5"), ("miss", "10.39.249.77")] {
        let Some(req) = request("example.org", "/", client) else { return };
        bench(c, &format!("req_cip_range/{COUNT}/{name}"), &expression, &req);
    }
}

fn route_table(c: &mut Criterion) {
    const RULES: usize = 1000;
    let rules: Vec<Condition> = (0..RULES)
        .filter_map(|i| {
            let host = format!("host{}.example.org", i / 10);
            Condition::build(&format!(
                "req_host_in(\"{host}\") && req_path_prefix_in(\"/api/{i}/\", false) && req_method_in(\"GET|POST\")"
            ))
            .ok()
        })
        .collect();
    for (name, rule) in [("first", 0), ("last", RULES - 1)] {
        let host = format!("host{}.example.org", rule / 10);
        let Some(req) = request(&host, &format!("/api/{rule}/x"), "10.0.0.1") else { return };
        c.bench_function(&format!("route table of {RULES} rules/{name}"), |b| {
            b.iter(|| rules.iter().position(|rule| rule.matches(black_box(&req)) == Ok(true)));
        });
    }
}

criterion_group!(benches, sets, ranges, route_table);
criterion_main!(benches);
