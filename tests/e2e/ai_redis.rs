//! The AI gateway's modules that count: keys with quotas, limits, usage in bodies, with a real Redis.

use crate::security::redis_server::Redis;
use bfe_tests::{Backend, Bfe, Cluster, Received, Reply, Response, Tree, wait_for};
use serde_json::json;

const NAMES: &str = "server_data_conf/name_conf.data";
const REDIS: &str =
    "[redis]\nBns = my.redis\nConnectTimeout = 2000\nReadTimeout = 2000\nWriteTimeout = 2000\n";

const USAGE: &str = r#"{"usage":{"total_tokens":150,"prompt_tokens":100,"completion_tokens":50}}"#;

/// A model: answers with usage, as an event stream where it is asked for one, or fails where it is to.
fn model(fails: bool) -> Backend {
    Backend::start(move |req: &Received| {
        if fails && req.header("X-Fail").is_some() {
            return Reply::bytes("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        }
        if req.header("X-Stream").is_none() {
            return Reply::ok(USAGE);
        }
        let events = format!("data: {{\"a\":1}}\n\ndata: {{\"a\":2}}\n\ndata: {USAGE}\n\n");
        Reply::bytes(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{events}"
        ))
        .close()
    })
}

/// Settings of a cluster whose model costs so much.
fn priced(input: f64, output: f64) -> serde_json::Value {
    json!({"AIConf": {
        "Provider": "mock", "ModelMapping": {"gpt-4": "deepseek-chat"},
        "Keys": [{"Name": "one", "Key": "sk-upstream", "Weight": 100}],
        "ModelTable": {"Currency": "RMB", "Models": [{
            "Model": "deepseek-chat", "Mode": "chat",
            "Prices": {"input_cost_per_token": input, "output_cost_per_token": output}}]}}})
}

struct Gateway {
    first: Backend,
    fallback: Backend,
    bfe: Bfe,
    redis: Redis,
}

impl Gateway {
    /// Three clusters: `rmb`, its fallback, and `free`, which has no prices. `more` adds modules.
    fn start(more: impl FnOnce(Tree) -> Tree) -> Option<Self> {
        let redis = Redis::start("")?;
        let (first, fallback) = (model(true), model(false));
        let rule = |name: &str, cond: &str, cluster: &str, fallbacks: &str| {
            format!(
                r#"{{"name":"{name}","Cond":"{cond}","targets":[{{"ClusterName":"{cluster}","Weight":100}}],"fallbacks":[{fallbacks}]}}"#
            )
        };
        let rules = [
            rule("free", "req_header_key_in(\\\"X-Free\\\")", "free", ""),
            rule("rmb", "req_host_in(\\\"ok\\\")", "rmb", r#"{"ClusterName":"fallback"}"#),
        ];
        let routes = format!(
            r#"{{"Version":"1","route_rules":{{"t":{{"type":"apikey","owner":"o","rules":[{}]}}}},
               "ApikeyRouteTableBindings":{{"ak":["t"],"ak2":["t"],"poor":["t"]}}}}"#,
            rules.join(",")
        );
        let names = format!(
            r#"{{"Version":"1","Config":{{"my.redis":[{{"Host":"127.0.0.1","Port":{},"Weight":1}}]}}}}"#,
            redis.port()
        );
        let tree = Tree::new()
            .host("p", "ok")
            .host("p", "lost")
            .set("EnableAiGateway", "true")
            .set("NameConf", NAMES)
            .file(NAMES, names)
            .cluster(Cluster::new("rmb").sub("rmb.s", 100, &[&first]).conf(priced(1e-6, 2e-6)))
            .cluster(Cluster::new("fallback").sub("fallback.s", 100, &[&fallback]).conf(priced(3e-6, 4e-6)))
            .cluster(Cluster::new("free").sub("free.s", 100, &[&fallback]))
            .module("mod_ai_route")
            .file("mod_ai_route/mod_ai_route.conf", "[basic]\nRouteRulePath = mod_ai_route/r.data\n")
            .file("mod_ai_route/r.data", routes);
        let bfe = Bfe::start(&more(tree));
        Some(Self { first, fallback, bfe, redis })
    }

    /// Asks for a model, with more header fields.
    fn ask(&self, key: &str, model: &str, fields: &str) -> Response {
        self.bfe.ask(question(key, model, fields))
    }

    fn get(&self, key: &str) -> String {
        self.redis.ask("", &format!("GET {key}"))
    }

    /// Waits until a key has a value: requests are charged after their responses.
    fn wait_value(&self, key: &str, want: &str) {
        wait_for(&format!("{key} to be {want}"), || (self.get(key) == want).then_some(()));
    }
}

fn question(key: &str, model: &str, fields: &str) -> String {
    let body = format!(r#"{{"model":"{model}"}}"#);
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: ok\r\nAuthorization: Bearer sk-{key}\r\n{fields}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn with_quotas(tree: Tree) -> Tree {
    let tokens = r#"{"Version":"1",
        "Config":{"p":[{"Cond":"default_t()","Action":{"Cmd":"CHECK_TOKEN"}}]},
        "QuotaPlans":{"p":[
            {"Id":"yuan","RedisKey":"yuan","ExpiredTime":-1,"Quota":10000000000,"Unit":"RMB"},
            {"Id":"tokens","RedisKey":"tokens","ExpiredTime":-1,"Quota":1000},
            {"Id":"none","RedisKey":"none","ExpiredTime":-1,"Quota":1000,"Unit":"RMB"}]},
        "Tokens":{"p":{
            "ak":{"key":"ak","key_id":"one","status":1,"expired_time":-1,"quota_plans":["yuan"]},
            "ak2":{"key":"ak2","key_id":"two","status":1,"expired_time":-1,"quota_plans":["yuan","tokens"]},
            "poor":{"key":"poor","key_id":"three","status":1,"expired_time":-1,"quota_plans":["none"]}}}}"#;
    tree.module("mod_ai_token_auth")
        .module("mod_body_process")
        .file(
            "mod_ai_token_auth/mod_ai_token_auth.conf",
            format!("[basic]\nProductRulePath = mod_ai_token_auth/t.data\n{REDIS}"),
        )
        .file("mod_ai_token_auth/t.data", tokens)
        .file(
            "mod_body_process/mod_body_process.conf",
            "[basic]\nProductRulePath = mod_body_process/b.data\n",
        )
        .file("mod_body_process/b.data", r#"{"Version":"1","Config":{}}"#)
}

#[test]
fn ais_3_quotas_in_yuan() {
    let Some(gateway) = Gateway::start(with_quotas) else { return };
    gateway.redis.ask("", "SET none 0");
    for (name, key, model, fields, yuan) in [
        ("TC-01", "ak", "deepseek-chat", "", "9999980000"),
        ("TC-03", "ak", "gpt-4", "", "9999980000"),
        ("TC-04", "ak2", "deepseek-chat", "", "9999980000"),
        ("TC-06", "ak", "deepseek-chat", "X-Fail: 1\r\n", "9999950000"),
        ("TC-07", "ak", "deepseek-chat", "X-Stream: 1\r\n", "9999980000"),
    ] {
        gateway.redis.ask("", "MSET yuan 10000000000 tokens 1000");
        let (before, fallen) = (gateway.first.requests().len(), gateway.fallback.requests().len());
        let answer = gateway.ask(key, model, fields);
        assert_eq!(answer.status, 200, "{name}");
        assert!(answer.text().contains(USAGE), "{name}: {}", answer.text());
        gateway.wait_value("yuan", yuan);
        let asked = gateway.first.requests();
        assert_eq!(asked.len(), before + 1, "{name}");
        assert_eq!(asked[before].header("Authorization"), Some("Bearer sk-upstream"));
        assert_eq!(asked[before].body, br#"{"model":"deepseek-chat"}"#, "{name}");
        assert_eq!(gateway.fallback.requests().len() - fallen, usize::from(name == "TC-06"));
        if name == "TC-04" {
            gateway.wait_value("tokens", "850");
        }
    }
    // TC-05: without a price nothing is charged. What comes after it has been, so it had its time.
    gateway.redis.ask("", "MSET yuan 10000000000 tokens 1000");
    assert_eq!(gateway.ask("ak2", "deepseek-chat", "X-Free: 1\r\n").status, 200);
    gateway.wait_value("tokens", "850");
    assert_eq!(gateway.get("yuan"), "10000000000");
    // TC-02: nothing is left.
    let asked = gateway.first.requests().len();
    let mut client = gateway.bfe.client();
    for _ in 0..2 {
        let answer = client.ask(question("poor", "deepseek-chat", ""));
        assert_eq!(answer.status, 429);
        assert!(answer.text().contains("QUOTA_EXHAUSTED") && answer.text().contains("quota"));
        let length = answer.body.len();
        let fields = format!(
            "Content-Type: application/json\r\nServer: bfe\r\nDate: now\r\nContent-Length: {length}\r\n\r\n"
        );
        assert!(answer.head.ends_with(&fields), "AIG-6: the length comes last: {}", answer.head);
    }
    assert_eq!(gateway.first.requests().len(), asked);
    assert_eq!(gateway.bfe.counters("mod_ai_token_auth")["REQ_AUTH_FAIL"], 2);
}

fn with_limits(tree: Tree) -> Tree {
    let limits = r#"{"Version":"7",
        "Config":{"p":[{"cond":"default_t()","hit_action":{"cmd":"FINISH","params":[]}}]},
        "RateLimitPolicies":{
            "one":{"name":"one","enabled":true,"rules":{"rpm":[{"name":"r","window_minutes":1,"max_requests":1}]}},
            "two":{"name":"two","enabled":true,"rules":{"max_concurrency":1,
                "tpm":[{"name":"t","window_minutes":360,"max_tokens":200}]}}},
        "ApikeyRateLimitPolicyBindings":{"ak":["one"],"ak2":["two"]}}"#;
    with_quotas(tree)
        .module("mod_ai_rate_limit")
        .file(
            "mod_ai_rate_limit/mod_ai_rate_limit.conf",
            format!(
                "[basic]\nProductRulePath = mod_ai_rate_limit/l.data\nIsRejectOnRedisError = true\n{REDIS}"
            ),
        )
        .file("mod_ai_rate_limit/l.data", limits)
}

#[test]
fn ail_3_5_6_and_7_limits() {
    let Some(mut gateway) = Gateway::start(with_limits) else { return };
    gateway.redis.ask("", "MSET yuan 10000000000 tokens 10000");
    assert_eq!(gateway.ask("ak", "m", "").status, 200);
    let mut client = gateway.bfe.client();
    let answer = client.ask(question("ak", "m", ""));
    assert_eq!((answer.status, answer.says_close()), (429, false));
    assert!(answer.text().contains("RPM_LIMIT_EXCEEDED"), "{}", answer.text());
    client.expect_close();

    // A place is given back at the end, also where there was no way for the request.
    let lost = question("ak2", "m", "").replace("Host: ok", "Host: lost");
    for _ in 0..2 {
        assert_eq!(gateway.bfe.ask(&lost).status, 404);
        gateway.wait_value("default_bfe_two_con", "0");
    }
    // 150 tokens are less than 200, 300 are not.
    for (used, status) in [("9850", 200), ("9700", 200), ("9700", 429)] {
        assert_eq!(gateway.ask("ak2", "m", "").status, status);
        gateway.wait_value("tokens", used);
        gateway.wait_value("default_bfe_two_con", "0");
    }
    let page = gateway.bfe.monitor("/monitor/mod_ai_rate_limit.prometheus");
    for line in
        ["rpm_hit{inst_id=\"r\",policy_id=\"one\"} 1\n", "tpm_token{inst_id=\"t\",policy_id=\"two\"} 300\n"]
    {
        assert!(page.contains(line), "{page}");
    }
    assert_eq!(gateway.bfe.reload("mod_ai_rate_limit"), None);

    // AIL-8: without Redis nothing is let in.
    let address = ("127.0.0.1", gateway.redis.port());
    let Some(other) = Redis::start("") else { return };
    gateway.redis = other;
    wait_for("the Redis to end", || std::net::TcpStream::connect(address).err());
    let answer = gateway.ask("ak2", "m", "");
    assert!(answer.status == 500 && answer.text().contains("INTERNAL_QUOTA_ERROR"), "{}", answer.text());
}

#[test]
fn aib_2_9_and_10_bodies() {
    let filter = Backend::start(|req: &Received| {
        let risk = if req.body.windows(3).any(|word| word == b"bad") { "REJECT" } else { "PASS" };
        Reply::ok(format!(r#"{{"RiskLevel":"{risk}"}}"#))
    });
    let rules = format!(
        r#"{{"Version":"1","Config":{{"p":[{{"Cond":"req_header_key_in(\"X-Look\")","RequestProcess":
           {{"Proc":[{{"Name":"textfilter","Params":["http://127.0.0.1:{}"]}}]}}}}]}}}}"#,
        filter.port()
    );
    let more = |tree| with_quotas(tree).file("mod_body_process/b.data", rules);
    let Some(gateway) = Gateway::start(more) else { return };
    gateway.redis.ask("", "SET yuan 10000000000");
    // A body that has been looked at is sent once, and not to the fallback.
    for (fields, status) in [("X-Fail: 1\r\n", 200), ("X-Fail: 1\r\nX-Look: 1\r\n", 502)] {
        assert_eq!(gateway.ask("ak", "good", fields).status, status, "{fields}");
    }
    let answer = gateway.ask("ak", "good", "X-Look: 1\r\n");
    assert_eq!((answer.status, answer.header("Content-Length")), (200, None));
    let seen = filter.requests();
    assert_eq!(seen.last().unwrap().line(), "POST /text-filter HTTP/1.1");
    assert_eq!(seen.last().unwrap().body, b"txt=%7B%22model%22%3A%22good%22%7D");
    let mut client = gateway.bfe.client();
    assert_eq!(client.ask(question("ak", "bad", "X-Look: 1\r\n")).status, 500);
    client.expect_close();
    assert_eq!(gateway.bfe.counter("ERR_BK_BODY_PROCESS"), 1);
    assert_eq!(gateway.bfe.counters("mod_body_process")["REQ_PROCESS"], 3);
}
