//! Tables, targets and fallbacks (ai-gateway 16, SC01).

use super::{answering, cluster, gateway, json_of, post, reply};
use bfe_tests::{Backend, Bfe, Launch, Tree};
use serde_json::{Value, json};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

const HOSTS: [&str; 5] =
    ["api.example.org", "large.example.org", "entity.example.org", "holder.example.org", "other.example.org"];
const SEED: &str = "BFE_TEST_INITIAL_TOTAL_BYTES_BODY_BUFFER";

fn routes() -> Value {
    let to = |cluster: &str| json!([{"ClusterName": cluster, "Model": "", "Weight": 100}]);
    let host = |host: &str| format!("req_host_in(\"{host}.example.org\")");
    json!({
        "Version": "1",
        "route_rules": {
            "apikey_ak_user_a": {"type": "api_key", "owner": "ak_user_a", "rules": [
                {"name": "api", "Cond": host("api"), "targets": [
                    {"ClusterName": "primary_a", "Model": "target-model-a", "Weight": 60},
                    {"ClusterName": "primary_b", "Model": "target-model-b", "Weight": 30},
                    {"ClusterName": "primary_c", "Model": "target-model-c", "Weight": 10}],
                 "fallbacks": [
                    {"ClusterName": "fallback_1", "Model": "fallback-model-1"},
                    {"ClusterName": "fallback_2", "Model": "fallback-model-2"}]},
                {"name": "large", "Cond": host("large"), "targets": to("primary_a"),
                 "fallbacks": [{"ClusterName": "fallback_1", "Model": ""}]},
                {"name": "holder", "Cond": host("holder"), "targets": to("primary_b")}]},
            "entity_dept_ai": {"type": "entity", "owner": "dept_ai", "rules": [
                {"name": "entity", "Cond": host("entity"), "targets": to("entity_default")},
                {"name": "any", "Cond": "default_t()", "targets": to("entity_default")}]},
            "global_default": {"type": "global", "owner": "global", "rules": [
                {"name": "any", "Cond": "default_t()", "targets": to("global_default")}]}
        },
        "ApikeyRouteTableBindings": {
            "ak_user_a": ["apikey_ak_user_a", "entity_dept_ai", "global_default"],
            "ak_user_b": ["entity_dept_ai", "global_default"]
        }
    })
}

/// The backends of the scenario, and the tree that leads to them.
struct Scenario {
    primaries: [Backend; 3],
    fallbacks: [Backend; 2],
    entity: Backend,
    global: Backend,
}

impl Scenario {
    fn new(primary: u16, fallback_1: u16, fallback_2: u16) -> Self {
        Self {
            primaries: [primary, primary, primary].map(answering),
            fallbacks: [fallback_1, fallback_2].map(answering),
            entity: answering(200),
            global: answering(200),
        }
    }

    fn tree(&self) -> Tree {
        let names = [
            "primary_a",
            "primary_b",
            "primary_c",
            "fallback_1",
            "fallback_2",
            "entity_default",
            "global_default",
        ];
        let backends = self.primaries.iter().chain(&self.fallbacks).chain([&self.entity, &self.global]);
        let tree = gateway(&HOSTS, &routes());
        names
            .iter()
            .zip(backends)
            .fold(tree, |tree, (name, backend)| cluster(tree, name, backend, &Value::Null))
    }

    /// How many requests each got: primaries, fallbacks, entity, global.
    fn hits(&self) -> [usize; 7] {
        let [a, b, c] = self.primaries.each_ref().map(Backend::count);
        let [f, g] = self.fallbacks.each_ref().map(Backend::count);
        [a, b, c, f, g, self.entity.count(), self.global.count()]
    }
}

#[test]
fn ais_1_sc01_tc_01_to_03_which_table() {
    let scenario = Scenario::new(200, 200, 200);
    let bfe = Bfe::start(&scenario.tree());
    assert_eq!(bfe.ask(post("api.example.org", "ak_user_a", "{}")).status, 200);
    let [a, b, c, rest @ ..] = scenario.hits();
    assert_eq!((a + b + c, rest), (1, [0; 4]));

    assert_eq!(bfe.ask(post("other.example.org", "ak_user_a", "{}")).status, 200);
    assert_eq!(bfe.ask(post("api.example.org", "sk-ak_user_b", "{}")).status, 200);
    assert_eq!(scenario.hits()[3..], [0, 0, 2, 0]);

    let before = scenario.hits();
    let mut client = bfe.client();
    let refused = client.ask(post("api.example.org", "ak_no_binding", "{}"));
    assert_eq!(
        refused.head,
        "HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\nContent-Type: text/plain\r\nServer: bfe\r\nDate: now\r\n\r\n"
    );
    assert_eq!(refused.text(), "AI route not found");
    client.expect_close();
    assert_eq!(scenario.hits(), before);
    let counters = bfe.counters("mod_ai_route");
    let names =
        ["REQ_TOTAL", "REQ_HIT_APIKEY", "REQ_HIT_ENTITY", "REQ_HIT_GLOBAL", "REQ_MISS", "REQ_FALLBACK"];
    assert_eq!(names.map(|name| counters[name]), [4, 1, 2, 0, 1, 0], "AIR-5");
    assert_eq!(bfe.counter("ERR_BK_FIND_LOCATION"), 1);
}

#[test]
fn ais_1_sc01_tc_04_targets_by_weight() {
    let scenario = Scenario::new(200, 200, 200);
    let bfe = Bfe::start(&scenario.tree());
    let mut client = bfe.client();
    for _ in 0..1000 {
        assert_eq!(client.ask(post("api.example.org", "ak_user_a", "{}")).status, 200);
    }
    let [a, b, c, rest @ ..] = scenario.hits();
    assert_eq!((a + b + c, rest), (1000, [0; 4]));
    for (hits, share) in [(a, 600usize), (b, 300), (c, 100)] {
        assert!(hits.abs_diff(share) < 80, "{hits} of {share}");
    }
}

#[test]
fn ais_1_sc01_tc_05_to_07_fallbacks() {
    let body = r#"{"model":"origin-model","messages":[{"role":"user","content":"hi"}]}"#;
    for (statuses, want, hits) in
        [([500, 502, 200], 200, [1, 1]), ([500, 502, 500], 500, [1, 1]), ([500, 200, 200], 200, [1, 0])]
    {
        let scenario = Scenario::new(statuses[0], statuses[1], statuses[2]);
        let bfe = Bfe::start(&scenario.tree());
        assert_eq!(bfe.ask(post("api.example.org", "ak_user_a", body)).status, want, "{statuses:?}");
        assert_eq!(scenario.fallbacks.each_ref().map(Backend::count), hits, "{statuses:?}");
        let first: Vec<_> = scenario.primaries.iter().flat_map(Backend::requests).collect();
        let [first] = &first[..] else { panic!("{first:?}") };
        let model = json_of(&first.body)["model"].as_str().unwrap().to_owned();
        assert!(model.starts_with("target-model-"), "{model}");
        let second = scenario.fallbacks[0].wait_requests(1);
        assert_eq!(second.header("Transfer-Encoding"), Some("chunked"), "AIF-4");
        assert_eq!(String::from_utf8_lossy(&second.body), body.replace("origin-model", "fallback-model-1"));
        if hits[1] > 0 {
            let third = scenario.fallbacks[1].wait_requests(1);
            assert_eq!(json_of(&third.body)["model"], "fallback-model-2");
        }
        bfe.wait_idle();
        assert_eq!(bfe.monitor("/monitor/server_stat"), r#"{"total_bytes_body_buffer":0}"#);
    }
}

#[test]
fn ais_1_sc01_tc_08_a_body_that_was_sent_in_part() {
    let mut scenario = Scenario::new(200, 200, 200);
    let [first, ..] = &mut scenario.primaries;
    *first = Backend::refusing();
    first.free_port();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first.port())).unwrap();
    let reader = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 1024]).unwrap();
    });
    let bfe = Bfe::start(&scenario.tree());
    let body: Vec<u8> = (0..1024 * 1024u32).map(|i| (i % 251) as u8).collect();
    assert_eq!(bfe.ask(post("large.example.org", "ak_user_a", &body)).status, 200);
    reader.join().unwrap();
    assert_eq!(scenario.fallbacks[0].count(), 1);
    assert!(scenario.fallbacks[0].wait_requests(1).body == body, "each byte comes again");
}

#[test]
fn ais_1_sc01_tc_09_a_body_that_is_too_large_to_be_sent_twice() {
    let scenario = Scenario::new(500, 200, 200);
    let bfe = Bfe::start(&scenario.tree());
    let mut client = bfe.client();
    client.send(post("large.example.org", "ak_user_a", vec![b'x'; 5 * 1024 * 1024]));
    let cut = client.try_response("POST").unwrap_err();
    assert_eq!((cut.status, cut.body.len()), (500, 0), "AIF-6");
    assert_eq!(scenario.hits()[..4], [1, 0, 0, 0]);
    bfe.wait_counter("ERR_CLIENT_WRITE", 1);
}

#[test]
fn ais_1_sc01_tc_10_too_much_is_held() {
    let scenario = Scenario::new(500, 200, 200);
    let tree = scenario.tree().set("totalBodyBufferSize", 2 * 1024 * 1024);
    let bfe = Launch::new(&tree).env(SEED, "2097152").start();
    assert_eq!(bfe.monitor("/monitor/server_stat"), r#"{"total_bytes_body_buffer":2097152}"#, "AIG-3");
    let answer = bfe.ask(post("large.example.org", "ak_user_a", vec![b'x'; 512 * 1024]));
    assert_eq!((answer.status, answer.text()), (500, "500\n"), "AIF-7: as the backend has said it");
    assert_eq!(scenario.hits()[..4], [1, 0, 0, 0]);
    assert_eq!(bfe.monitor("/monitor/server_stat"), r#"{"total_bytes_body_buffer":2097152}"#);
}

#[test]
fn aif_8_and_9_clusters_that_are_not_there() {
    let backend = Backend::start(|_| reply(500));
    let rules = json!([
        super::rule(
            "first",
            "req_path_in(\"/v1/chat/completions\", false) && req_host_in(\"a\")",
            "nowhere",
            &[("c", "")]
        ),
        super::rule("last", "default_t()", "c", &[("nowhere", "")]),
    ]);
    let tree = cluster(gateway(&["a", "b"], &super::one_table(&rules)), "c", &backend, &Value::Null);
    let bfe = Bfe::start(&tree);
    assert_eq!(bfe.ask(post("a", "ak_user_a", "{}")).text(), "500\n", "the last answer");
    let mut client = bfe.client();
    let none = client.ask(post("b", "ak_user_a", "{}"));
    assert_eq!((none.status, none.text()), (500, ""));
    client.expect_close();
    assert_eq!((backend.count(), bfe.counter("ERR_BK_NO_CLUSTER")), (2, 2));
}

#[test]
fn air_7_a_reload_holds_for_new_requests() {
    let backends = [answering(201), answering(202)];
    let rules = json!([super::rule("r", "default_t()", "c0", &[])]);
    let mut tree = gateway(&["a"], &super::one_table(&rules));
    for (name, backend) in ["c0", "c1"].into_iter().zip(&backends) {
        tree = cluster(tree, name, backend, &Value::Null);
    }
    let bfe = Bfe::start(&tree);
    let mut client = bfe.client();
    assert_eq!(client.ask(post("a", "ak_user_a", "{}")).status, 201);
    let other = bfe.conf().join("mod_ai_route/other.data");
    let text = super::one_table(&json!([super::rule("r", "default_t()", "c1", &[])])).to_string();
    std::fs::write(&other, text).unwrap();
    assert_eq!(bfe.reload(&format!("mod_ai_route?path={}", other.display())), None);
    assert_eq!(client.ask(post("a", "ak_user_a", "{}")).status, 202);
    std::fs::write(&other, r#"{"route_rules":{"t":{"type":"x"}}}"#).unwrap();
    let error = bfe.reload(&format!("mod_ai_route?path={}", other.display()));
    assert!(error.is_some_and(|e| e.contains("route_rules.t.type: invalid route table type")));
    assert_eq!(client.ask(post("a", "ak_user_a", "{}")).status, 202, "AIR-2");
    assert!(bfe.monitor("/monitor/mod_ai_route.diff").contains("\"error\""), "AIR-6");
}
