//! Reloads (LIFE-107, CFG-135 to CFG-152): under load nothing fails; what is wrong changes nothing.

use bfe_tests::{Backend, Bfe, Cluster, Reply, TellsOver, Tree};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const GET: &str = "GET / HTTP/1.1\r\nHost: ok\r\n\r\n";
/// Time between two reloads, and how long they go on.
const EVERY: Duration = Duration::from_millis(50);
const TIME: Duration = Duration::from_secs(5);

/// One of a series of trees that all answer `GET /`, each in its own way.
fn variant(number: usize, backends: &[&Backend; 3]) -> Tree {
    let [a, b, c] = backends;
    let of_one: &[&Backend] = match number % 3 {
        0 => &[a],
        1 => &[a, b],
        _ => &[b, c],
    };
    let mut tree = Tree::new()
        .version(number)
        .host("p", "ok")
        .route("p", "default_t()", if number.is_multiple_of(2) { "one" } else { "two" })
        .cluster(Cluster::new("one").sub("one.s", 100, of_one))
        .cluster(Cluster::new("two").sub("two.s", 60, &[c]).sub("two.t", 40, &[a]))
        // Settings that make the connections start anew, and some that do not.
        .cluster_conf(
            "one",
            json!({
                "BackendConf": {"MaxIdleConnsPerHost": 2 + number % 4, "RetryLevel": 1},
                "ClusterBasic": {"TimeoutReadClient": 20000 + number}
            }),
        );
    for i in 0..number % 7 {
        tree = tree.host("p", &format!("h{i}.example")).host(&format!("q{i}"), &format!("q{number}-{i}"));
        tree = tree.route(&format!("q{i}"), &format!("req_path_in(\"/{number}\", false)"), "two");
    }
    tree
}

#[test]
fn life_107_reloads_under_load() {
    let (a, b, c) = (Backend::ok("a"), Backend::ok("b"), Backend::ok("c"));
    let backends = [&a, &b, &c];
    let bfe = Bfe::start(&variant(0, &backends));
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..4 {
            let (bfe, over, asked) = (&bfe, &over, &asked);
            scope.spawn(move || {
                let mut client = bfe.client();
                while !over.load(Relaxed) {
                    let answer = client.ask(GET);
                    if answer.status != 200 {
                        over.store(true, Relaxed);
                        panic!("client {number}: {answer:?}");
                    }
                    asked.fetch_add(1, Relaxed);
                }
            });
        }
        let _over = TellsOver(&over);
        let (begin, mut number, mut settled) = (Instant::now(), 0, 0);
        while begin.elapsed() < TIME && !over.load(Relaxed) {
            let next = Instant::now() + EVERY;
            number += 1;
            bfe.rewrite(&variant(number, &backends));
            // Backends first: routes must not lead to what is not there.
            assert_eq!(bfe.reload("gslb_data_conf"), None);
            assert_eq!(bfe.reload("server_data_conf"), None);
            if number == 20 {
                settled = bfe.rss();
            }
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        assert!(number >= 30, "only {number} reloads");
        let grown = bfe.rss().saturating_sub(settled);
        assert!(grown < 16 << 20, "{grown} bytes for {number} reloads");
        let version = bfe.monitor_json("/monitor/host_table_version");
        assert_eq!(version["HostTag"], json!(number.to_string()), "CFG-143");
    });
    assert!(asked.load(Relaxed) > 500, "only {asked:?} requests");
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["CLIENT_REQ_FAIL"], counters["ERR_CLIENT_WRITE"]), (0, 0));
    bfe.wait_idle();
}

#[test]
fn cfg_135_137_wrong_files_change_nothing() {
    let (old, new) = (Backend::ok("old"), Backend::ok("new"));
    let tree = |backend: &Backend| Tree::proxy(backend);
    let bfe = Bfe::start(&tree(&old));
    let mut client = bfe.client();
    let vips = r#"{"Version": "2", "Vips": {"p": ["x"]}}"#;
    let next = || tree(&new).version(2);
    for (id, page, wrong, says) in [
        (
            "no JSON",
            "server_data_conf",
            next().file("server_data_conf/host_rule.data", "{"),
            "host_rule.data",
        ),
        ("vip", "server_data_conf", next().file("server_data_conf/vip_rule.data", vips), "vip_rule.data"),
        ("condition", "server_data_conf", next().route("p", "nonsense(", "c"), "route_rule.data"),
        ("cross check", "server_data_conf", next().route("p", "default_t()", "nowhere"), "nowhere"),
        (
            "cluster",
            "server_data_conf",
            next().cluster_conf("c", json!({"GslbBasic": {"BalanceMode": "CHANCE"}})),
            "cluster_conf.data",
        ),
        (
            "no file",
            "server_data_conf",
            next().without("server_data_conf/cluster_conf.data"),
            "cluster_conf.data",
        ),
        ("weights", "gslb_data_conf", next().cluster(Cluster::new("d").sub("d.s", 0, &[&new])), "gslb.data"),
        (
            "no JSON",
            "gslb_data_conf",
            next().file("cluster_conf/cluster_table.data", "{"),
            "cluster_table.data",
        ),
        ("no file", "gslb_data_conf", next().without("cluster_conf/gslb.data"), "gslb.data"),
    ] {
        bfe.rewrite(&wrong);
        let error = bfe.reload(page).unwrap_or_else(|| panic!("{id}: no error"));
        assert!(error.contains(says), "{id}: {error}");
        assert_eq!(client.ask(GET).text(), "old", "{id}");
        assert_eq!(bfe.monitor_json("/monitor/host_table_version")["HostTag"], json!("1"), "{id}");
        assert_eq!(bfe.monitor_json("/monitor/cluster_table_version")["ClusterConfVer"], json!("1"), "{id}");
        assert_eq!(bfe.monitor_json("/monitor/bal_table_version")["GslbConfTimeStamp"], json!("1"), "{id}");
    }
    // Made right, they are taken.
    bfe.rewrite(&next());
    assert_eq!((bfe.reload("gslb_data_conf"), bfe.reload("server_data_conf")), (None, None));
    assert_eq!(client.ask(GET).text(), "new");
    assert_eq!(bfe.monitor_json("/monitor/bal_table_version")["GslbConfTimeStamp"], json!("2"));
}

#[test]
fn cfg_136_requests_under_way_keep_their_tables() {
    let old = Backend::start(|req| match req.line() {
        "GET /hold HTTP/1.1" => Reply::new().hold().send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold"),
        _ => Reply::ok("old"),
    });
    let new = Backend::ok("new");
    let two = |to: &str| {
        Tree::new()
            .host("p", "ok")
            .route("p", "default_t()", to)
            .cluster(Cluster::new("old").sub("old.s", 100, &[&old]))
            .cluster(Cluster::new("new").sub("new.s", 100, &[&new]))
    };
    let bfe = Bfe::start(&two("old"));
    let mut held = bfe.client();
    held.send("GET /hold HTTP/1.1\r\nHost: ok\r\n\r\n");
    old.wait_held(1);
    // The old cluster is gone altogether.
    let only = Tree::new().host("p", "ok").route("p", "default_t()", "new").cluster(Cluster::new("new").sub(
        "new.s",
        100,
        &[&new],
    ));
    bfe.rewrite(&only);
    assert_eq!((bfe.reload("server_data_conf"), bfe.reload("gslb_data_conf")), (None, None));
    assert_eq!(bfe.ask(GET).text(), "new");
    old.release();
    assert_eq!(held.read_response("GET").text(), "old");
    assert_eq!(held.ask(GET).text(), "new");
}

#[test]
fn cfg_139_140_other_folders_and_unknown_pages() {
    let (old, new) = (Backend::ok("old"), Backend::ok("new"));
    let bfe = Bfe::start(&Tree::proxy(&old));
    let other = tempfile::tempdir().unwrap();
    Tree::proxy(&new).version("other").lay_out(other.path());
    let dir = |name: &str| other.path().join(name).display().to_string();
    assert_eq!(
        bfe.monitor(&format!("/reload/gslb_data_conf?path={}", dir("cluster_conf"))),
        "{\"error\":null}"
    );
    assert_eq!(bfe.ask(GET).text(), "new");
    assert_eq!(bfe.reload(&format!("server_data_conf?path={}", dir("server_data_conf"))), None);
    assert_eq!(bfe.monitor_json("/monitor/host_table_version")["HostTag"], json!("other"));
    assert!(bfe.reload("gslb_data_conf?path=/nowhere").is_some_and(|error| error.contains("/nowhere")));
    assert!(bfe.reload("nothing").is_some_and(|error| error.contains("handler not exist")));
    assert_eq!(bfe.ask(GET).text(), "new");
}
