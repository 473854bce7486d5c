//! Tests of the tables and the handler.

use super::*;
use crate::testing;
use bfe_basic::ai::{AiInfo, AiTarget};

/// A file with one table `t` of that type with these rules, bound to the key `k`.
fn file(kind: &str, rules: &str) -> String {
    format!(
        r#"{{"Version":"1","route_rules":{{"t":{{"type":"{kind}","owner":"o","rules":{rules}}}}},
        "ApikeyRouteTableBindings":{{"k":["t"]}}}}"#
    )
}

fn rule(name: &str, cond: &str, targets: &str) -> String {
    format!(r#"{{"name":"{name}","Cond":{cond:?},"targets":{targets}}}"#)
}

fn request(key: &str) -> Request {
    let mut req = testing::request("GET", "/");
    req.ai = Some(Box::new(AiInfo { client_api_key: key.into(), ..AiInfo::default() }));
    req
}

/// The rule that a request with that key is routed by.
fn routed(tables: &RouteTables, key: &str) -> Option<String> {
    let mut req = request(key);
    assert_eq!(route(tables, &mut req).unwrap().result(), bfe_module::HandlerResult::GoOn);
    req.ai.and_then(|ai| ai.route).map(|route| format!("{} {} {}", route.kind, route.owner, route.rule))
}

const WHOLE: &str = r#"[{"ClusterName":"c","Weight":100}]"#;

#[test]
fn air_2_what_loads() {
    let good = rule("r", "default_t()", WHOLE);
    for (text, want) in [
        (file("apikey", &format!("[{good}]")), ""),
        (file("global", "[]"), ""),
        (file("global", "null"), ""),
        ("{}".to_owned(), ""),
        ("null".to_owned(), ""),
        (
            file("user", &format!("[{good}]")),
            r#"r.data:1:43: route_rules.t.type: invalid route table type: "user""#,
        ),
        (file("entity", &format!("[{}]", rule("", "default_t()", WHOLE))), "rule name is empty"),
        (file("entity", &format!("[{}]", rule("r", "", WHOLE))), "Cond is empty"),
        (file("entity", &format!("[{}]", rule("r", "nope()", WHOLE))), "error build [nope()]"),
        (
            file("entity", &format!("[{good},{}]", rule("r", "default_t()", "[]"))),
            "rules[1].targets: rule \"r\": no targets",
        ),
        (file("entity", &format!("[{}]", rule("r", "default_t()", "null"))), "no targets"),
        (
            file(
                "entity",
                &format!("[{}]", rule("r", "default_t()", r#"[{"ClusterName":"c","Weight":99}]"#)),
            ),
            "add up to 100, not 99",
        ),
        (
            file("entity", &format!("[{}]", rule("r", "default_t()", r#"[{"Weight":150},{"Weight":-50}]"#))),
            "",
        ),
        (format!("{} x", file("global", "[]")), "bytes left"),
        (r#"{"route_rules":{"t":null}}"#.to_owned(), "invalid route table type"),
        (r#"{"Version":1}"#.to_owned(), "r.data:1:12: Version: "),
    ] {
        let error = table::of(&text).err().unwrap_or_default();
        assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{text}: {error}");
    }
}

#[test]
fn air_2_an_error_about_a_binding_does_not_tell_the_key() {
    let error = table::of(r#"{"ApikeyRouteTableBindings":{"s3cret":["a",5]}}"#).unwrap_err();
    assert!(error.starts_with("r.data:1:44: ApikeyRouteTableBindings: "), "{error}");
}

#[test]
fn air_3_spellings() {
    let table = |kind: &str, rule_name: &str| {
        format!(r#"{{"t":{{"TYPE":"{kind}","rules":[{}]}}}}"#, rule(rule_name, "default_t()", WHOLE))
    };
    let bound = r#""apikeyroutetablebindings":{"k":["t"]}"#;
    for (text, want) in [
        (format!(r#"{{"RouteRules":{},{bound}}}"#, table("api_key", "upper")), Some("apikey  upper")),
        (
            format!(
                r#"{{"RouteRules":{},"route_rules":{},{bound}}}"#,
                table("global", "upper"),
                table("global", "lower")
            ),
            Some("global  lower"),
        ),
        (
            format!(r#"{{"RouteRules":{},"route_rules":null,{bound}}}"#, table("global", "upper")),
            Some("global  upper"),
        ),
        (format!(r#"{{"RouteRules":{},"route_rules":{{}},{bound}}}"#, table("global", "upper")), None),
    ] {
        assert_eq!(routed(&table::of(&text).unwrap(), "k").as_deref(), want, "{text}");
    }
}

const TABLES: &str = r#"{
    "route_rules": {
        "a": {"type": "apikey", "owner": "alice", "rules": [
            {"name": "post", "Cond": "req_method_in(\"POST\")", "targets": [{"ClusterName": "c", "Weight": 100}]}]},
        "e": {"type": "entity", "owner": "dept", "rules": [
            {"name": "first", "Cond": "default_t()",
                "targets": [{"ClusterName": "c1", "Model": "m", "Weight": 60}, {"ClusterName": "c2", "Weight": 40}],
                "fallbacks": [{"ClusterName": "f", "Model": "n"}]},
            {"name": "second", "Cond": "default_t()", "targets": [{"ClusterName": "c", "Weight": 100}]}]},
        "g": {"type": "global", "owner": "all", "rules": [
            {"name": "any", "Cond": "default_t()", "targets": [{"ClusterName": "c", "Weight": 100}]}]}
    },
    "ApikeyRouteTableBindings": {
        "alice": ["a", "nowhere", "e", "g"], "bob": ["g", "e"], "carol": ["a", "nowhere"], "dave": null
    }
}"#;

#[test]
fn air_4_the_order_of_the_binding_decides() {
    let tables = table::of(TABLES).unwrap();
    for (key, want) in [
        ("alice", Some("entity dept first")),
        ("bob", Some("global all any")),
        ("carol", None),
        ("dave", None),
        ("eve", None),
        ("sk-alice", None),
        ("", None),
    ] {
        assert_eq!(routed(&tables, key).as_deref(), want, "{key}");
    }
    let mut req = request("alice");
    route(&tables, &mut req).unwrap();
    let route = req.ai.and_then(|ai| ai.route).unwrap();
    let target = |cluster: &str, model: &str, weight| AiTarget {
        cluster: cluster.into(),
        model: model.into(),
        weight,
    };
    assert_eq!(route.targets, [target("c1", "m", 60), target("c2", "", 40)]);
    assert_eq!(route.fallbacks, [target("f", "n", 0)]);
}

#[test]
fn air_5_6_and_7_counters_pages_and_reload() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir(root.join(NAME)).unwrap();
    std::fs::write(root.join("mod_ai_route/mod_ai_route.conf"), "[basic]\nRouteRulePath = r.data\n").unwrap();
    std::fs::write(root.join("r.data"), TABLES).unwrap();
    let (mut callbacks, mut web) = (Callbacks::default(), WebHandlers::default());
    ModuleAiRoute.init(&mut callbacks, &mut web, root).unwrap();
    assert_eq!(callbacks.names(Point::HandleFoundProduct), ["mod_ai_route.route"]);

    let counts = || (0..6).map(|place| state::group().get(place)).collect::<Vec<_>>();
    let tables = table::of(TABLES).unwrap();
    let before = counts();
    for key in ["alice", "bob", "carol", ""] {
        routed(&tables, key);
    }
    let mut plain = testing::request("GET", "/");
    route(&tables, &mut plain).unwrap();
    let mut post = request("alice");
    post.http.method = "POST".into();
    route(&tables, &mut post).unwrap();
    let added: Vec<_> = counts().iter().zip(before).map(|(now, then)| now - then).collect();
    // Other tests count at the same time.
    for (place, least) in [6, 1, 1, 1, 1, 0].into_iter().enumerate() {
        assert!(added[place] >= least, "{place}: {added:?}");
    }
    assert_eq!(added[state::REQ_FALLBACK], 0);
}
