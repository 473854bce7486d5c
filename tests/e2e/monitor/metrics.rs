//! `/metrics`: well-formed whatever things are called, bounded, and quick.

use bfe_tests::{Backend, Bfe, Cluster, Exposition, Reply, Tree};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

fn metrics(bfe: &Bfe) -> Exposition {
    Exposition::parse(&bfe.monitor("/metrics"))
}

#[test]
fn odd_names_and_all_families() {
    let backend = Backend::start(|req| match req.line() {
        "GET /missing HTTP/1.1" => Reply::bytes("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        _ => Reply::ok("x"),
    });
    let down = Backend::refusing();
    const ODD: &str = "we\"ird\\ clu\nster ü";
    let tree = Tree::new()
        .module("mod_block")
        .file(
            "mod_block/mod_block.conf",
            "[Basic]\nProductRulePath = mod_block/rules.data\nIPBlocklistPath = mod_block/ips.data\n",
        )
        .file("mod_block/rules.data", r#"{"Version": "1", "Config": {}}"#)
        .file("mod_block/ips.data", "")
        .host("pro\"duct", "ok")
        .host("other", "down")
        .route("pro\"duct", "default_t()", ODD)
        .route("other", "default_t()", "other")
        .cluster(Cluster::new(ODD).sub("s", 100, &[&backend]))
        .cluster(
            Cluster::new("other").sub("other.s", 100, &[&down]).conf(json!({"GslbBasic": {"RetryMax": 0}})),
        );
    let bfe = Bfe::start(&tree);
    for (host, path, status) in
        [("ok", "/", 200), ("ok", "/missing", 404), ("down", "/", 500), ("none", "/", 500)]
    {
        assert_eq!(bfe.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).status, status);
    }
    bfe.wait_idle();
    assert_eq!(bfe.reload("server_data_conf"), None);
    assert!(bfe.reload("gslb_data_conf?path=/nowhere").is_some());
    let page = metrics(&bfe);
    let duration = |product: &str, code: &str| {
        page.get("bfe_request_duration_seconds_count", &[("product", product), ("code", code)])
    };
    assert_eq!(duration("pro\"duct", "2xx"), Some(1.0));
    assert_eq!(duration("pro\"duct", "4xx"), Some(1.0));
    assert_eq!(duration("other", "5xx"), Some(1.0));
    assert_eq!(duration("none", "5xx"), Some(1.0));
    assert_eq!(page.get("bfe_cluster_requests_total", &[("cluster", ODD)]), Some(2.0));
    assert_eq!(page.get("bfe_cluster_errors_total", &[("cluster", "other")]), Some(1.0));
    assert_eq!(page.get("bfe_cluster_request_duration_seconds_count", &[("cluster", ODD)]), Some(2.0));
    assert_eq!(page.get("bfe_requests_total", &[("protocol", "http")]), Some(4.0));
    assert_eq!(page.get("bfe_connections_active", &[("protocol", "http")]), Some(0.0));
    assert_eq!(page.get("bfe_request_internal_delay_seconds_count", &[("body", "no")]), Some(2.0));
    assert_eq!(page.sum("bfe_tls_handshakes_total"), 0.0);
    assert_eq!(
        page.get("bfe_reloads_total", &[("name", "server_data_conf"), ("result", "success")]),
        Some(1.0)
    );
    assert_eq!(
        page.get("bfe_reloads_total", &[("name", "gslb_data_conf"), ("result", "failure")]),
        Some(1.0)
    );
    assert_eq!(page.get("bfe_config_info", &[("file", "host_rule"), ("version", "1")]), Some(1.0));
    assert_eq!(page.get("bfe_module_info", &[("module", "mod_block")]), Some(1.0));
    assert_eq!(page.sum("bfe_build_info"), 1.0);
    assert_eq!(page.sum("bfe_cluster_backends"), 2.0);
    assert!(page.sum("process_resident_memory_bytes") > 0.0);
    // The names of the original's own format are there.
    assert_eq!(page.get("proxy_state_CLIENT_REQ_SERVED", &[]), Some(4.0));
    assert_eq!(page.families["proxy_state_CLIENT_REQ_ACTIVE"], "gauge");
    assert_eq!(page.get("mod_block_REQ_TOTAL", &[]), Some(3.0));
    for group in ["http2_state", "spdy_state", "stream_state", "tls_state", "proxy_protocol_state"] {
        for name in bfe.counters(group).keys() {
            assert!(page.has(&format!("proxy_state_{name}")), "{name}");
        }
    }
}

#[test]
fn ten_thousand_clusters_in_a_second() {
    const CLUSTERS: usize = 10_000;
    let backend = Backend::ok("x");
    let mut tree = Tree::new().host("p", "ok").route("p", "default_t()", "c00000");
    for number in 0..CLUSTERS {
        let name = format!("c{number:05}");
        tree = tree.cluster_unchecked(Cluster::new(&name).sub(&format!("{name}.s"), 100, &[&backend]));
        tree = tree.host(&format!("p{number}"), &format!("h{number}"));
    }
    let bfe = Bfe::start(&tree);
    for _ in 0..20 {
        assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
    }
    // Nobody else is at work in the process, so its own time is what scrapes take, however busy the machine is.
    const SCRAPES: u32 = 4;
    let cpu = |page: &str| Exposition::parse(page).sum("process_cpu_seconds_total");
    let text = bfe.monitor("/metrics");
    let mut last = String::new();
    (0..SCRAPES).for_each(|_| last = bfe.monitor("/metrics"));
    let took = (cpu(&last) - cpu(&text)) / f64::from(SCRAPES);
    assert!(took < 1.0, "{took} s for {} bytes", last.len());
    let page = Exposition::parse(&last);
    assert!(page.len() < 40_000, "{} series", page.len());
    // What is beyond the bounds is summed.
    assert_eq!(page.sum("bfe_cluster_backends"), CLUSTERS as f64);
    assert_eq!(page.get("bfe_cluster_backends", &[("cluster", "other")]), Some((CLUSTERS - 1000) as f64));
    let other = [("cluster", "other"), ("sub_cluster", "other"), ("backend", "other"), ("addr", "other")];
    assert_eq!(page.get("bfe_backend_up", &other), Some((CLUSTERS - 2000) as f64));
    assert_eq!(page.sum("bfe_request_duration_seconds_count"), 20.0);
    // Scrapes are made off the workers: requests go on meanwhile.
    std::thread::scope(|scope| {
        let scraping = scope.spawn(|| (0..5).for_each(|_| drop(bfe.monitor("/metrics"))));
        let mut client = bfe.client();
        while !scraping.is_finished() {
            assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
        }
    });
}

/// The files of a folder.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == extension)).collect()
}

/// The names in a text that look like those of metrics of the page.
fn metric_names(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    words
        .filter(|w| ["bfe_", "proxy_state_", "process_"].iter().any(|p| w.starts_with(p)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn dashboards_and_alerts_use_names_that_are_there() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&Tree::proxy(&backend));
    assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
    assert_eq!(bfe.reload("server_data_conf"), None);
    bfe.wait_idle();
    let page = metrics(&bfe);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana");
    let mut names = 0;
    for file in [files(&folder, "json"), files(&folder, "yml")].concat() {
        let text = fs::read_to_string(&file).unwrap();
        let expressions: Vec<_> = if file.extension().is_some_and(|e| e == "json") {
            let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
            let mut found = Vec::new();
            expressions(&dashboard, &mut found);
            found
        } else {
            text.lines().filter(|l| !l.trim_start().starts_with(['#', '-'])).map(str::to_owned).collect()
        };
        for name in expressions.iter().flat_map(|e| metric_names(e)) {
            // The names of recording rules and labels are not theirs.
            assert!(page.has(&name), "{}: {name} is not on the page", file.display());
            names += 1;
        }
    }
    assert!(names > 30, "only {names} names");
}

/// All values of keys that hold queries.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("expr" | "query" | "definition", serde_json::Value::String(text)) => {
                        found.push(text.clone());
                    }
                    _ => expressions(value, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|v| expressions(v, found)),
        _ => {}
    }
}
