//! What the access log costs a request: making the line, and handing it to the writer. Counted is the CPU
//! time of the thread that does so, which other work on the machine hardly changes.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may panic, and criterion documents nothing"
)]

use bfe_basic::{Request, Session};
use bfe_http::{Response, Version};
use bfe_module::{Callbacks, WebHandlers};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126 Safari/537.36";

/// The module, with that request template and format, writing to nowhere.
fn callbacks(format: &str, template: &str) -> Callbacks {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("mod_access")).unwrap();
    let conf = format!(
        "[Log]\nLogFile = /dev/null\nFormat = {format}\n[Template]\nRequestTemplate = {template}\nSessionTemplate = s\n"
    );
    std::fs::write(root.path().join("mod_access/mod_access.conf"), conf).unwrap();
    let mut callbacks = Callbacks::default();
    for module in bfe_modules::registry().select(&["mod_access".into()]).unwrap() {
        module.init(&mut callbacks, &mut WebHandlers::default(), root.path()).unwrap();
    }
    callbacks
}

/// The request template of the default configuration.
fn stock() -> String {
    let conf = include_str!("../../conf/mod_access/mod_access.conf");
    let line = conf.lines().find(|line| line.starts_with("RequestTemplate")).unwrap();
    line.split_once("= ").unwrap().1.to_owned()
}

fn request() -> Request {
    let start = Instant::now();
    let session = Session {
        remote_addr: Some("192.0.2.1:4711".parse().unwrap()),
        local_addr: Some("192.0.2.2:80".parse().unwrap()),
        start: Some((start, SystemTime::now())),
        ..Session::default()
    };
    let mut http = bfe_http::Request::new("GET", "/a/b?c=d", "example.org").unwrap();
    for (name, value) in [("Accept", "*/*"), ("User-Agent", BROWSER), ("Accept-Encoding", "gzip, br")] {
        http.header.add(name, value);
    }
    let mut req = Request::new(Rc::new(session), http);
    req.route.product = "example_product".into();
    req.backend.cluster = "cluster_example".into();
    req.stat.read_req_start = Some(start);
    req.stat.response_start = Some(start);
    req.stat.response_end = Some(start + Duration::from_millis(1));
    let mut res = Response::new(200);
    res.version = Some(Version::HTTP_11);
    req.response = Some(res);
    req
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

fn access_log(c: &mut Criterion) {
    for (name, format, template) in [
        ("stock template", "text", stock()),
        ("stock template, JSON", "json", stock()),
        ("COMBINED", "text", "COMBINED".to_owned()),
        ("no items", "text", "r".to_owned()),
    ] {
        let callbacks = callbacks(format, &template);
        let mut req = request();
        c.bench_function(&format!("mod_access, {name}"), |b| {
            b.iter_custom(|times| {
                let begin = cpu_time();
                for _ in 0..times {
                    let _ = black_box(callbacks.run_request_finish(black_box(&mut req)));
                }
                // That clock moves in steps; no time at all is none that criterion takes.
                (cpu_time() - begin).max(Duration::from_nanos(1))
            });
        });
    }
}

criterion_group!(benches, access_log);
criterion_main!(benches);
