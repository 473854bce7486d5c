//! curl, nghttp, h2load and h2spec as clients.

use super::{tree, unharmed};
use bfe_tests::{Backend, Bfe, Reply, peer, rare_peer};
use std::process::Command;

#[test]
fn curl_speaks_http_2() {
    let Some(curl) = peer("curl") else { return };
    let large = "0123456789abcdef".repeat(1 << 16);
    let of_backend = large.clone();
    let backend = Backend::start(move |req| match req.line() {
        "GET /large HTTP/1.1" => Reply::ok(&of_backend),
        _ => Reply::ok(if req.body.is_empty() { b"hello" } else { req.body.as_slice() }),
    });
    let bfe = Bfe::start(&tree(&backend));
    let port = bfe.https_addr().port();
    let run = |arguments: &[&str]| {
        let output = Command::new(&curl)
            .args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--insecure", "--http2"])
            .args(["--resolve", &format!("ok:{port}:127.0.0.1")])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let url = |path: &str| format!("https://ok:{port}{path}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("upload");
    std::fs::write(&file, &large).unwrap();
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let run = |more: &[&str]| run(&[version, more].concat());
        assert_eq!(run(&["--write-out", "%{http_version}", &url("/")]), "hello2");
        assert!(run(&[&url("/large")]) == large, "a large answer");
        assert!(run(&["--upload-file", file.to_str().unwrap(), &url("/up")]) == large, "a large upload");
        let head = run(&["--head", &url("/")]);
        assert!(head.starts_with("HTTP/2 200") && head.contains("content-length: 5"), "{head}");
    }
    bfe.wait_idle();
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["HTTP2_CLIENT_CONN_SERVED"], counters["HTTP2_CLIENT_REQ_SERVED"]), (8, 8));
    assert_eq!((counters["HTTP2_CLIENT_CONN_ACTIVE"], counters["HTTP2_CLIENT_REQ_ACTIVE"]), (0, 0));
}

#[test]
fn h2load_with_many_streams() {
    let Some(h2load) = peer("h2load") else { return };
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend));
    let output = Command::new(h2load)
        .args(["-n", "3000", "-c", "6", "-m", "50", "-H", "Host: ok"])
        .arg(format!("https://127.0.0.1:{}/", bfe.https_addr().port()))
        .args(["-H", ":authority: ok"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("3000 succeeded, 0 failed, 0 errored, 0 timeout"), "{printed}");
    bfe.wait_idle();
    assert_eq!(bfe.counter("HTTP2_CLIENT_REQ_SERVED"), 3000);
}

#[test]
fn nghttp_with_priorities_and_trailers() {
    let Some(nghttp) = peer("nghttp") else { return };
    let backend = Backend::echo();
    let bfe = Bfe::start(&tree(&backend));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("body");
    std::fs::write(&file, "posted").unwrap();
    let output = Command::new(nghttp)
        .args(["--header", ":authority: ok", "--trailer", "x-sum: 1", "--data"])
        .arg(&file)
        .arg(format!("https://127.0.0.1:{}/up", bfe.https_addr().port()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "posted");
    bfe.wait_idle();
}

/// The conformance suite, whole. One of its cases sends a header block of five fields and takes it for a frame
/// beyond the limit; the limit announced is 1 MiB, so the fields have to be large enough for that.
#[test]
fn h2spec_finds_nothing() {
    let Some(h2spec) = rare_peer("h2spec") else { return };
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend).host("p", "127.0.0.1"));
    let output = Command::new(h2spec)
        .args(["--tls", "--insecure", "--timeout", "2", "--max-header-length", "250000"])
        .args(["--host", "127.0.0.1", "--port", &bfe.https_addr().port().to_string()])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    // Releases differ by a case.
    let all = [145, 146].map(|n| format!("{n} tests, {n} passed, 0 skipped, 0 failed"));
    assert!(all.iter().any(|all| printed.contains(all)), "{printed}");
    unharmed(&bfe);
}
