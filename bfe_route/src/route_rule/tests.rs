use super::*;
use bfe_basic::{Request, Session};
use std::rc::Rc;

fn load_text(text: &str) -> Result<(RouteTable, Vec<String>), String> {
    let (table, _, warnings) = json::from_slice("route_rule.data", text.as_bytes())
        .and_then(check::check)
        .map_err(|errors| errors.to_string())?;
    Ok((table, warnings.iter().map(ToString::to_string).collect()))
}

/// A product `p` with basic rules.
fn basic(rules: &str) -> Result<RouteTable, String> {
    load_text(&format!(r#"{{"Version":"1","BasicRule":{{"p":[{rules}]}}}}"#)).map(|(table, _)| table)
}

fn find(table: &RouteTable, host: &str, path: &str) -> Result<String, RouteError> {
    let mut http = bfe_http::Request::new("GET", "/", host).unwrap();
    http.url.path = path.to_owned().into();
    let req = Request::new(Rc::new(Session::default()), http);
    look_up(table, &req).unwrap()
}

/// The name of the cluster by the rules of the product `p`.
fn look_up(table: &RouteTable, req: &Request) -> Result<Result<String, RouteError>, bfe_basic::NeedBody> {
    let Some(routes) = table.named("p") else { return Ok(Err(RouteError::NoProductRule)) };
    Ok(routes.find(req)?.map(|cluster| table.clusters[cluster.place()].to_string()))
}

#[test]
fn refused_files() {
    for (id, text, want) in [
        ("CFG-71", r#"{"ProductRule":{}}"#, "route_rule.data:1:1: Version: no Version"),
        (
            "CFG-71",
            r#"{"Version":"1"}"#,
            "route_rule.data:1:1: no product rule: expected BasicRule or ProductRule",
        ),
        (
            "CFG-71",
            r#"{"Version":"1","BasicRule":null}"#,
            "route_rule.data:1:1: no product rule: expected BasicRule or ProductRule",
        ),
        (
            "CFG-72",
            r#"{"Version":"1","ProductRule":{"p":[{"Cond":"default_t()"}]}}"#,
            "route_rule.data:1:36: ProductRule.p[0]: no cluster name in route rule for (p, 0)",
        ),
        (
            "CFG-72",
            r#"{"Version":"1","ProductRule":{"p":[{"ClusterName":"c"}]}}"#,
            "route_rule.data:1:36: ProductRule.p[0]: no cond in route rule for (p, 0)",
        ),
        (
            "CFG-72",
            r#"{"Version":"1","ProductRule":{"p":[null]}}"#,
            "route_rule.data:1:36: ProductRule.p[0]: no cluster name in route rule for (p, 0)",
        ),
        (
            "no cluster name",
            r#"{"Version":"1","BasicRule":{"p":[{"Path":["/a"]}]}}"#,
            "route_rule.data:1:34: BasicRule.p[0]: no cluster name in basic route rule for (p, 0)",
        ),
        (
            "CFG-73",
            r#"{"Version":"1","BasicRule":{"p":[{"Path":["/a"],"ClusterName":"c"},{"Hostname":[],"ClusterName":"c"}]}}"#,
            "route_rule.data:1:68: BasicRule.p[1]: no hostname or path in basic route rule for (p, 1)",
        ),
        (
            "CFG-74",
            r#"{"Version":"1","BasicRule":{"p":[{"Hostname":["a","b*"],"Path":["/*/"],"ClusterName":"c"}]}}"#,
            "route_rule.data:1:51: BasicRule.p[0].Hostname[1]: host[b*] is invalid for (p, 0), err: format error in wildcard host\n\
             route_rule.data:1:65: BasicRule.p[0].Path[0]: path[/*/] is invalid (p, 0), err: * must appear as last character of path",
        ),
        (
            "CFG-77",
            r#"{"Version":"1","BasicRule":{"p":[{"Path":"*","ClusterName":"c"}]}}"#,
            "route_rule.data:1:42: BasicRule.p[0].Path: expected a list, found the string \"*\"",
        ),
    ] {
        assert_eq!(load_text(text).map(|_| ()), Err(want.to_owned()), "{id}: {text}");
    }
}

#[test]
fn cfg_76_duplicates() {
    for (rules, path, host, cluster) in [
        (r#"{"Hostname":["a.com","A.COM"],"Path":["/x"],"ClusterName":"c"}"#, "/x", "A.COM", "c"),
        (r#"{"Hostname":["a.com","a.com."],"Path":["/x"],"ClusterName":"c"}"#, "/x", "a.com.", "c"),
        (r#"{"Path":["/x*","/x/*"],"ClusterName":"c"}"#, "/x/*", "*", "c"),
        (r#"{"Path":["*"],"ClusterName":"c"},{"Hostname":["*"],"ClusterName":"d"}"#, "*", "*", "c"),
        (
            r#"{"Path":["/x"],"ClusterName":"c"},{"Hostname":["*."],"Path":["/x"],"ClusterName":"c"}"#,
            "/x",
            "*.",
            "c",
        ),
        (
            r#"{"Hostname":["a"],"ClusterName":"ADVANCED_MODE"},{"Hostname":["a"],"ClusterName":"d"}"#,
            "*",
            "a",
            "ADVANCED_MODE",
        ),
    ] {
        let error = basic(rules).unwrap_err();
        let want =
            format!("path[{path}] is duplicated in same host, existing cluster: {cluster} (host {host})");
        assert!(error.ends_with(&want), "{rules}: {error}");
    }
    for rules in [
        r#"{"Path":["/x","/x/","/X","/x*","*","/*"],"ClusterName":"c"}"#,
        r#"{"Hostname":["a.com","*.a.com","*"],"Path":["/x"],"ClusterName":"c"}"#,
        r#"{"Hostname":["a.com"],"ClusterName":"c"},{"Hostname":["b.com"],"ClusterName":"c"}"#,
    ] {
        assert!(basic(rules).is_ok(), "{rules}");
    }
}

#[test]
fn accepted_files() {
    for (id, text) in [
        ("CFG-71 empty version", r#"{"Version":"","ProductRule":{}}"#),
        ("Q45", r#"{"Version":"1","BasicRule":{}}"#),
        ("Q46", r#"{"Version":"1","ProductRule":{"p":null,"q":[]},"BasicRule":{"p":null}}"#),
    ] {
        assert!(load_text(text).is_ok(), "{id}: {text}");
    }
}

#[test]
fn basic_look_ups() {
    let first = r#"{"Hostname":["www.a.com"],"Path":["/a"],"ClusterName":"1"},{"Hostname":["*.a.com"],"Path":["/w"],"ClusterName":"2"}"#;
    let catch_all = r#"{"Hostname":["*.a.com"],"Path":["/w"],"ClusterName":"1"},{"Hostname":["*"],"Path":["/any*"],"ClusterName":"2"}"#;
    let deep = r#"{"Hostname":["*.a.com"],"ClusterName":"1"},{"Hostname":["*.b.a.com"],"ClusterName":"2"}"#;
    let any = r#"{"Path":["/any*"],"ClusterName":"1"}"#;
    let slash = r#"{"Hostname":["m"],"Path":["/*"],"ClusterName":"1"}"#;
    let bare = r#"{"Hostname":["m"],"Path":["foo*"],"ClusterName":"1"}"#;
    let host = r#"{"Hostname":["A.com."],"ClusterName":"1"}"#;
    let many = r#"{"Path":["/x","/x*"],"ClusterName":"1"},{"Path":["/x/y/*"],"ClusterName":"2"},{"Path":["/x/y/z","/X"],"ClusterName":"3"},{"Path":["*"],"ClusterName":"4"},{"Path":["/x/"],"ClusterName":"5"}"#;
    let odd = r#"{"Path":["//*"],"ClusterName":"1"},{"Path":["/*"],"ClusterName":"2"}"#;
    let empty_labels = r#"{"Hostname":["*..com"],"ClusterName":"1"}"#;
    for (id, rules, host, path, want) in [
        ("CFG-129", first, "www.a.com", "/w", None),
        ("CFG-129", first, "www.a.com", "/a", Some("1")),
        ("CFG-129", first, "x.a.com", "/w", Some("2")),
        ("CFG-129", catch_all, "x.a.com", "/any", None),
        ("CFG-128", catch_all, "y.x.a.com", "/any", Some("2")),
        ("CFG-128", catch_all, "y.x.a.com", "/w", None),
        ("CFG-128", catch_all, "a.com", "/any", Some("2")),
        ("CFG-128", catch_all, ".a.com", "/w", Some("1")),
        ("CFG-128", deep, "z.b.a.com", "/", Some("2")),
        ("CFG-128", deep, "b.a.com", "/", Some("1")),
        ("CFG-128", deep, "y.z.b.a.com", "/", None),
        ("CFG-128", empty_labels, "x..com", "/", Some("1")),
        ("CFG-130", any, "h", "/any", Some("1")),
        ("CFG-130", any, "h", "/any/", Some("1")),
        ("CFG-130", any, "h", "/any/x", Some("1")),
        ("CFG-130", any, "", "/any/x", Some("1")),
        ("CFG-130", any, "h", "/anyx", None),
        ("CFG-130", any, "h", "/Any", None),
        ("CFG-130", any, "h", "/", None),
        ("CFG-131", slash, "m", "", None),
        ("CFG-131", slash, "m", "/", Some("1")),
        ("CFG-131", slash, "m", "/x", Some("1")),
        ("CFG-131", slash, "m", "x", None),
        ("CFG-131", host, "a.com", "", Some("1")),
        ("CFG-130", bare, "m", "foo", Some("1")),
        ("CFG-130", bare, "m", "foo/x", Some("1")),
        ("CFG-130", bare, "m", "foox", None),
        ("CFG-75", host, "a.COM:80", "/x", Some("1")),
        ("CFG-75", host, "a.com.", "/x", Some("1")),
        ("CFG-75", host, "a.com..", "/x", None),
        ("CFG-130", many, "h", "/x", Some("1")),
        ("CFG-130", many, "h", "/x/", Some("5")),
        ("CFG-130", many, "h", "/x/a", Some("1")),
        ("CFG-130", many, "h", "/x/y", Some("2")),
        ("CFG-130", many, "h", "/x/y/", Some("2")),
        ("CFG-130", many, "h", "/x/y/z", Some("3")),
        ("CFG-130", many, "h", "/x/y/z/", Some("2")),
        ("CFG-130", many, "h", "/X", Some("3")),
        ("CFG-130", many, "h", "/xy", Some("4")),
        ("CFG-130", many, "h", "", Some("4")),
        ("slashes", odd, "h", "//", Some("1")),
        ("slashes", odd, "h", "//x", Some("1")),
        ("slashes", odd, "h", "/", Some("2")),
        ("slashes", odd, "h", "/x//", Some("2")),
    ] {
        let found = find(&basic(rules).unwrap(), host, path);
        assert_eq!(found.ok().as_deref(), want, "{id}: {host:?} {path:?} {rules}");
    }
}

#[test]
fn cfg_132_product_rules_come_after_basic_rules() {
    let text = r#"{"Version":"v",
        "BasicRule":{"p":[{"Hostname":["adv"],"ClusterName":"ADVANCED_MODE"},{"Path":["/b"],"ClusterName":"b"}]},
        "ProductRule":{"p":[{"Cond":"default_t()","ClusterName":"c1"},{"Cond":"default_t()","ClusterName":"c2"}]}}"#;
    let (table, _) = load_text(text).unwrap();
    for (host, path, want) in [("h", "/b", "b"), ("h", "/x", "c1"), ("adv", "/b", "c1")] {
        assert_eq!(find(&table, host, path).as_deref(), Ok(want), "{host} {path}");
    }
    assert_eq!((table.version.as_str(), table.basic_products, table.advanced_products), ("v", 1, 1));
}

#[test]
fn cfg_132_the_first_of_many_product_rules() {
    let rule = |i: usize| {
        let condition = match i {
            20 => r#"req_path_prefix_in("/p5", false) || req_host_in("early")"#,
            40 => r#"req_path_in("/nowhere", true)"#,
            60 => r#"req_method_in("POST") && req_body_json_in("k", "v", false)"#,
            80 => "default_t()",
            _ => &format!(r#"req_path_prefix_in("/p{i}/", false) && req_host_in("h")"#),
        };
        let cluster = if i == 40 { String::new() } else { format!("c{i}") };
        serde_json::json!({"Cond": condition, "ClusterName": cluster})
    };
    let rules: Vec<_> = (0..100).map(rule).collect();
    let text = serde_json::json!({"Version": "1", "ProductRule": {"p": rules}});
    let (table, _) = load_text(&text.to_string()).unwrap();
    for (method, host, path, want) in [
        ("GET", "H:80", "/p7/x", "c7"),
        ("GET", "other", "/p7/x", "c80"),
        ("GET", "h", "/p5/x", "c5"),
        ("GET", "h", "/p53/x", "c20"),
        ("GET", "early", "/p79/", "c20"),
        ("GET", "h", "/p79/", "c79"),
        ("GET", "h", "/p99/", "c80"),
        ("GET", "h", "/NOWHERE", "no rule match for this req"),
        ("POST", "h", "/p49/", "c49"),
        ("POST", "h", "/p61/", "wants the body"),
        ("GET", "h", "", "c80"),
    ] {
        let mut http = bfe_http::Request::new(method, "/", host).unwrap();
        http.url.path = path.to_owned().into();
        http.body = bfe_http::Body::Full("{}".into());
        let req = Request::new(Rc::new(Session::default()), http);
        let found = match look_up(&table, &req) {
            Ok(found) => found.unwrap_or_else(|error| error.to_string()),
            Err(bfe_basic::NeedBody) => "wants the body".to_owned(),
        };
        assert_eq!(found, want, "{method} {host} {path}");
    }
}

#[test]
fn cfg_133_nothing_found() {
    let rule = r#"{"Hostname":["adv"],"ClusterName":"ADVANCED_MODE"}"#;
    for (id, text, host, want) in [
        ("unknown product", r#"{"Version":"1","ProductRule":{}}"#.to_owned(), "h", RouteError::NoProductRule),
        (
            "Q43",
            format!(r#"{{"Version":"1","BasicRule":{{"p":[{rule}]}}}}"#),
            "adv",
            RouteError::NoProductRule,
        ),
        (
            "basic miss",
            format!(r#"{{"Version":"1","BasicRule":{{"p":[{rule}]}}}}"#),
            "h",
            RouteError::NoProductRule,
        ),
        ("Q46", r#"{"Version":"1","ProductRule":{"p":null}}"#.to_owned(), "h", RouteError::NoMatchRule),
        (
            "cluster without a name",
            r#"{"Version":"1","ProductRule":{"p":[{"Cond":"default_t()","ClusterName":""}]}}"#.to_owned(),
            "h",
            RouteError::NoMatchRule,
        ),
    ] {
        let (table, _) = load_text(&text).unwrap();
        assert_eq!(find(&table, host, "/"), Err(want), "{id}");
    }
    for error in [RouteError::NoProduct, RouteError::NoProductRule, RouteError::NoMatchRule] {
        assert_eq!(error.to_string(), error.as_str());
    }
}

#[test]
fn hosts_with_ports_are_told() {
    let text = r#"{"Version":"1","BasicRule":{"p":[{"Hostname":["a:80"],"ClusterName":"c"}]}}"#;
    let (_, warnings) = load_text(text).unwrap();
    assert_eq!(
        warnings,
        [
            "route_rule.data:1:47: BasicRule.p[0].Hostname[0]: host a:80 can never match: hosts are looked up without their port",
        ]
    );
}

#[test]
fn long_paths_are_looked_up() {
    let table = basic(r#"{"Path":["/a/b/*"],"ClusterName":"1"}"#).unwrap();
    assert_eq!(find(&table, "h", &format!("/a/b{}", "/".repeat(100_000))).as_deref(), Ok("1"));
    assert_eq!(find(&table, "h", &"/".repeat(100_000)), Err(RouteError::NoProductRule));
    let deep = format!("/{}x", "a/".repeat(80));
    let table = basic(&format!(r#"{{"Path":["{deep}/*"],"ClusterName":"1"}}"#)).unwrap();
    assert_eq!(find(&table, "h", &deep).as_deref(), Ok("1"));
}

#[test]
fn a_hundred_thousand_rules_load() {
    let rules: Vec<_> = (0..100_000)
        .map(|n| serde_json::json!({"Hostname": [format!("h{}.test", n / 10)], "Path": [format!("/p{}/*", n % 10)], "ClusterName": format!("c{}", n % 7)}))
        .collect();
    let text = serde_json::json!({"Version": "1", "BasicRule": {"p": rules}});
    let (table, _) = load_text(&text.to_string()).unwrap();
    for n in (0..100_000).step_by(997) {
        let found = find(&table, &format!("H{}.test", n / 10), &format!("/p{}/x", n % 10));
        assert_eq!(found, Ok(format!("c{}", n % 7)));
    }
}
