//! mod_trace (modules-traffic 8): spans reach a collector.

use super::metric;
use bfe_tests::{Backend, Bfe, Tree, wait_for, wait_until};
use serde_json::{Value, json};
use std::fs;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const GET: &str = "GET /t/x HTTP/1.1\r\nHost: ok:80\r\n\r\n";

fn rules(version: &str, prefix: &str) -> String {
    let condition = format!("req_path_prefix_in(\"{prefix}\", false)");
    json!({"Version": version, "Config": {"p": [{"Cond": condition, "Enable": true}]}}).to_string()
}

fn tree(backend: &Backend, conf: &str) -> Tree {
    Tree::proxy(backend)
        .module("mod_trace")
        .file("mod_trace/mod_trace.conf", format!("[Basic]\nServiceName = the-proxy\n{conf}"))
        .file("mod_trace/trace_rule.data", rules("v1", "/t"))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}

#[test]
fn trace_spans_reach_an_otlp_collector() {
    let (backend, collector) = (Backend::ok("hello"), Backend::ok("{}"));
    let conf = format!(
        "TraceAgent = elastic\n[Elastic]\nServerURL = http://{}\nSecretToken = secret\n",
        collector.addr()
    );
    let bfe = Bfe::start(&tree(&backend, &conf));
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let request = format!("GET /t/x HTTP/1.1\r\nHost: ok\r\ntraceparent: {parent}\r\n\r\n");
    assert_eq!(bfe.ask(request).status, 200);
    assert_eq!(bfe.ask("GET /other HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
    let sent = backend.requests()[0].header("Traceparent").unwrap().to_owned();
    assert!(sent.starts_with(&format!("00-{TRACE}-")) && sent != parent, "{sent}");
    let told = collector.wait_requests(1);
    assert_eq!(told.line(), "POST /v1/traces HTTP/1.1");
    assert_eq!(told.header("Authorization"), Some("Bearer secret"));
    assert_eq!(told.header("Content-Type"), Some("application/x-protobuf"));
    let body = &told.body;
    let id: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&TRACE[2 * i..2 * i + 2], 16).unwrap()).collect();
    for part in [&b"service.name"[..], b"the-proxy", &id, b"ok/t/x", b"http.status_code", b"cluster"] {
        assert!(contains(body, part), "{}", String::from_utf8_lossy(body));
    }
    wait_until("the span to be counted", || metric(&bfe, "mod_trace_export_SPANS_SENT") == 1);
    let counters = bfe.counters("mod_trace");
    assert_eq!((counters["START_SPAN_COUNT"], counters["FINISH_SPAN_COUNT"]), (1, 1));
}

#[test]
fn trace_spans_reach_zipkin() {
    let (backend, collector) = (Backend::refusing(), Backend::ok(""));
    let conf = format!(
        "TraceAgent = zipkin\n[Zipkin]\nHTTPEndpoint = http://{}/api/v2/spans\nSampleRate = 1\n",
        collector.addr()
    );
    let bfe = Bfe::start(&tree(&backend, &conf));
    assert_eq!(bfe.ask(GET).status, 500);
    let told = collector.wait_requests(1);
    assert_eq!(told.line(), "POST /api/v2/spans HTTP/1.1");
    let spans: Value = serde_json::from_slice(&told.body).unwrap();
    let span = &spans[0];
    assert_eq!(span["name"], "ok/t/x", "TRACE-6");
    assert_eq!(span["localEndpoint"]["serviceName"], "the-proxy");
    assert_eq!(span["traceId"], span["id"]);
    assert!(span["timestamp"].is_u64() && span["duration"].is_u64());
    let tags = &span["tags"];
    assert_eq!((&tags["http.method"], &tags["http.url"]), (&"GET".into(), &"/t/x".into()));
    assert_eq!((&tags["http.status_code"], &tags["product"]), (&"500".into(), &"p".into()));
    assert_eq!((&tags["error"], &tags["cluster"]), (&"true".into(), &"c".into()), "TRACE-7");
    assert!(span["annotations"][0]["value"].as_str().unwrap().contains("connection refused"));
}

#[test]
fn trace_without_a_collector_requests_go_on() {
    let backend = Backend::ok("hello");
    let collector = Backend::refusing();
    let conf = format!(
        "TraceAgent = jaeger\n[Jaeger]\nSamplingType = const\nSamplingParam = 1\n[Otlp]\nEndpoint = http://{}\n",
        collector.addr()
    );
    let bfe = Bfe::start(&tree(&backend, &conf));
    let mut client = bfe.client();
    for _ in 0..50 {
        assert_eq!(client.ask(GET).status, 200);
    }
    wait_until("lost spans to be counted", || metric(&bfe, "mod_trace_export_SPANS_FAILED") == 50);
    wait_until("the server log to say so", || bfe.warnings().contains("spans lost"));
}

#[test]
fn trace_8_a_sampling_server_decides() {
    let (backend, collector) = (Backend::ok("hello"), Backend::ok("{}"));
    let server =
        Backend::ok(r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":1.0}}"#);
    let conf = format!(
        "TraceAgent = jaeger\n[Jaeger]\nSamplingType = remote\nSamplingServerURL = http://{}/sampling\n\
         [Otlp]\nEndpoint = http://{}\n",
        server.addr(),
        collector.addr()
    );
    let bfe = Bfe::start(&tree(&backend, &conf));
    let asked = server.wait_requests(1);
    assert_eq!(asked.line(), "GET /sampling?service=the-proxy HTTP/1.0");
    wait_until("the share to be that of the server", || {
        let seen = backend.count();
        assert_eq!(bfe.ask(GET).status, 200);
        let request = wait_for("the request", || backend.requests().get(seen).cloned());
        request.header("Uber-Trace-Id").is_some_and(|ids| ids.ends_with(":1"))
    });
    let _ = collector.wait_requests(1);
}

#[test]
fn trace_reloads() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend, "TraceAgent = zipkin\n"));
    let data = bfe.conf().join("mod_trace/trace_rule.data");
    let traced = |path: &str| {
        let seen = backend.count();
        assert_eq!(bfe.ask(format!("GET {path} HTTP/1.1\r\nHost: ok\r\n\r\n")).status, 200);
        let request = wait_for("the request", || backend.requests().get(seen).cloned());
        request.header("X-B3-Traceid").is_some()
    };
    assert!(traced("/t") && !traced("/new"));
    fs::write(&data, rules("", "/new")).unwrap();
    assert!(bfe.reload("mod_trace").is_some_and(|error| error.contains("no Version")));
    assert!(traced("/t") && !traced("/new"), "a wrong file changes nothing");
    fs::write(&data, rules("v2", "/new")).unwrap();
    assert_eq!(bfe.monitor("/reload/mod_trace"), r#"{"error":null,"version":"trace_rule.data=v2"}"#);
    assert!(!traced("/t") && traced("/new"));
}
