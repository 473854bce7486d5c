//! Backends that go and come back, and what `/metrics` says of them.

use bfe_tests::{Backend, Bfe, Cluster, Reply, TellsOver, Tree, wait_until};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

const GET: &str = "GET / HTTP/1.1\r\nHost: ok\r\n\r\n";
/// Requests before, while and after one backend is gone.
const EACH: usize = 300;

fn three(backends: &[&Backend; 3]) -> Tree {
    Tree::new()
        .host("p", "ok")
        .route("p", "default_t()", "c")
        .cluster(Cluster::new("c").sub("c.s", 100, &backends[..]))
        .cluster_conf(
            "c",
            json!({
                "BackendConf": {"MaxIdleConnsPerHost": 8, "RetryLevel": 1},
                "GslbBasic": {"RetryMax": 2},
                "CheckConf": {"Schem": "tcp", "FailNum": 2, "SuccNum": 1, "CheckInterval": 200}
            }),
        )
}

#[test]
fn no_get_fails_while_one_of_three_backends_is_killed_and_comes_back() {
    let (a, b, c) = (Backend::ok("a"), Backend::ok("b"), Backend::ok("c"));
    let bfe = Bfe::start(&three(&[&a, &b, &c]));
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let port = a.port();
    let back = thread::scope(|scope| {
        for number in 0..4 {
            let (bfe, over, asked) = (&bfe, &over, &asked);
            scope.spawn(move || {
                let _over = TellsOver(over);
                let mut client = bfe.client();
                while !over.load(Relaxed) {
                    let answer = client.ask(GET);
                    assert_eq!(answer.status, 200, "client {number}: {answer:?}");
                    asked.fetch_add(1, Relaxed);
                }
            });
        }
        let _over = TellsOver(&over);
        let more = || {
            let goal = asked.load(Relaxed) + EACH;
            wait_until("more requests", || asked.load(Relaxed) >= goal || over.load(Relaxed));
        };
        more();
        drop(a);
        more();
        wait_until("the backend to be down", || up(&bfe, port) == Some(0));
        more();
        let back = Backend::start_at(port, |_| Reply::ok("a"));
        wait_until("the backend to be in use again", || up(&bfe, port) == Some(1) && back.count() > 0);
        more();
        back
    });
    assert!(asked.load(Relaxed) >= 4 * EACH);
    assert!(back.count() > 0 && b.count() > 0 && c.count() > 0);
    bfe.wait_idle();
    let active = series(&bfe, "bfe_backend_active_requests");
    assert!(active.len() == 3 && active.iter().all(|(_, value)| *value == 0.0), "{active:?}");
}

/// Whether `/metrics` has the backend on that port as up.
fn up(bfe: &Bfe, port: u16) -> Option<u8> {
    let addr = format!("addr=\"127.0.0.1:{port}\"");
    series(bfe, "bfe_backend_up").iter().find(|(labels, _)| labels.contains(&addr)).map(|(_, up)| *up as u8)
}

/// The series of a family: labels as text, and value.
fn series(bfe: &Bfe, family: &str) -> Vec<(String, f64)> {
    bfe.monitor("/metrics")
        .lines()
        .filter_map(|line| line.strip_prefix(family)?.strip_prefix('{')?.split_once("} "))
        .map(|(labels, value)| (labels.to_owned(), value.parse().unwrap()))
        .collect()
}

#[test]
fn metrics_tell_clusters_and_backends_apart() {
    let (good, bad) = (Backend::ok("good"), Backend::refusing());
    let tree = Tree::new()
        .host("p", "ok")
        .host("q", "bad")
        .route("p", "default_t()", "good")
        .route("q", "default_t()", "bad")
        .cluster(Cluster::new("good").sub("g", 100, &[&good]))
        .cluster(Cluster::new("bad").sub("b", 100, &[&bad]));
    let bfe = Bfe::start(&tree);
    for _ in 0..3 {
        assert_eq!(bfe.ask(GET).status, 200);
    }
    assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: bad\r\n\r\n").status, 500);
    let of = |family: &str, label: &str| {
        series(&bfe, family)
            .into_iter()
            .filter(|(labels, _)| labels.contains(label))
            .map(|(_, v)| v)
            .sum::<f64>()
    };
    assert_eq!(of("bfe_cluster_requests_total", "cluster=\"good\""), 3.0);
    assert_eq!(of("bfe_cluster_errors_total", "cluster=\"good\""), 0.0);
    assert_eq!(of("bfe_cluster_errors_total", "cluster=\"bad\""), 1.0);
    assert_eq!(of("bfe_backend_requests_total", "cluster=\"bad\""), 3.0, "RetryMax is 2");
    assert_eq!(of("bfe_backend_errors_total", "cluster=\"bad\""), 3.0);
    assert_eq!(of("bfe_cluster_request_duration_seconds_count", "cluster=\"good\""), 3.0);
    assert_eq!(of("bfe_cluster_request_duration_seconds_bucket", "le=\"+Inf\""), 4.0);
    let page = bfe.monitor("/metrics");
    let mut seen = std::collections::HashSet::new();
    for line in page.lines().filter(|l| !l.starts_with('#')) {
        let name = line.rsplit_once(' ').unwrap().0;
        assert!(seen.insert(name), "twice: {name}");
    }
}

#[test]
fn balance_10_an_idle_connection_serves_whichever_worker_needs_it() {
    let backend = Backend::ok("a");
    let tree = Tree::proxy(&backend)
        .set("MaxCpus", 2)
        .cluster_conf("c", json!({"BackendConf": {"MaxIdleConnsPerHost": 8}}));
    let bfe = Bfe::start(&tree);
    // Clients come from ports of their own, so one worker or the other gets them.
    for _ in 0..16 {
        assert_eq!(bfe.ask(GET).status, 200);
        bfe.wait_idle();
    }
    assert_eq!(bfe.counters("http_state")["HTTP_BACKEND_CONN_ALL"], 1);
    assert_eq!(backend.open_connections(), 1);
}
