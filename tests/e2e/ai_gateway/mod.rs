//! The AI gateway: targets and fallbacks, keys, models, what logs say of it.

mod edges;
mod keys;
mod log;
mod models;
mod routes;

use bfe_tests::{Backend, Cluster, Reply, Tree};
use serde_json::{Value, json};

const ROUTES: &str = "mod_ai_route/ai_route.data";

/// A gateway without clusters, for these hosts.
fn gateway(hosts: &[&str], routes: &Value) -> Tree {
    let tree = Tree::new()
        .set("EnableAiGateway", true)
        .set("accessibleBodySize", 4_194_304)
        .set("totalBodyBufferSize", 0)
        .set("ClientReadTimeout", 5)
        .module("mod_ai_route")
        .file("mod_ai_route/mod_ai_route.conf", format!("[basic]\nRouteRulePath = {ROUTES}\n"))
        .file(ROUTES, routes.to_string());
    hosts.iter().fold(tree, |tree, host| tree.host("ai_product", host))
}

/// Adds a cluster with one backend, which is asked once.
fn cluster(tree: Tree, name: &str, backend: &Backend, ai: &Value) -> Tree {
    let mut conf = json!({"GslbBasic": {"RetryMax": 0, "CrossRetry": 0}});
    if !ai.is_null() {
        conf["AIConf"] = ai.clone();
    }
    tree.cluster(Cluster::new(name).sub(&format!("{name}.s"), 100, &[backend]).conf(conf))
}

/// One table with these rules, for the key `ak_user_a`.
fn one_table(rules: &Value) -> Value {
    json!({
        "Version": "1",
        "route_rules": {"apikey_ak_user_a": {"type": "apikey", "owner": "ak_user_a", "rules": rules}},
        "ApikeyRouteTableBindings": {"ak_user_a": ["apikey_ak_user_a"]}
    })
}

/// A rule for one target.
fn rule(name: &str, cond: &str, target: &str, fallbacks: &[(&str, &str)]) -> Value {
    let fallbacks: Vec<_> =
        fallbacks.iter().map(|(cluster, model)| json!({"ClusterName": cluster, "Model": model})).collect();
    json!({
        "name": name, "Cond": cond,
        "targets": [{"ClusterName": target, "Model": "", "Weight": 100}],
        "fallbacks": fallbacks
    })
}

fn post(host: &str, key: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn reply(status: u16) -> Reply {
    Reply::bytes(format!("HTTP/1.1 {status} X\r\nContent-Length: 4\r\n\r\n{status}\n"))
}

/// A backend that always answers with that status.
fn answering(status: u16) -> Backend {
    Backend::start(move |_| reply(status))
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}
