//! What modules cost a request: those that have nothing to do with it, and mod_header at work.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may panic, and criterion documents nothing"
)]

use bfe_basic::{Request, Session};
use bfe_http::Response;
use bfe_module::{Callbacks, Point, Progress, WebHandlers};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

const POINTS: [Point; 3] =
    [Point::HandleBeforeLocation, Point::HandleFoundProduct, Point::HandleAfterLocation];

/// The handlers of some modules, on a configuration tree.
fn callbacks(root: &Path, modules: &[&str]) -> Callbacks {
    let names: Vec<_> = modules.iter().map(ToString::to_string).collect();
    let (mut callbacks, mut web) = (Callbacks::default(), WebHandlers::default());
    for module in bfe_modules::registry().select(&names).unwrap() {
        module.init(&mut callbacks, &mut web, root).unwrap();
    }
    callbacks
}

fn request(product: &str) -> Request {
    let session = Session {
        remote_addr: Some("192.0.2.1:4711".parse().unwrap()),
        local_addr: Some("192.0.2.2:80".parse().unwrap()),
        ..Session::default()
    };
    let mut http = bfe_http::Request::new("GET", "/a/b?c=d", "example.org").unwrap();
    for (name, value) in [("User-Agent", "curl/8"), ("Accept", "*/*"), ("Accept-Encoding", "gzip, br")] {
        http.header.add(name, value);
    }
    let mut req = Request::new(Rc::new(session), http);
    req.route.product = product.into();
    req
}

/// Calls all handlers of requests and of the response.
fn run(callbacks: &Callbacks, req: &mut Request) {
    let mut cx = Context::from_waker(Waker::noop());
    for point in POINTS {
        let mut progress = Progress::default();
        let _ = black_box(pin!(callbacks.run_request(point, req, &mut progress)).poll(&mut cx));
    }
    req.response = Some(Response::new(200));
    let mut progress = Progress::default();
    let _ = black_box(pin!(callbacks.run_read_response(req, &mut progress)).poll(&mut cx));
}

fn modules(c: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf");
    let idle = [
        "mod_userid",
        "mod_tag",
        "mod_cors",
        "mod_redirect",
        "mod_static",
        "mod_rewrite",
        "mod_errors",
        "mod_markdown",
        "mod_compress",
        "mod_session_sticky",
    ];
    // Without modules: what the calls themselves cost.
    let none = callbacks(&root, &[]);
    let mut req = request("other");
    c.bench_function("no module", |b| b.iter(|| run(&none, &mut req)));
    for name in idle {
        let callbacks = callbacks(&root, &[name]);
        let mut req = request("other");
        c.bench_function(&format!("{name}, no rules"), |b| b.iter(|| run(&callbacks, &mut req)));
    }
    let all = callbacks(&root, &idle);
    let mut req = request("other");
    c.bench_function("ten modules, no rules", |b| b.iter(|| run(&all, &mut req)));

    let tree = tempfile::tempdir().unwrap();
    let folder = tree.path().join("mod_header");
    std::fs::create_dir(&folder).unwrap();
    let rules = r#"{"Version":"1","Config":{"p":[{"Cond":"default_t()","Last":true,"Actions":[
        {"Cmd":"REQ_HEADER_SET","Params":["X-A","1"]},
        {"Cmd":"REQ_HEADER_SET","Params":["X-Ip","%bfe_client_ip"]},
        {"Cmd":"REQ_HEADER_ADD","Params":["X-Mixed","c=%bfe_cluster;h=%bfe_request_host"]},
        {"Cmd":"REQ_HEADER_DEL","Params":["Accept"]},
        {"Cmd":"REQ_HEADER_RENAME","Params":["User-Agent","X-Agent"]}]}]}}"#;
    std::fs::write(folder.join("mod_header.data"), rules).unwrap();
    for (name, conf) in
        [("five actions", "DisableDefaultHeader = true"), ("five actions, default headers", "")]
    {
        std::fs::write(folder.join("mod_header.conf"), format!("[Basic]\n{conf}\n")).unwrap();
        let callbacks = callbacks(tree.path(), &["mod_header"]);
        c.bench_function(&format!("mod_header, {name}"), |b| {
            b.iter_batched_ref(|| request("p"), |req| run(&callbacks, req), BatchSize::SmallInput);
        });
    }
    prison(c);
    let callbacks = callbacks(&root, &["mod_logid"]);
    c.bench_function("mod_logid", |b| {
        b.iter_batched_ref(|| request("p"), |req| run(&callbacks, req), BatchSize::SmallInput);
    });
}

/// A kind of condition, and how one of that number is written.
type ConditionKind = (&'static str, fn(usize) -> String);

/// Lists of 1,000 rules in three modules, by the kind of condition; beside them the last rule alone.
fn long_lists(c: &mut Criterion) {
    let kinds: [ConditionKind; 5] = [
        ("paths", |i| format!(r#"req_path_prefix_in(\"/a/b{i}\", false)"#)),
        ("hosts and paths", |i| format!(r#"req_host_in(\"example.org\") && req_path_in(\"/a/{i}\", false)"#)),
        ("fields", |i| format!(r#"req_header_value_in(\"X-Key\", \"{i}\", false)"#)),
        ("regular expressions", |i| format!(r#"req_path_regmatch(\"^/r{i}/\")"#)),
        ("addresses", |i| format!(r#"req_cip_range(\"10.0.{0}.{1}\", \"10.0.{0}.{1}\")"#, i / 250, i % 250)),
    ];
    for (kind, condition) in kinds {
        for numbers in [999..1000, 0..1000] {
            let tree = tempfile::tempdir().unwrap();
            for (module, file, rest) in [
                (
                    "mod_header",
                    "mod_header.data",
                    r#""Last":true,"Actions":[{"Cmd":"REQ_HEADER_SET","Params":["X-A","1"]}]"#,
                ),
                (
                    "mod_rewrite",
                    "rewrite.data",
                    r#""Last":true,"Actions":[{"Cmd":"PATH_PREFIX_ADD","Params":["/x"]}]"#,
                ),
                ("mod_block", "block_rules.data", r#""Name":"nNUMBER","Action":{"Cmd":"CLOSE","Params":[]}"#),
            ] {
                let folder = tree.path().join(module);
                std::fs::create_dir(&folder).unwrap();
                let rules: Vec<_> = numbers
                    .clone()
                    .map(|i| {
                        format!(r#"{{"Cond":"{}",{}}}"#, condition(i), rest.replace("NUMBER", &i.to_string()))
                    })
                    .collect();
                let text = format!(r#"{{"Version":"1","Config":{{"p":[{}]}}}}"#, rules.join(","));
                std::fs::write(folder.join(file), text).unwrap();
                let conf = match module {
                    "mod_header" => "[Basic]\nDisableDefaultHeader = true\n",
                    "mod_block" => {
                        std::fs::write(folder.join("ip_blocklist.data"), "").unwrap();
                        "[Basic]\nProductRulePath = mod_block/block_rules.data\nIPBlocklistPath = mod_block/ip_blocklist.data\n"
                    }
                    _ => "[Basic]\n",
                };
                std::fs::write(folder.join(format!("{module}.conf")), conf).unwrap();
            }
            let callbacks = callbacks(tree.path(), &["mod_header", "mod_rewrite", "mod_block"]);
            c.bench_function(&format!("three modules, {} rules of {kind}", numbers.len()), |b| {
                b.iter_batched_ref(|| request("p"), |req| run(&callbacks, req), BatchSize::SmallInput);
            });
        }
    }
}

/// mod_prison counts a request that passes, of one client and of many.
fn prison(c: &mut Criterion) {
    let tree = tempfile::tempdir().unwrap();
    let folder = tree.path().join("mod_prison");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("mod_prison.conf"), "").unwrap();
    let rule = r#"{"Version":"1","Config":{"p":[{"Name":"n","Cond":"default_t()",
        "AccessSignConf":{"UseClientIP":true,"Header":["User-Agent"]},"Action":{"Cmd":"CLOSE","Params":[]},
        "CheckPeriod":10,"StayPeriod":10,"Threshold":2147483647,
        "AccessDictSize":100000,"PrisonDictSize":100000}]}}"#;
    std::fs::write(folder.join("prison.data"), rule).unwrap();
    let callbacks = callbacks(tree.path(), &["mod_prison"]);
    let mut one = request("p");
    c.bench_function("mod_prison, one client", |b| b.iter(|| run(&callbacks, &mut one)));
    let mut req = request("p");
    let mut client = 0u32;
    c.bench_function("mod_prison, each request a new client", |b| {
        b.iter(|| {
            client = client.wrapping_add(1);
            req.client_addr = Some((std::net::Ipv4Addr::from_bits(client), 1).into());
            run(&callbacks, &mut req);
        });
    });
}

criterion_group!(benches, modules, long_lists, prison);
criterion_main!(benches);
