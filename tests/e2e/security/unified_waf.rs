//! mod_unified_waf.

use bfe_tests::h2::{TlsClient, block, frame};
use bfe_tests::{Backend, Bfe, Reply, Tree, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A tree, and a folder of the three data files: they are not in the tree, as their paths may be anything.
struct Site {
    tree: Tree,
    files: TempDir,
}

impl Site {
    fn new(backend: &Backend, vendor: &str, waf: &Backend) -> Self {
        let files = tempfile::tempdir().unwrap();
        let at = |name: &str| files.path().join(name).display().to_string();
        let conf = format!(
            "[Basic]\nWafProductName = {vendor}\n[ConfigPath]\nModWafDataPath = {}\nProductParamPath = {}\n\
             WafInstancesPath = {}\n",
            at("waf_data"),
            at("product_parameter"),
            at("waf_instances")
        );
        let tree = Tree::proxy(backend)
            .module("mod_logid")
            .module("mod_unified_waf")
            .file("mod_unified_waf/mod_unified_waf.conf", conf);
        let site = Self { tree, files };
        site.params(&json!({}));
        site.write("product_parameter", &json!({"p": {"SendBody": true, "SendBodySize": 8}}));
        site.instances(&[waf]);
        site
    }

    fn write(&self, file: &str, config: &Value) {
        fs::write(self.files.path().join(file), json!({"Version": "v", "Config": config}).to_string())
            .unwrap();
    }

    /// Parameters, with some that are other than usual.
    fn params(&self, other: &Value) {
        let mut config = json!({
            "WafClient": {"ConnectTimeout": 1000, "Concurrency": 100, "MaxWaitCount": 100},
            "WafDetect": {"RetryMax": 1, "ReqTimeout": 5000},
            "HealthChecker": {"UnavailableFailedThres": 2, "HealthCheckInterval": 3_600_000},
        });
        for (section, fields) in other.as_object().unwrap() {
            for (field, value) in fields.as_object().unwrap() {
                config[section][field] = value.clone();
            }
        }
        self.write("waf_data", &config);
    }

    fn instances(&self, wafs: &[&Backend]) {
        let list: Vec<_> = wafs.iter().map(|w| json!({"IpAddr": "127.0.0.1", "Port": w.port()})).collect();
        self.write("waf_instances", &json!({"WafCluster": list}));
    }

    fn start(&self) -> Bfe {
        Bfe::start(&self.tree)
    }
}

fn verdict(flag: i64) -> Reply {
    Reply::ok(format!(r#"{{"event_id":"E1","result_flag":{flag}}}"#))
}

/// Blocks what asks for that, wherever it stands.
fn waf() -> Backend {
    Backend::start(|req| {
        let text = String::from_utf8_lossy(&req.body).into_owned();
        match () {
            () if text.contains("X-Do: block") => verdict(7),
            () if text.contains("X-Do: break") => Reply::bytes("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"),
            () if text.contains("X-Do: stall") => Reply::new().stall(),
            () => verdict(0),
        }
    })
}

fn get(what: &str) -> String {
    format!("GET /a?b HTTP/1.1\r\nHost: ok\r\nX-Do: {what}\r\n\r\n")
}

fn counters(bfe: &Bfe) -> Value {
    bfe.monitor_json("/monitor/mod_unified_waf")["SCounters"].clone()
}

#[test]
fn uwaf_2_3_4_6_and_7_verdicts_and_bodies() {
    let (backend, waf) = (Backend::ok("hello"), waf());
    let site = Site::new(&backend, "BFEMockWaf", &waf);
    let bfe = site.start();
    let mut client = bfe.client();
    assert_eq!(client.ask(get("pass")).text(), "hello");
    let asked = &waf.requests()[0];
    assert!(asked.head.starts_with("POST /detect HTTP/1.1\r\nHost: ok\r\n"), "{}", asked.head);
    assert_eq!(asked.header("Xinner-Logid").map(str::len), Some(32));
    let text = String::from_utf8_lossy(&asked.body);
    assert!(text.starts_with("GET /a?b HTTP/1.1\r\nHost: ok\r\nContent-Length: 0\r\n"), "{text}");

    // The firewall gets the beginning of a body, the backend all of it.
    let post = "POST / HTTP/1.1\r\nHost: ok\r\nContent-Length: 12\r\n\r\n0123456789ab";
    assert_eq!(client.ask(post).text(), "hello");
    let text = String::from_utf8_lossy(&waf.requests()[1].body).into_owned();
    assert!(text.contains("\r\nContent-Length: 8\r\n") && text.ends_with("\r\n\r\n01234567"), "{text}");
    assert_eq!(backend.requests()[1].body, b"0123456789ab");

    // What the firewall cannot answer passes, once it has been asked twice.
    assert_eq!(client.ask(get("break")).text(), "hello");
    assert_eq!(waf.count(), 4);

    let answer = client.ask(get("block"));
    assert_eq!((answer.status, answer.text()), (200, r#"{"event_id":"E1"}"#));
    assert_eq!(answer.header("Server"), Some("bfe"));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    client.expect_close();
    assert_eq!((backend.count(), waf.count()), (3, 5));
    let counters = counters(&bfe);
    for (name, want) in
        [("Forbidden", 1), ("NoCheck", 0), ("WaitResponse.Pass.Ok", 2), ("WaitResponse.Pass.Other", 1)]
    {
        assert_eq!(counters[name], want, "{name}");
    }
    assert_eq!(counters[format!("waf_client_detect_127.0.0.1:{}", waf.port())], 4);

    // A product without an entry is not looked at.
    site.write("product_parameter", &json!({}));
    assert_eq!(bfe.reload("mod_unified_waf.product_parameter"), None);
    assert_eq!(bfe.ask(get("block")).text(), "hello");
    assert_eq!(waf.count(), 5);
    assert_eq!(self::counters(&bfe)["NoCheck"], 1);
}

#[test]
fn bodies_over_http2_are_looked_at_too() {
    let (backend, waf) = (Backend::ok("hello"), waf());
    let mut site = Site::new(&backend, "BFEMockWaf", &waf);
    site.tree = site.tree.file(
        "tls_conf/tls_rule_conf.data",
        r#"{"Version": "1", "DefaultNextProtos": ["h2", "http/1.1"], "Config": {}}"#,
    );
    let bfe = site.start();
    let mut client = TlsClient::h2(bfe.https_addr(), &[]);
    let fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "ok"),
        (":path", "/h2"),
        ("content-length", "3"),
    ];
    client.send(frame(1, 4, 1, &block(&fields)));
    client.send(frame(0, 1, 1, b"abc"));
    let asked = waf.wait_requests(1);
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    assert!(text.starts_with("POST /h2 HTTP/2.0\r\nHost: ok\r\n") && text.ends_with("\r\n\r\nabc"), "{text}");
    assert_eq!(backend.wait_requests(1).body, b"abc");
}

#[test]
fn uwaf_5_and_13_slow_firewalls() {
    let (backend, waf) = (Backend::ok("hello"), waf());
    let site = Site::new(&backend, "BFEMockWaf", &waf);
    site.params(&json!({
        "WafClient": {"Concurrency": 1, "MaxWaitCount": 1},
        "WafDetect": {"ReqTimeout": 700, "RetryMax": 0},
    }));
    let bfe = site.start();
    // The first has the turn, the second and third wait for it, the fourth is one too many.
    let begin = Instant::now();
    let mut clients = [bfe.client(), bfe.client(), bfe.client()];
    for (client, waiting) in clients.iter_mut().zip([1, 2, 3]) {
        client.send(get("stall"));
        wait_until("it is there", || {
            counters(&bfe)[format!("waf_client_detect_127.0.0.1:{}", waf.port())] == waiting
        });
    }
    assert_eq!(bfe.ask(get("block")).text(), "hello");
    assert!(begin.elapsed() < Duration::from_millis(700), "too slow to tell");
    for client in &mut clients {
        assert_eq!(client.read_response("GET").text(), "hello");
    }
    let counters = counters(&bfe);
    assert_eq!((&counters["NoCheck"], &counters["WaitResponse.Pass.Timeout"]), (&json!(1), &json!(3)));
    for (name, want) in [("closed_skip", 1), ("concurrency_timout", 2), ("timeout", 1)] {
        assert_eq!(counters[format!("waf_client_detect_{name}_127.0.0.1:{}", waf.port())], want, "{name}");
    }
}

#[test]
fn uwaf_8_9_and_10_instances_come_and_go() {
    let backend = Backend::ok("hello");
    let healthy = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_healthy = healthy.clone();
    let waf = Backend::start(move |req| {
        if is_healthy.load(std::sync::atomic::Ordering::SeqCst) {
            verdict(i64::from(!req.line().starts_with("GET /hccheck ")))
        } else {
            Reply::new().close()
        }
    });
    let site = Site::new(&backend, "BFEMockWaf", &waf);
    site.params(&json!({"WafDetect": {"RetryMax": 0}, "HealthChecker": {"HealthCheckInterval": 50}}));
    let bfe = site.start();
    let available = || {
        let states = bfe.monitor_json("/monitor/mod_unified_waf")["States"].clone();
        states[format!("waf_client_available_127.0.0.1:{}", waf.port())].clone()
    };
    wait_until("it is found ill", || available() == "false");
    assert_eq!(bfe.ask(get("x")).text(), "hello");
    assert_eq!(counters(&bfe)["NoCheck"], 1);
    healthy.store(true, std::sync::atomic::Ordering::SeqCst);
    wait_until("it is found well", || available() == "true");
    assert_eq!(bfe.ask(get("x")).text(), r#"{"event_id":"E1"}"#);
    let probe = waf.requests().into_iter().find(|req| req.line().starts_with("GET /hccheck ")).unwrap();
    assert_eq!(
        probe.head,
        format!("GET /hccheck HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", waf.port())
    );

    // A wrong file changes nothing, one without a cluster takes all away.
    site.instances(&[]);
    let error = bfe.reload("mod_unified_waf.waf_instances").unwrap();
    assert!(error.contains("Config.WafCluster: WafCluster is empty"), "{error}");
    assert_eq!(bfe.ask(get("x")).text(), r#"{"event_id":"E1"}"#);
    site.write("waf_instances", &json!({}));
    assert_eq!(bfe.reload("mod_unified_waf.waf_instances"), None);
    assert_eq!(bfe.ask(get("x")).text(), "hello");
    wait_until("nothing is shown of it", || available().is_null());
    assert_eq!(counters(&bfe)["waf_client.deleted_clients"], 1);
    let asked = waf.count();
    site.instances(&[&waf]);
    assert_eq!(bfe.reload("mod_unified_waf.waf_instances"), None);
    assert_eq!(bfe.ask(get("x")).text(), r#"{"event_id":"E1"}"#);
    assert!(waf.count() > asked);
}

#[test]
fn uwaf_1_without_a_vendor_nobody_is_asked() {
    let (backend, waf) = (Backend::ok("hello"), waf());
    let site = Site::new(&backend, "None", &waf);
    let bfe = site.start();
    assert_eq!(bfe.ask(get("block")).text(), "hello");
    assert_eq!(waf.count(), 0);
    let states = bfe.monitor_json("/monitor/mod_unified_waf")["States"].clone();
    assert_eq!(states["WafProductName"], "None");
    assert_eq!(
        states["WafInstances"],
        format!(r#"[{{"IpAddr":"127.0.0.1","Port":{},"HealthCheckPort":{0}}}]"#, waf.port())
    );
    site.params(&json!({"WafDetect": {"ReqTimeout": 0}}));
    let error = bfe.reload("mod_unified_waf.waf_data").unwrap();
    assert!(
        error.contains("Config.WafDetect.ReqTimeout: WafDetect.ReqTimeout should be > 0, got 0"),
        "{error}"
    );
}
