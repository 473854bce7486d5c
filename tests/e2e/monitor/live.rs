//! The live page.

use bfe_tests::{Backend, Bfe, Client, Tree, peer};
use std::process::Command;

fn fetch(bfe: &Bfe, path: &str, accept: &str) -> bfe_tests::Response {
    let mut client = Client::connect(bfe.monitor_addr());
    client.ask(format!("GET {path} HTTP/1.1\r\nHost: m\r\nAccept: {accept}\r\n\r\n"))
}

#[test]
fn browsers_get_the_page_and_everybody_else_the_index() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    assert!(fetch(&bfe, "/", browser).text().starts_with("<!doctype html>"));
    assert!(fetch(&bfe, "/", "*/*").text().contains("Welcome to bfe"));
    assert!(fetch(&bfe, "/monitor", browser).text().contains("monitor manual for bfe"));
    let policy = fetch(&bfe, "/live", "*/*");
    assert!(policy.header("Content-Security-Policy").is_some_and(|p| p.starts_with("default-src 'none'")));
}

#[test]
fn the_data_of_the_page() {
    let (backend, down) = (Backend::ok("x"), Backend::refusing());
    let tree = Tree::proxy(&backend)
        .host("q", "down")
        .route("q", "default_t()", "d")
        .cluster(bfe_tests::Cluster::new("d").sub("d.s", 100, &[&down]));
    let bfe = Bfe::start(&tree);
    for host in ["ok", "ok", "down"] {
        let _ = bfe.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
    bfe.wait_idle();
    assert_eq!(bfe.reload("server_data_conf"), None);
    assert!(bfe.reload("tls_conf?path=/nowhere").is_some());
    let data = bfe.monitor_json("/live.json");
    assert_eq!((&data["requests"]["2xx"], &data["requests"]["5xx"]), (&2.into(), &1.into()));
    assert_eq!(data["clusters"][0]["name"], "c");
    assert_eq!(data["backends"].as_array().unwrap().len(), 2);
    assert_eq!(data["counters"]["proxy_state_ERR_BK_CONNECT_BACKEND"], 3);
    let reloads = data["reloads"].as_array().unwrap();
    assert_eq!((&reloads[0]["name"], &reloads[0]["ok"]), (&"tls_conf".into(), &false.into()));
    assert_eq!((&reloads[1]["name"], &reloads[1]["ok"]), (&"server_data_conf".into(), &true.into()));
    assert_eq!(
        data["bounds_us"].as_array().unwrap().len() + 1,
        data["latency"]["buckets"].as_array().unwrap().len()
    );
}

#[test]
fn a_browser_shows_the_page() {
    let Some(chromium) = peer("chromium") else { return };
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&Tree::proxy(&backend));
    for _ in 0..7 {
        assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
    }
    bfe.wait_idle();
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://{}/", bfe.monitor_addr()))
        .output()
        .unwrap();
    let page = String::from_utf8_lossy(&output.stdout);
    for shown in ["7 since the start", "1 / 1", "<td class=\"l \">c</td>", "<td class=\"l \">c.s.0</td>"] {
        assert!(page.contains(shown), "{shown} is not shown: {page} {output:?}");
    }
    assert!(!page.contains("style=\"display: block;\""), "it says that its data is old: {page}");
}
