use super::ModuleTrace;
use crate::testing;
use bfe_module::{Callbacks, Module as _, WebHandlers};
use std::fs;

const RULES: &str = r#"{"Version":"v1","Config":{"p":[
    {"Cond":"req_path_prefix_in(\"/t\", false)"},
    {"Cond":"req_path_prefix_in(\"/t\", false)","Enable":true},
    {"Cond":"default_t()","Enable":false}]}}"#;

fn init(conf: &str) -> Result<Callbacks, String> {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("mod_trace")).unwrap();
    fs::write(root.path().join("mod_trace/mod_trace.conf"), conf).unwrap();
    fs::write(root.path().join("mod_trace/trace_rule.data"), RULES).unwrap();
    let mut callbacks = Callbacks::default();
    ModuleTrace
        .init(&mut callbacks, &mut WebHandlers::default(), root.path())
        .map(|()| callbacks)
        .map_err(|e| e.to_string())
}

#[test]
fn trace_1_and_8_configurations() {
    let jaeger = |more: &str| format!("[Basic]\nServiceName = b\nTraceAgent = jaeger\n[Jaeger]\n{more}\n");
    let zipkin = |rate: &str| format!("[Basic]\nTraceAgent = zipkin\n[Zipkin]\nSampleRate = {rate}\n");
    for good in [
        zipkin("0"),
        zipkin("1.0"),
        zipkin("0.0001"),
        "[Basic]\nTraceAgent = zipkin\n[Zipkin]\nHTTPEndpoint = ::bad/api".into(),
        "[Basic]\nTraceAgent = elastic".into(),
        "[Basic]\nTraceAgent = elastic\n[Otlp]\nEndpoint = http://c:4318".into(),
        jaeger("SamplingType = CONST\nSamplingParam = 7"),
        jaeger("SamplingType = rateLimiting\nSamplingParam = 2"),
        jaeger("SamplingType = remote\nPropagation = b3"),
        jaeger(""),
    ] {
        assert_eq!(init(&good).err(), None, "{good}");
    }
    for (bad, want) in [
        (String::new(), "Basic.TraceAgent: TraceAgent not set"),
        ("[Basic]\nTraceAgent = Jaeger".into(), "Jaeger is not supported"),
        ("[Basic]\nTraceAgent = jaeger".into(), "Basic.ServiceName: no service name provided"),
        (jaeger("Propagation = B3"), "unknown propagation format: B3"),
        (jaeger("SamplingType = sometimes"), "unknown sampler type \"sometimes\""),
        (jaeger("SamplingType = probabilistic\nSamplingParam = 2"), "Jaeger.SamplingParam: 2 is not between"),
        (zipkin("-1"), "Zipkin.SampleRate: -1 is neither"),
        (zipkin("1.5"), "neither 0 nor between"),
        (zipkin("0.00001"), "neither 0 nor between"),
        (zipkin("much"), "\"much\" is not a number"),
        (zipkin("NaN"), "is not a number"),
    ] {
        let error = init(&bad).err().unwrap_or_else(|| panic!("accepted: {bad}"));
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn trace_2_rules_and_counters() {
    let callbacks = init("[Basic]\nTraceAgent = zipkin\n[Zipkin]\nSampleRate = 0").unwrap();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for (path, traced) in [("/t", true), ("/x", false)] {
        let mut req = testing::request("GET", path);
        let mut progress = bfe_module::Progress::default();
        let point = bfe_module::Point::HandleFoundProduct;
        let run = std::pin::pin!(callbacks.run_request(point, &mut req, &mut progress)).poll(&mut cx);
        assert!(run.is_ready());
        assert_eq!(req.http.header.get("X-B3-Sampled"), traced.then_some(&b"0"[..]), "TRACE-5");
        assert_eq!(req.context.is_empty(), !traced);
        let _ = callbacks.run_request_finish(&mut req);
        assert!(req.context.is_empty(), "a span ends once");
    }
}
